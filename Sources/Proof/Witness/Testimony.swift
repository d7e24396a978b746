public import Foundation

/// A statement and whether it holds.
public struct CheckedLine: Sendable, Hashable, Encodable {
    public let text: String
    public let holds: Bool

    public init(text: String, holds: Bool) {
        self.text = text
        self.holds = holds
    }
}

/// A fault, with the ids to look for.
public struct Finding: Sendable, Hashable, Encodable, CustomStringConvertible {
    /// The subject of the fault: `source.web sample-1-7`, `handoff 0198…`, `report 0198…`.
    public let about: String
    public let what: String

    public var description: String { "\(about): \(what)" }
}

/// The counts of the witness, each of distinct (source, id) whose publish was confirmed.
public struct Testimony: Sendable, Encodable {
    public var submitted = 0
    public var registered = 0
    /// Answered with `report.rejected`, without a dead letter.
    public var rejected = 0
    /// With an open dead letter.
    public var dead = 0

    public var closed = 0
    /// Accepted and not closed.
    public var open = 0
    public var notAccepted = 0
    public var repeats = 0
    public var inReview = 0
    public var passedUp = 0

    public var lost: [Finding] = []
    public var doubled: [Finding] = []
    /// Differences between the ledger and the tables, and chains that are not valid.
    public var ledgerFaults: [Finding] = []
    public var chains = 0
    /// Deliveries of a message that the same party had received before.
    public var redelivered = 0

    public var openReports: [OpenReport] = []
    public var sources: [SourceRow] = []
    public var states: [StateRow] = []
    /// The competent authorities for reports that were not accepted, most frequent first.
    public var authorities: [AuthorityRow] = []
    public var units: [UnitRow] = []
    /// The time from the publish to the first unit's inbox; `nil` if nothing arrived.
    public var latency: Latency?
    /// States of reports and handoffs that never occurred: `report linked_as_repeat`.
    public var statesNeverSeen: [String] = []
    /// Journal lines that their writer did not finish.
    public var tornLines = 0

    public struct OpenReport: Sendable, Hashable, Encodable {
        public let number: String
        public let state: String
        public let reason: String
    }

    public struct SourceRow: Sendable, Hashable, Encodable {
        public let source: String
        public var submitted = 0
        public var accepted = 0
        public var closed = 0

        package init(source: String, submitted: Int = 0, accepted: Int = 0, closed: Int = 0) {
            self.source = source
            self.submitted = submitted
            self.accepted = accepted
            self.closed = closed
        }
    }

    public struct AuthorityRow: Sendable, Hashable, Encodable {
        public let authority: String
        public let count: Int
    }

    public struct StateRow: Sendable, Hashable, Encodable {
        public let state: String
        public let count: Int
    }

    public struct UnitRow: Sendable, Hashable, Encodable {
        public let unit: String
        public var handedOff = 0
        public var signed = 0
        public var returned = 0
        public var recalled = 0
        /// Handoffs with a disposition or a conclusion.
        public var answered = 0
        public var closed = 0

        package init(
            unit: String, handedOff: Int = 0, signed: Int = 0, returned: Int = 0, recalled: Int = 0, answered: Int = 0,
            closed: Int = 0
        ) {
            self.unit = unit
            self.handedOff = handedOff
            self.signed = signed
            self.returned = returned
            self.recalled = recalled
            self.answered = answered
            self.closed = closed
        }

        /// The share of the handoffs kept by the unit that were answered (反馈率), 0 to 1; `nil` if it kept none.
        public var feedbackRate: Double? {
            let kept = handedOff - returned - recalled
            return kept > 0 ? Double(min(answered, kept)) / Double(kept) : nil
        }
    }

    public struct Latency: Sendable, Hashable, Encodable {
        public let count: Int
        public let p50Milliseconds: Double
        public let p99Milliseconds: Double
    }

    public var accepted: Int { closed + open }
    /// The share of the registered reports that were accepted, 0 to 1.
    public var acceptedShare: Double { registered > 0 ? Double(accepted) / Double(registered) : 0 }

