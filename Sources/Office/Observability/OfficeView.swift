/// The office as one process sampled it: amounts, ages and states; no names of people, no texts.
public struct OfficeView: Sendable, Codable, Equatable {
    /// A queue as it was seen.
    public struct Queue: Sendable, Codable, Equatable {
        public enum State: String, Sendable, Codable { case up, down, missing }

        public let name: String
        /// `office` for the office's own queues, else the last word of its name: `submit`, `acts`, `inbox`, `express`,
        /// `notice`, `reply`.
        public let kind: String
        public let state: State
        /// Ready messages; `nil` if they are not known: the queue is down, or it looks empty and nobody reads it, so
        /// that it may be without a leader.
        public let messages: Int?
        public let consumers: Int
        /// Whether a worker of the office should read it.
        public let wantsConsumer: Bool
        /// Messages a second, if the management interface was asked.
        public var publishRate: Double?
        public var deliverRate: Double?

        public init(
            name: String, kind: String, state: State, messages: Int?, consumers: Int, wantsConsumer: Bool
        ) {
            self.name = name
            self.kind = kind
            self.state = state
            self.messages = messages
            self.consumers = consumers
            self.wantsConsumer = wantsConsumer
        }
    }

    public struct Count: Sendable, Codable, Equatable {
        public let name: String
        public let count: Int

        public init(_ name: String, _ count: Int) {
            self.name = name
            self.count = count
        }
    }

    public struct Unsigned: Sendable, Codable, Equatable {
        public let unit: String
        public let count: Int
        /// In business time, in seconds; 0 if there are none.
        public let age: Double

        public init(unit: String, count: Int, age: Double) {
            self.unit = unit
            self.count = count
            self.age = age
        }
    }

    /// Who reads what is new in the ledger.
    public struct Reader: Sendable, Codable, Equatable {
        public let name: String
        public let unread: Int
        public let held: Int
        /// The program whose open transaction holds it back.
        public let holder: String
        /// The session that has the transaction open, for a person: process, program, database, since when. Empty if
        /// nothing is held back.
        public let session: String
        /// It has not read the whole ledger yet.
        public let startsAnew: Bool

        public init(
            name: String, unread: Int, held: Int, holder: String, session: String = "", startsAnew: Bool = false
        ) {
            self.name = name
            self.unread = unread
            self.held = held
            self.holder = holder
            self.session = session
            self.startsAnew = startsAnew
        }
    }

    /// What units or the office owe by the calendar: one row of the policy and one period.
    public struct Duty: Sendable, Codable, Equatable {
        /// The row of the policy, and what the policy calls it; empty if it has no such row.
        public let duty: String
        public let name: String
        /// `2026-11`, `2026-Q3`.
        public let period: String
        /// Who owes it, if it is one alone: `office`, `unit.d1`.
        public let debtor: String?
        /// How many owe it, and how many of them are late.
        public let open: Int
        public let overdue: Int
        /// The earliest last day on which it is done in time, by the office's calendar: `2026-04-10`.
        public let lastDay: String

        public init(
            duty: String, name: String, period: String, debtor: String?, open: Int, overdue: Int, lastDay: String
        ) {
            self.duty = duty
            self.name = name
            self.period = period
            self.debtor = debtor
            self.open = open
            self.overdue = overdue
            self.lastDay = lastDay
        }
    }

    /// What the database says.
    public struct Database: Sendable, Codable, Equatable {
        public var reports: [Count] = []
        public var handoffs: [Count] = []
        public var unsigned: [Unsigned] = []
        /// Ages in seconds, 0 if nothing waits.
        public var outbox = 0
        public var outboxAge = 0.0
        public var deferred = 0
        public var deferredAge = 0.0
        public var deadLetters: [Count] = []
        public var deadLetterAge = 0.0
        public var clocks = 0
        public var overdueClocks = 0
        public var overdueDuties = 0
        public var overdueApprovals = 0
        /// All that is past its due date.
        public var overdue: Int { overdueClocks + overdueDuties + overdueApprovals }
        public var clocksSetAside = 0
        public var stepAge = 0.0
        /// Business time, in seconds since 1970.
        public var nextStep: Double?
        public var unseenNotices = 0
        public var readers: [Reader] = []
        /// Since the last checkpoint; `nil` if there is none, or nothing new.
        public var checkpointAge: Double?
        /// Lanes whose leases run, by worker.
        public var lanes: [Count] = []
        /// Queues of parties that no lane reads, by worker.
        public var unleased: [Count] = []
        /// Rows that came since the statistics began, by table: `report`, `handoff`, `handoff_note`,
        /// `outbox`, `clock_step`.
        public var insertions: [Count] = []
        /// Only for persons, like the number of reports that were passed up sealed and are not signed for; `nil` if
        /// nobody asked.
        public var duties: [Duty]?
        public var sealedUnsigned: Int?

