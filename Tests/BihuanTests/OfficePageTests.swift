import Testing

@testable import Observability

@Suite("The page of the office")
struct OfficePageTests {
    private let now = 1_780_000_000.0

    private func queue(
        _ name: String, _ kind: String, _ messages: Int?, consumers: Int = 1, wantsConsumer: Bool = false
    ) -> OfficeView.Queue {
        OfficeView.Queue(
            name: name, kind: kind, state: .up, messages: messages, consumers: consumers, wantsConsumer: wantsConsumer)
    }

    /// An office of one source and one unit in which nothing is wrong.
    private func quietOffice(at time: Double) -> OfficeView {
        var view = OfficeView(officeName: "测试")
        view.database = OfficeView.Database()
        view.database?.lanes = ["intake", "routing", "deadlines", "feedback"].map { OfficeView.Count($0, 1) }
        view.queues = [
            queue("bihuan.routing", "office", 0), queue("source.s1.submit", "submit", 0),
            queue("unit.c01.inbox", "inbox", 0), queue("unit.c01.acts", "acts", 0),
            queue("unit.c01.notice", "notice", 0),
        ]
        (view.databaseAt, view.queuesAt) = (time, time)
        return view
    }

    private func page(
        _ view: OfficeView?, _ history: OfficeHistory = OfficeHistory(), _ language: PageLanguage = .english,
        at time: Double? = nil
    ) -> String {
        OfficePage(view: view, history: history, now: time ?? now, language: language).html
    }

    private func picture(_ view: OfficeView, _ history: OfficeHistory = OfficeHistory()) -> LoopPicture {
        LoopPicture(view, history, view.troubles, PageWords(language: .english))
    }

    // MARK: What is known

    @Test("a depth that is not known is –, and of a part that is known it is a lower bound; never 0")
    func showsWhatIsUnknown() throws {
        var view = quietOffice(at: now)
        view.queues = [
            queue("bihuan.routing", "office", nil), queue("unit.c01.inbox", "inbox", 5),
            queue("unit.c02.inbox", "inbox", nil), queue("source.s1.submit", "submit", 0),
        ]
        let flows = picture(view).flows
        #expect(flows[.routing]?.depth == "–")
        #expect(flows[.inbox]?.depth == "≥ 5" && flows[.inbox]?.notes.last == "1 of 2 unknown")
        #expect(flows[.submit]?.depth == "0", "it is known")
        #expect(flows[.acts]?.depth == "–", "there is no such queue")
        #expect(flows[.submit]?.notes == ["– / min"], "without a history there is no rate")

        view.queues = nil
        view.database = nil
        let unreadable = picture(view)
        #expect(unreadable.flows.values.allSatisfy { $0.depth == "–" })
        #expect(unreadable.stations[.units]?.lines == ["unsigned –"])
        #expect(unreadable.stations[.postgreSQL]?.lines == ["outbox –", "dead letters –"])
        #expect(unreadable.severities[.postgreSQL] == .critical && unreadable.severities[.flow(.acts)] == .critical)
        #expect(page(view).contains("– not known"))
    }

    @Test("before the first sample the page says so, and an old sample is told from a new one")
    func tellsTheAgeOfTheSample() {
        #expect(page(nil).contains("No sample yet"))
        #expect(page(nil, OfficeHistory(), .chinese).contains("尚无采样"))
        #expect(!page(nil).contains("Nothing is wrong"))
        let view = quietOffice(at: now)
        #expect(page(view, at: now + 7).contains("sample 7 s old"))
        #expect(page(view, at: now + 7).contains("Nothing is wrong"))
        let old = page(view, at: now + 61)
        #expect(old.contains("The sample is 1 min old"))
        #expect(old.contains("✖ Old data") && old.contains("Nothing was wrong"))
        #expect(page(view, at: now - 5).contains("sample 0 s old"), "clocks of two machines differ")
        var half = view
        half.queuesAt = now - 600
        #expect(page(half).contains("sample 10 min old"), "the older part counts")
    }