    /// The statements that must hold for every run.
    public var lines: [CheckedLine] {
        [
            CheckedLine(
                text: "submitted = registered + rejected + dead: \(submitted) = \(registered) + \(rejected) + \(dead)",
                holds: submitted == registered + rejected + dead),
            CheckedLine(
                text: """
                    registered = closed + open + not accepted + repeats + in review + passed up: \
                    \(registered) = \(closed) + \(open) + \(notAccepted) + \(repeats) + \(inReview) + \(passedUp)
                    """,
                holds: registered == closed + open + notAccepted + repeats + inReview + passedUp),
            CheckedLine(
                text: "lost \(lost.count)  doubled \(doubled.count)  redelivered \(redelivered)",
                holds: lost.isEmpty && doubled.isEmpty),
            CheckedLine(
                text: "the ledger holds: \(chains) chains unbroken, every state told; faults \(ledgerFaults.count)",
                holds: ledgerFaults.isEmpty),
            CheckedLine(
                text: "closed of accepted: \(closed) of \(accepted), at least 95 %",
                holds: accepted == 0 || Double(closed) >= 0.95 * Double(accepted)),
        ]
    }

    /// A statement for a corpus with a known share of acceptable reports.
    public func acceptedLine(shareMin: Double) -> CheckedLine {
        let percent = (acceptedShare * 1000).rounded() / 10
        return CheckedLine(
            text:
                """
                accepted of registered: \(accepted) of \(registered) (\(percent) %), at least \
                \(Int(shareMin * 100)) %
                """,
            holds: acceptedShare >= shareMin)
    }

    /// The whole testimony as JSON, with keys in snake case. `lost` and `doubled` are counts; their details are in
    /// `findings`.
    public func json(extraLines: [CheckedLine] = []) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return try encoder.encode(Page(testimony: self, lines: lines + extraLines))
    }

    /// The JSON form of the testimony, with the lines of the caller.
    private struct Page: Encodable {
        let testimony: Testimony
        let lines: [CheckedLine]

        enum Key: String, CodingKey { case lines }

        func encode(to encoder: any Encoder) throws {
            try testimony.encode(to: encoder)
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(lines, forKey: .lines)
        }
    }

    private enum Key: String, CodingKey {
        case submitted, registered, rejected, dead, closed, open
        case notAccepted = "not_accepted"
        case repeats
        case inReview = "in_review"
        case passedUp = "passed_up"
        case lost, doubled, redelivered
        case ledgerFaults = "ledger_faults"
        case chains, findings
        case openReports = "open_reports"
        case sources, states, authorities, units, latency
        case statesNeverSeen = "states_never_seen"
        case acceptedShare = "accepted_share"
        case tornLines = "torn_lines"
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        for (key, count) in [
            (Key.submitted, submitted), (.registered, registered), (.rejected, rejected), (.dead, dead),
            (.closed, closed),
            (.open, open), (.notAccepted, notAccepted), (.repeats, repeats), (.inReview, inReview),
            (.passedUp, passedUp),
            (.lost, lost.count), (.doubled, doubled.count), (.redelivered, redelivered),
            (.ledgerFaults, ledgerFaults.count),
            (.chains, chains), (.tornLines, tornLines),
        ] {
            try container.encode(count, forKey: key)
        }
        try container.encode(
            ["lost": lost, "doubled": doubled, "ledger": ledgerFaults], forKey: .findings)
        try container.encode(openReports, forKey: .openReports)
        try container.encode(sources, forKey: .sources)
        try container.encode(states, forKey: .states)
        try container.encode(authorities, forKey: .authorities)
        try container.encode(units, forKey: .units)
        try container.encodeIfPresent(latency, forKey: .latency)
        try container.encode(statesNeverSeen, forKey: .statesNeverSeen)
        try container.encode(acceptedShare, forKey: .acceptedShare)
    }
}
