/// What the picture of the loop shows of one sample: its stations, and what flows between them.
struct LoopPicture {
    enum Place: Hashable {
        case sources, intake, routing, units, feedback, deadlines, postgreSQL
        case flow(OfficeStage)
    }

    struct Station {
        let name: String
        /// At most two.
        let lines: [String]
    }

    /// What waits at an arrow.
    struct Flow {
        let depth: String
        let what: String
        /// What more is known of it, such as the rate; at most two.
        let notes: [String]
    }

    let words: PageWords
    private(set) var stations: [Place: Station] = [:]
    private(set) var flows: [OfficeStage: Flow] = [:]
    /// Of the notices, those to sources; the flow of notices shows those to units.
    private(set) var answers: Flow
    private(set) var dueSteps: Flow
    private(set) var severities: [Place: Trouble.Severity] = [:]

    init(_ view: OfficeView, _ history: OfficeHistory, _ troubles: [Trouble], _ words: PageWords) {
        self.words = words
        let depths = StageDepths(view.queues ?? [])
        func flow(_ depth: QueueDepth, _ what: String, _ rate: OfficeHistory.Measure? = nil) -> Flow {
            let rate = rate.map { words.perMinute(history.rate($0, at: view)) }
            let isPart = depth.unknown > 0 && depth.atLeast != nil
            return Flow(
                depth: words.amount(depth), what: what,
                notes: [rate, isPart ? words.unknown(depth.unknown, of: depth.queues) : nil].compactMap(\.self))
        }
        flows = [
            .submit: flow(depths[.submit], words("reports", "举报件"), .reportRate),
            .routing: flow(depths[.routing], words("to be routed", "待分流")),
            .inbox: flow(depths[.inbox], words("handoffs", "移交件"), .handoffRate),
            .acts: flow(depths[.acts], words("answers", "办理反馈"), .actRate),
            .notice: flow(depths.toUnits, words("notices", "催办、通知")),
        ]
        answers = flow(depths.toSources, words("accepted, rejected", "受理、不予受理"))
        dueSteps = Flow(
            depth: words.perMinute(history.rate(.stepRate, at: view)), what: words("steps", "步骤"),
            notes: [Self.due(view.database?.stepAge, words)])
        stations = Self.stations(view, sources: depths[.submit].queues, words)
        for trouble in troubles {
            for place in trouble.places where severities[place] != .critical { severities[place] = trouble.severity }
        }
    }

    private static func due(_ age: Double?, _ words: PageWords) -> String {
        guard let age else { return words("late –", "延误 –") }
        return age > 0 ? words("late \(words.age(age))", "延误 \(words.age(age))") : words("none late", "无延误")
    }

    private static func stations(_ view: OfficeView, sources: Int, _ words: PageWords) -> [Place: Station] {
        let database = view.database
        func worker(_ name: String, _ line: String? = nil) -> Station {
            let lanes = database?.lanes.first { $0.name == name }?.count
            let running = words("lanes \(words.amount(lanes))", "运行通道 \(words.amount(lanes))")
            return Station(name: words.worker(name), lines: [running, line].compactMap(\.self))
        }
        func waiting(_ what: String, _ count: Int?, _ age: Double?) -> String {
            "\(what) \(words.amount(count))" + ((count ?? 0) > 0 ? " · \(words.shortAge(age))" : "")
        }
        let unsigned = database?.unsigned
        let oldest = unsigned?.map(\.age).max() ?? 0
        return [
            .sources: Station(
                name: words("sources", "举报来源"),
                lines: view.queues == nil
                    ? [] : [words("queues \(words.amount(sources))", "队列 \(words.amount(sources))")]),
            .intake: worker("intake"),
            .routing: worker("routing"),
            .units: Station(
                name: words("units", "承办单位"),
                lines: [
                    words("unsigned", "未签收") + " " + words.amount(unsigned?.reduce(0) { $0 + $1.count }),
                    oldest > 0 ? words("oldest \(words.age(oldest))", "最久 \(words.age(oldest))") : nil,
                ].compactMap(\.self)),
            .feedback: worker(
                "feedback", waiting(words("deferred", "先到等候"), database?.deferred, database?.deferredAge)),
            .deadlines: worker(
                "deadlines",
                words("overdue", "超期") + " " + words.amount(database.map { $0.overdue })),
            .postgreSQL: Station(
                name: "PostgreSQL",
                lines: [
                    waiting(words("outbox", "待发消息"), database?.outbox, database?.outboxAge),
                    waiting(
                        words("dead letters", "死信"), database?.deadLetters.reduce(0) { $0 + $1.count },
                        database?.deadLetterAge),
                ]),
        ]
    }
}

extension Trouble {
    /// Where in the picture it is seen.
    fileprivate var places: Set<LoopPicture.Place> {
        switch kind {
        case .queuesUnreadable: Set(OfficeStage.allCases.map { .flow($0) })
        case .queueDown, .queueUnread, .queueLong:
            // Thousands of queues, and few places.
            subjects.reduce(into: []) { places, name in
                for place in Self.places(ofQueue: name) { places.insert(place) }
            }
        case .workerMissing, .queuesUnleased: Set(subjects.flatMap(Self.places(ofWorker:)))
        case .databaseUnreadable, .outboxOld, .deadLetters, .changesHeld, .checkpointOld: [.postgreSQL]
        case .sweepLate, .clocksSetAside, .overdue: [.deadlines]
        case .deferredOld: [.feedback]
        case .unsignedOld: [.units]
        }
    }

    /// The arrow, and who should read the queue.
    private static func places(ofQueue name: String) -> [LoopPicture.Place] {
        guard let stage = OfficeStage(named: name) else { return [.feedback] }
        let reader: [LoopPicture.Place] =
            switch stage {
            case .submit: [.intake]
            case .routing: [.routing]
            case .inbox: [.units]
            case .acts: [.feedback]
            case .notice: name.hasPrefix("source.") ? [.sources] : name.hasPrefix("unit.") ? [.units] : []
            case .command: places(ofWorker: name.split(separator: ".").last.map(String.init) ?? "")
            }
        return reader + [.flow(stage)]
    }

    private static func places(ofWorker name: String) -> [LoopPicture.Place] {
        switch name {
        case "intake": [.intake]
        case "routing": [.routing]
        case "feedback": [.feedback]
        case "deadlines": [.deadlines]
        default: []
        }
    }
}