    // MARK: What is wrong

    @Test("what is wrong comes before the picture, the critical first, and its box is marked with a word")
    func namesTroubleFirst() throws {
        var view = quietOffice(at: now)
        view.database?.lanes = [.init("intake", 0), .init("feedback", 2)]
        view.database?.overdueClocks = 12
        view.queues?.append(queue("unit.c07.acts", "acts", 1_234, consumers: 0, wantsConsumer: true))
        let html = page(view)
        let worker = try #require(html.firstRange(of: "A worker does not run: <code>intake</code>"))
        let overdue = try #require(html.firstRange(of: "12 clocks are overdue"))
        let drawing = try #require(html.firstRange(of: "<svg"))
        #expect(worker.lowerBound < overdue.lowerBound && overdue.upperBound < drawing.lowerBound)
        #expect(html.contains("1 queue is long: up to 1,234 messages: <code>unit.c07.acts</code>"))
        #expect(html.contains("1 queue has no reader: <code>unit.c07.acts</code>"))
        #expect(!html.contains("Nothing is wrong"))
        let severities = picture(view).severities
        #expect(severities[.intake] == .critical && severities[.deadlines] == .warning)
        #expect(severities[.feedback] == .critical && severities[.flow(.acts)] == .critical)
        #expect(severities[.routing] == nil && severities[.units] == nil)
        #expect(page(view, OfficeHistory(), .chinese).contains("进程未运行：<code>受理登记</code>"))
    }

    @Test("every trouble has a sentence in both languages", arguments: Trouble.Kind.allCases)
    func saysEveryTrouble(kind: Trouble.Kind) {
        for count in [1, 3] {
            let trouble = Trouble(
                kind: kind, subjects: (0..<count).map { "unit.c\($0).acts" }, value: kind.bound + Double(count))
            let (english, chinese) = (
                PageWords(language: .english).sentence(trouble), PageWords(language: .chinese).sentence(trouble)
            )
            #expect(english.utf8.allSatisfy { $0 < 0x80 } && english.count > 10)
            #expect(chinese.unicodeScalars.contains { 0x4E00...0x9FFF ~= $0.value })
        }
    }

    @Test("of many names a few are told, and how many more there are")
    func boundsNames() {
        var view = quietOffice(at: now)
        view.queues = (0..<4_000).map { queue("unit.c\($0).acts", "acts", 2_000 + $0) }
        let html = page(view)
        #expect(html.contains("4,000 queues are long: up to 5,999 messages"))
        #expect(html.contains("<code>unit.c2.acts</code> and 3,997 more"))
        #expect(page(view, OfficeHistory(), .chinese).contains("等 4,000 个"))
        #expect(html.contains("<code>unit.c3999.acts</code>") && !html.contains("<code>unit.c3989.acts</code>"))
    }

    // MARK: Names from outside

