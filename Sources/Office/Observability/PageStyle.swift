/// The style sheet of the page. Sizes follow the width of a wall screen; a phone gets one column.
enum PageStyle {
    static let sheet: Markup = """
        :root{color-scheme:light dark;--page:#eef1f4;--card:#fff;--ink:#12171d;--mute:#4a5461;--line:#c3cad3;
        --grid:#dfe4ea;--flow:#5b6775;--plot:#1a5fb4;--critical:#a8001c;--critical-fill:#fde7e9;--warning:#7a4d00;
        --warning-fill:#fff1cf;--quiet:#15612f;--quiet-fill:#e3f4e8}
        @media (prefers-color-scheme:dark){:root{--page:#0d1116;--card:#171d25;--ink:#eef2f6;--mute:#aab5c3;
        --line:#3c4754;--grid:#2a333e;--flow:#93a1b2;--plot:#82b6ff;
        --critical:#ff9aa2;--critical-fill:#4b141b;--warning:#ffcc66;
        --warning-fill:#463309;--quiet:#86dba1;--quiet-fill:#12331e}}
        *{box-sizing:border-box}
        html{font-size:clamp(16px,.94vw,44px)}
        body{margin:0;background:var(--page);color:var(--ink);font-family:system-ui,-apple-system,"Segoe UI",Roboto,\
        "Noto Sans","Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;line-height:1.35;\
        font-variant-numeric:tabular-nums}
        main{display:grid;gap:.6rem;padding:.6rem .8rem;grid-template-columns:minmax(0,1fr)}
        section,header{min-width:0;position:relative}
        h1{font-size:1.7rem;line-height:1.15;margin:0;overflow-wrap:anywhere}
        h2{font-size:1rem;margin:0 0 .25rem;color:var(--mute);font-weight:600}
        header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.2rem 1.4rem}
        header p{margin:0;font-size:1.1rem;color:var(--mute)}
        header a{margin-left:auto;color:var(--plot);font-size:1.05rem}
        .card{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.5rem .7rem}
        .troubles ul{list-style:none;margin:0;padding:0;display:grid;gap:.4rem;\
        grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr))}
        li,.banner{border:1px solid;border-left-width:.45rem;border-radius:.4rem;padding:.3rem .7rem;\
        font-size:1.12rem;overflow-wrap:anywhere;margin:0}
        .troubles .many{grid-template-columns:repeat(auto-fit,minmax(min(100%,19rem),1fr));gap:.3rem}
        .many li{font-size:1rem;padding:.15rem .6rem}
        .troubles strong,.banner strong{white-space:nowrap;margin-right:.4rem}
        li.critical,.banner.critical{border-color:var(--critical);background:var(--critical-fill)}
        li.warning,.banner.warning{border-color:var(--warning);background:var(--warning-fill)}
        li.quiet{border-color:var(--quiet);background:var(--quiet-fill)}
        li.note{border-color:var(--line);background:var(--card);color:var(--mute)}
        .critical strong{color:var(--critical)}.warning strong{color:var(--warning)}.quiet strong{color:var(--quiet)}
        code{font-family:ui-monospace,"DejaVu Sans Mono",Consolas,"Noto Sans Mono CJK SC",monospace;font-size:.92em;\
        unicode-bidi:isolate;overflow-wrap:anywhere}
        .loop{display:block;width:100%;height:auto;max-width:100%;margin:auto}
        .loop text{fill:var(--ink)}
        .box{fill:var(--card);stroke:var(--flow);stroke-width:2}
        .box.critical{fill:var(--critical-fill);stroke:var(--critical);stroke-width:5}
        .box.warning{fill:var(--warning-fill);stroke:var(--warning);stroke-width:4}
        .pill.critical{fill:var(--critical)}.pill.warning{fill:var(--warning)}
        .loop .p{fill:var(--card);font-weight:700}
        .flow{fill:none;stroke:var(--flow);stroke-width:2.5;stroke-linejoin:round}.head{fill:var(--flow)}
        .flow.critical{stroke:var(--critical);stroke-width:4;stroke-dasharray:9 5}.head.critical{fill:var(--critical)}
        .flow.warning{stroke:var(--warning);stroke-width:4}.head.warning{fill:var(--warning)}
        .loop .n{font-weight:700}.loop .n.critical{fill:var(--critical)}.loop .n.warning{fill:var(--warning)}
        .loop .t{font-weight:700}.loop .s{fill:var(--mute);font-weight:400}
        .lying{display:none}
        .lying .t{font-size:28px}.lying .l{font-size:21px}.lying .n{font-size:34px}.lying .s{font-size:20px}
        .lying .p{font-size:18px}
        .standing{max-width:30rem}
        .standing .t{font-size:18px}.standing .l{font-size:15px}.standing .n{font-size:22px}.standing .s{font-size:14px}
        .standing .p{font-size:12.5px}
        .plots{display:grid;gap:.4rem;grid-template-columns:repeat(2,minmax(0,1fr));align-content:stretch}
        .unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
        figure{margin:0;display:flex;flex-direction:column;min-width:0;background:var(--card);\
        border:1px solid var(--line);border-radius:.4rem;padding:.3rem .5rem}
        figcaption{display:flex;justify-content:space-between;align-items:baseline;gap:.4rem;color:var(--mute);\
        font-size:.88rem;line-height:1.15}
        figcaption b{font-size:1.35rem;color:var(--ink);white-space:nowrap}
        figure svg{display:block;width:100%;height:3rem;flex:1 1 3rem;min-height:0}
        figure polyline{fill:none;stroke:var(--plot);stroke-width:2.5;vector-effect:non-scaling-stroke;\
        stroke-linejoin:round;stroke-linecap:round}
        .grid{fill:none;stroke:var(--grid);stroke-width:1;vector-effect:non-scaling-stroke}
        .axis{display:flex;justify-content:space-between;color:var(--mute);font-size:.78rem;line-height:1.2}
        .tables{display:grid;gap:.6rem;grid-template-columns:minmax(0,1fr)}
        table{width:100%;border-collapse:collapse;font-size:.95rem}
        caption{text-align:left;font-weight:600;color:var(--mute);font-size:1rem;padding-bottom:.15rem}
        th,td{text-align:left;padding:.06rem .3rem;border-top:1px solid var(--grid);font-weight:400;vertical-align:top}
        th{overflow-wrap:anywhere}thead th{color:var(--mute);border-top:0;font-size:.85rem}
        td,th.r{text-align:right;white-space:nowrap;padding-left:.8rem}
        @media (min-width:700px){.tables{grid-template-columns:repeat(2,minmax(0,1fr))}\
        .plots{grid-template-columns:repeat(3,minmax(0,1fr))}}
        @media (min-width:800px){.lying{display:block}.standing{display:none}}
        @media (min-width:1300px){main{grid-template-columns:minmax(0,1.66fr) minmax(0,1fr)}\
        header,.troubles,.tables,.wide{grid-column:1/-1}.tables{grid-template-columns:repeat(4,minmax(0,1fr))}\
        table{font-size:.9rem;line-height:1.18}th,td{padding-top:.02rem;padding-bottom:.02rem}}

        """
}
