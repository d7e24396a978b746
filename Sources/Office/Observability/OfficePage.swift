/// The office at a glance, for a screen on a wall and for a phone: one document without scripts or other files, which
/// asks to be loaded again. It shows amounts, ages and ids; no names of people, no texts of reports.
public struct OfficePage {
    static let refreshSeconds = 5
    /// A sample this old may not show the office any more.
    static let staleSeconds = 60.0
    /// Of queues and units, the page names the worst.
    static let rowsMax = 10

    private let view: OfficeView?
    private let history: OfficeHistory
    private let now: Double
    private let words: PageWords

    /// - Parameters:
    ///   - view: `nil` before the first sample.
    ///   - now: wall time, in seconds since 1970.
    public init(view: OfficeView?, history: OfficeHistory, now: Double, language: PageLanguage) {
        self.view = view
        self.history = history
        self.now = now
        words = PageWords(language: language)
    }

    public var html: String { document.html }

    private var document: Markup {
        let name = view.map { shownName($0.officeName, cells: 80) } ?? "Bihuan 闭环"
        let other = words.language.other
        return """
            <!DOCTYPE html>
            <html lang="\(words.language.tag)">
            <head>
            <meta charset="utf-8">
            <title>\(name)</title>
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta http-equiv="refresh" content="\(Self.refreshSeconds)">
            <meta http-equiv="Content-Security-Policy" \
            content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
            <link rel="icon" href="data:,">
            <style>
            \(PageStyle.sheet)</style>
            </head>
            <body>
            <main>
            <header><h1>\(name)</h1><p>\(sampleAge)</p>\
            <a href="?lang=\(other.rawValue)" lang="\(other.tag)" hreflang="\(other.tag)">\(other.name)</a></header>
            \(content)</main>
            </body>
            </html>

            """
    }

    private var content: Markup {
        guard let view else {
            let text = words(
                "No sample yet: this process has not read the office since it started.",
                "尚无采样：本进程启动以来还没有读取过运行状态。")
            return """
                <p class="banner warning wide" role="status"><strong>\(words.severity(.warning))</strong>\(text)</p>

                """
        }
        let troubles = view.troubles
        let picture = LoopPicture(view, history, troubles, words)
        let summary = words(
            "The loop: sources, intake, routing, units, feedback, deadlines, PostgreSQL, and what waits between them",
            "闭环：举报来源、受理登记、分流、承办单位、反馈、催办、PostgreSQL，以及各环节之间的等待")
        return """
            \(staleness)\
            <section class="troubles"><h2 class="unseen">\(words("What is wrong", "异常"))</h2>
            \(TroubleList(troubles, problems: view.problems, isStale: isStale, words).markup)</section>
            <section class="card"><h2 class="unseen">\(words("The loop", "闭环"))</h2>
            \(LoopDrawing.lying(picture, summary: summary))\(LoopDrawing.standing(picture, summary: summary))</section>
            <section class="plots"><h2 class="unseen">\(words("The last hour", "最近一小时"))</h2>
            \(plots(view))</section>
            <section class="tables">
            \(PageTables(view, words).all)</section>

            """
    }

    // MARK: The age of the sample

    /// Of the older part; a part that was never read is a trouble of its own.
    private var secondsOld: Double? {
        [view?.databaseAt, view?.queuesAt].compactMap(\.self).min().map { max(0, now - $0) }
    }

    private var isStale: Bool { secondsOld ?? 0 > Self.staleSeconds }

    private var sampleAge: String {
        guard view != nil else { return "" }
        guard let secondsOld else { return words("nothing was read", "未读到任何数据") }
        return words("sample \(words.age(secondsOld)) old", "采样于 \(words.age(secondsOld))前")
    }

    private var staleness: Markup {
        guard isStale else { return "" }
        let age = words.age(secondsOld)
        let text = words(
            "The sample is \(age) old. The office may look different now.", "采样已是 \(age)前的数据，当前情况可能不同。")
        return """
            <p class="banner critical wide" role="alert"><strong>\(words("✖ Old data", "✖ 数据过期"))</strong>\(text)</p>

            """
    }

    // MARK: Plots

    private func plots(_ view: OfficeView) -> [Markup] {
        let depths = view.queues.map { StageDepths($0) }
        func plot(_ measure: OfficeHistory.Measure, _ current: String) -> Markup {
            SmallPlot(measure, history, now: now).figure(current: current, words)
        }
        func rate(_ measure: OfficeHistory.Measure) -> Markup {
            plot(measure, history.rate(measure, at: view).map { words.amount($0) } ?? PageWords.unknown)
        }
        let database = view.database
        let unsigned = database?.unsigned.reduce(0) { $0 + $1.count }
        return OfficeStage.allCases.map { stage in
            plot(stage.measure, depths.map { words.amount($0[stage]) } ?? PageWords.unknown)
        } + [
            rate(.reportRate), rate(.handoffRate), rate(.actRate), plot(.unsigned, words.amount(unsigned)),
            plot(.overdue, words.amount(database.map { $0.overdue })),
            plot(.outbox, words.amount(database?.outbox)),
        ]
    }
}