    @Test("no name becomes markup, changes the direction of the text or makes the page long")
    func escapesNames() throws {
        let hostile = "<script>alert('1')</script>\" onload=\"x & \u{202E}卡\u{0}"
        let many = String(repeating: "e\u{301}", count: 20_000) + "\u{301}"
        let long = String(repeating: "w", count: 40)
        for language in PageLanguage.allCases {
            var view = quietOffice(at: now)
            view.officeName = hostile
            view.problems = [hostile, many] + Array(repeating: "refused", count: 100)
            view.database?.lanes.append(.init(hostile, 0))
            view.database?.deadLetters = [.init(hostile, 3), .init(many, 1)]
            view.database?.reports = [.init(hostile, 3), .init("closed", 7)]
            view.database?.handoffs = [.init(many, 3)]
            view.database?.unsigned = (0..<1_000).map {
                .init(unit: $0 == 999 ? hostile : "\(long)-\($0)", count: 1 + $0, age: 4e5 + Double($0))
            }
            view.queues = (0..<4_000).map {
                queue($0 == 7 ? hostile : "unit.\(long)-\($0).acts", "acts", 5_000 - $0, wantsConsumer: true)
            }
            var history = OfficeHistory()
            history.add(view)
            let html = page(view, history, language)
            let known: Set = [
                "html", "head", "meta", "title", "link", "style", "body", "main", "header", "section", "h1", "h2", "p",
                "a", "ul", "li", "strong", "code", "svg", "rect", "text", "tspan", "polyline", "polygon", "path",
                "figure", "figcaption", "span", "b", "div", "table", "caption", "thead", "tbody", "tr", "th", "td",
            ]
            let tags = Set(html.matches(of: /<\/?([a-zA-Z][^\s>\/]*)/).map { String($0.1) })
            #expect(tags == known)
            #expect(html.matches(of: /\son[a-z]+=\"/).isEmpty)
            #expect(
                html.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot; onload=&quot;x &amp; \\u{202E}卡"))
            #expect(!html.unicodeScalars.contains { $0.value == 0x202E || $0.value == 0 })
            #expect(html.utf8.count < 60_000)
            #expect(html.matches(of: /class="note"/).count == TroubleList.problemsMax)
        }
    }

    @Test("the most that an amount or an age can be has its place too")
    func boundsNumbers() {
        let (english, chinese) = (PageWords(language: .english), PageWords(language: .chinese))
        #expect([0, 999, 1_000, 999_999].map { english.amount($0) } == ["0", "999", "1,000", "999,999"])
        #expect(english.amount(1_234_567) == "1.2 M" && english.amount(123_456_789_012) == "123 G")
        #expect(chinese.amount(1_234_567) == "123 万" && chinese.amount(123_456_789_012) == "1,235 亿")
        #expect(english.amount(2.46) == "2.5" && english.amount(12.4) == "12" && english.amount(3.0) == "3")
        #expect(english.amount(Int.max).count < 20 && english.amount(.infinity).count < 20)
        #expect(english.age(59.9) == "59 s" && english.age(3_600) == "1 h" && english.age(7_140) == "1 h 59 min")
        #expect(english.age(4 * 86_400 + 7_300) == "4 d 2 h" && english.age(40 * 86_400 + 7_300) == "40 d")
        #expect(chinese.age(61) == "1 分钟" && chinese.age(90_000) == "1 天 1 小时")
        #expect(english.age(-5) == "0 s" && english.age(.infinity).count < 20)
        #expect(english.shortAge(86_399) == "23 h" && english.age(nil) == "–")
    }

    // MARK: Language

    @Test(
        "the query decides the language, and without it the browser",
        arguments: [
            ("zh", "en", PageLanguage.chinese), ("en", "zh-CN", .english), ("zh-Hant", "", .chinese),
            ("<script>", "zh-CN,zh;q=0.9,en;q=0.8", .chinese), ("", "", .english), ("", "de-DE,fr;q=0.5", .english),
            ("", "en;q=0.5, ZH-cn;q=0.7", .chinese), ("", "de, en ; q=0.8, zh; q=0.8", .english),
            ("", "zh;q=0", .english), ("", "zh;q=nonsense,en;q=0.1", .english), ("", "*, zh;q=0.9", .english),
            ("", ";;,,q=1,zh", .chinese),
        ])
    func choosesLanguage(asked: String, header: String, expected: PageLanguage) {
        let query = asked.isEmpty ? [:] : ["lang": asked]
        #expect(PageLanguage.choose(query: query, languages: header) == expected)
        #expect(page(quietOffice(at: now), OfficeHistory(), expected).contains("<html lang=\"\(expected.tag)\">"))
    }

    // MARK: The hour

    private func office(at time: Double, inbox: Int, reports: Int) -> OfficeView {
        var view = quietOffice(at: time)
        view.queues = [queue("unit.c01.inbox", "inbox", inbox)]
        view.database?.insertions = [.init("report", reports), .init("handoff_note", 2 * reports)]
        return view
    }