        public init() {}
    }

    public var officeName: String
    /// `nil` if the part could not be read; then `problems` says why.
    public var database: Database?
    public var queues: [Queue]?
    public var problems: [String] = []
    /// Wall time in seconds since 1970, and how long the reading took.
    public var databaseAt: Double?
    public var databaseSeconds = 0.0
    public var queuesAt: Double?
    public var queuesSeconds = 0.0

    public init(officeName: String) { self.officeName = officeName }
}

extension OfficeView {
    /// What a scrape shows of it.
    public var samples: [MetricsRegistry.Sample] {
        typealias Sample = MetricsRegistry.Sample
        var samples: [Sample] = []
        for (part, at, seconds) in [
            ("database", databaseAt, databaseSeconds), ("queues", queuesAt, queuesSeconds),
        ] {
            guard let at else { continue }
            samples += [Sample(.sampledAt, [part], at), Sample(.sampleSeconds, [part], seconds)]
        }
        for queue in queues ?? [] {
            let labels = [queue.name, queue.kind]
            samples.append(Sample(.queueUp, labels, queue.state == .up ? 1 : 0))
            samples.append(Sample(.queueConsumersWanted, labels, queue.wantsConsumer ? 1 : 0))
            if queue.state == .up { samples.append(Sample(.queueConsumers, labels, Double(queue.consumers))) }
            // Empty, and nobody reads it who should: that is no depth of 0 to look at.
            let isUnread = queue.wantsConsumer && queue.consumers == 0 && queue.messages == 0
            if let messages = queue.messages, !isUnread {
                samples.append(Sample(.queueMessages, labels, Double(messages)))
            }
            if let rate = queue.publishRate { samples.append(Sample(.queuePublishRate, labels, rate)) }
            if let rate = queue.deliverRate { samples.append(Sample(.queueDeliverRate, labels, rate)) }
        }
        return samples + (database?.samples ?? [])
    }
}

extension OfficeView.Database {
    fileprivate var samples: [MetricsRegistry.Sample] {
        typealias Sample = MetricsRegistry.Sample
        func rows(_ metric: Metric, _ counts: [OfficeView.Count]) -> [Sample] {
            counts.map { Sample(metric, [$0.name], Double($0.count)) }
        }
        var samples =
            rows(.reports, reports) + rows(.handoffs, handoffs) + rows(.deadLetters, deadLetters)
            + rows(.laneLeases, lanes) + rows(.queuesUnleased, unleased)
        samples += unsigned.flatMap {
            [Sample(.unsigned, [$0.unit], Double($0.count)), Sample(.unsignedAge, [$0.unit], $0.age)]
        }
        samples += readers.flatMap {
            [
                Sample(.changesUnread, [$0.name], Double($0.unread)),
                Sample(.changesHeld, [$0.name, $0.holder], Double($0.held)),
            ]
        }
        samples += [
            Sample(.overdue, ["handoff"], Double(overdueClocks)), Sample(.overdue, ["duty"], Double(overdueDuties)),
            Sample(.overdue, ["approval"], Double(overdueApprovals)),
            Sample(.clocks, Double(clocks)), Sample(.clocksSetAside, Double(clocksSetAside)),
            Sample(.sweepAge, stepAge), Sample(.outbox, Double(outbox)), Sample(.outboxAge, outboxAge),
            Sample(.deferred, Double(deferred)), Sample(.deferredAge, deferredAge),
            Sample(.deadLetterAge, deadLetterAge), Sample(.unseenNotices, Double(unseenNotices)),
            Sample(.checkpointAge, checkpointAge ?? 0),
        ]
        if let nextStep { samples.append(Sample(.nextDue, nextStep)) }
        return samples
    }
}