    @Test("samples within ten seconds are one point, and an hour is kept")
    func keepsAnHour() {
        var history = OfficeHistory()
        for second in 0..<100 { history.add(office(at: now + Double(second), inbox: second, reports: second)) }
        #expect(history.points.count == 10)
        let lasts = [9, 19, 29, 39, 49, 59, 69, 79, 89, 99.0]
        #expect(history.points.compactMap { $0.values[.inbox] } == lasts, "each is the last")
        #expect(history.points.dropFirst().allSatisfy { $0.values[.reportRate] == 60 && $0.values[.actRate] == 120 })
        #expect(history.points[0].values[.reportRate] == nil)
        for second in stride(from: 100, to: 9_000, by: 3) {
            history.add(office(at: now + Double(second), inbox: second, reports: second))
        }
        #expect(history.points.count <= OfficeHistory.pointsMax)
        #expect(history.points.allSatisfy { $0.time >= now + 8_998 - OfficeHistory.secondsMax })
        #expect(history.points.count > 250, "and not less")

        history.add(office(at: now + 6_000, inbox: 1, reports: 1))
        #expect(history.points.last?.time == now + 6_000, "a clock that was set back does not stop it")
        #expect(history.points.map(\.time) == history.points.map(\.time).sorted())
        let count = history.points.count
        history.add(OfficeView(officeName: "of which nothing was read"))
        #expect(history.points.count == count)
    }

    @Test("a counter that falls began anew: there is no rate then, and there is one after")
    func seesResetCounters() {
        var history = OfficeHistory()
        for (index, reports) in [1_000, 1_010, 4, 14].enumerated() {
            history.add(office(at: now + 60 * Double(index), inbox: 0, reports: reports))
        }
        #expect(history.points.map { $0.values[.reportRate] } == [nil, 10, nil, 10])
        #expect(history.points.map { $0.values[.handoffRate] } == [nil, nil, nil, nil], "a table that is not told")

        var unread = office(at: now + 240, inbox: 3, reports: 0)
        (unread.database, unread.databaseAt) = (nil, nil)
        history.add(unread)
        history.add(office(at: now + 300, inbox: 3, reports: 100))
        #expect(history.points.suffix(2).map { $0.values[.reportRate] } == [nil, nil])
        #expect(history.points.suffix(2).map { $0.values[.inbox] } == [3, 3])
        #expect(history.rate(.reportRate, at: unread) == nil)
    }

    @Test("a queue that grows is seen to grow, and what is not known is a gap")
    func plotsGrowth() throws {
        var history = OfficeHistory()
        for step in 0...300 {
            var view = office(at: now - 3_000 + 10 * Double(step), inbox: step * step, reports: 0)
            if 100..<150 ~= step { view.queues = nil }
            history.add(view)
        }
        let plot = SmallPlot(.inbox, history, now: now)
        #expect(plot.highest == 90_000)
        #expect(plot.runs.count == 2)
        let points = plot.runs.flatMap(\.self)
        #expect(zip(points, points.dropFirst()).allSatisfy { $0.x <= $1.x && $0.y >= $1.y }, "upward is less in SVG")
        let (first, last) = (try #require(points.first), try #require(points.last))
        #expect(first.x == 60 && first.y == 200 && last.x == 360 && last.y == 0)
        let figure = plot.figure(current: "90,000", PageWords(language: .english)).html
        #expect(figure.contains(" 360,0 \"/>") && figure.contains("max 90,000") && figure.contains("now 90,000"))
        #expect(picture(office(at: now, inbox: 7, reports: 0), history).flows[.inbox]?.depth == "7")

        #expect(SmallPlot(.overdue, OfficeHistory(), now: now).runs.isEmpty)
        #expect(SmallPlot(.unsigned, history, now: now).runs.first?.allSatisfy { $0.y == 200 } == true, "zero is low")
    }
}
