public import Basics

/// The row of a report. It has few columns because it is the only lock of its case.
public struct Report: Hashable, Sendable {
    public let id: ReportID
    public let number: Int64
    public let source: SourceID
    public let submissionID: String
    public let digest: [UInt8]
    public var state: ReportState
    public let sourceKind: String
    public var matterKind: String?
    public var region: String?
    public let realName: Bool
    public let receivedAt: Instant
    public let registeredAt: Instant
    /// The state the report got at registration; `rule` is the policy row that decided it.
    public let verdict: ReportState
    public let rule: String
    public var reason: String?
    public var authority: String?
    public var repeatOf: ReportID?
    /// Whether the source's own unit is barred. The source then gets only a bare receipt.
    public let receiptOnly: Bool
    /// The one person (专人) who is notified when a sealed report waits too long. The accused are known only at
    /// intake, so the barrier is checked then.
    public let custodian: PersonID?
    public var handoffCount: Int
    /// The number of attachments announced with the report.
    public let attachments: Int
    public var head: LedgerHead

    public init(
        id: ReportID, number: Int64, source: SourceID, submissionID: String, digest: [UInt8], state: ReportState,
        sourceKind: String, matterKind: String?, region: String?, realName: Bool, receivedAt: Instant,
        registeredAt: Instant, verdict: ReportState, rule: String, reason: String?, authority: String?,
        repeatOf: ReportID?, receiptOnly: Bool, custodian: PersonID? = nil, handoffCount: Int, attachments: Int = 0,
        head: LedgerHead
    ) {
        self.id = id
        self.number = number
        self.source = source
        self.submissionID = submissionID
        self.digest = digest
        self.state = state
        self.sourceKind = sourceKind
        self.matterKind = matterKind
        self.region = region
        self.realName = realName
        self.receivedAt = receivedAt
        self.registeredAt = registeredAt
        self.verdict = verdict
        self.rule = rule
        self.reason = reason
        self.authority = authority
        self.repeatOf = repeatOf
        self.receiptOnly = receiptOnly
        self.custodian = custodian
        self.handoffCount = handoffCount
        self.attachments = attachments
        self.head = head
    }

    /// The competent authority that its source was told. A person may name another later.
    public var authorityAtRegistration: String? { verdict == .notAccepted ? authority : nil }

    /// The number in its written form: `2026-00000123`; for a sealed pass-through `S2026-00000123`.
    public var displayNumber: String { Report.display(number, sealed: verdict == .passedUp) }

    public static func display(_ number: Int64, sealed: Bool) -> String {
        let serial = String(number % 100_000_000)
        let zeros = String(repeating: "0", count: 8 - serial.utf8.count)
        return "\(sealed ? "S" : "")\(number / 100_000_000)-\(zeros)\(serial)"
    }

    /// A number within a year: the year, then eight digits.
    public static func number(year: Int, serial: Int64) -> Int64 { Int64(year) * 100_000_000 + serial % 100_000_000 }
}

/// One handoff of a report to one unit.
public struct Handoff: Hashable, Sendable {
    public let id: HandoffID
    public let reportID: ReportID
    /// 1 for the first unit the report went to, 2 for the next, and so on.
    public let attempt: Int
    public let unit: UnitID
    public let kind: String
    public var state: HandoffState
    public let express: Bool
    public let rule: String
    /// SHA-256 of the body that was sent. The unit repeats it when it signs.
    public var digest: [UInt8]
    public var releasedAt: Instant?
    public var dispatchedAt: Instant?
    public var signedAt: Instant?
    public var signedBy: String?
    public var disposition: String?
    public var caseNumber: String?
    public var caseFiledOn: CivilDate?
    public var caseNotifiedAt: Instant?
    public var outcome: String?
    public var concludedAt: Instant?
    public var timesSentBack: Int
    public var endedAt: Instant?
    public var endedBecause: String?
    public var runningClocks: Int
    /// Why no clock runs although the handoff is open (invariant 8).
    public var noClockReason: String?

    public init(
        id: HandoffID, reportID: ReportID, attempt: Int, unit: UnitID, kind: String, state: HandoffState, express: Bool,
        rule: String, digest: [UInt8], releasedAt: Instant? = nil, dispatchedAt: Instant? = nil,
        signedAt: Instant? = nil, signedBy: String? = nil, disposition: String? = nil, caseNumber: String? = nil,
        caseFiledOn: CivilDate? = nil, caseNotifiedAt: Instant? = nil, outcome: String? = nil,
        concludedAt: Instant? = nil, timesSentBack: Int = 0, endedAt: Instant? = nil, endedBecause: String? = nil,
        runningClocks: Int = 0, noClockReason: String? = nil
    ) {
        self.id = id
        self.reportID = reportID
        self.attempt = attempt
        self.unit = unit
        self.kind = kind
        self.state = state
        self.express = express
        self.rule = rule
        self.digest = digest
        self.releasedAt = releasedAt
        self.dispatchedAt = dispatchedAt
        self.signedAt = signedAt
        self.signedBy = signedBy
        self.disposition = disposition
        self.caseNumber = caseNumber
        self.caseFiledOn = caseFiledOn
        self.caseNotifiedAt = caseNotifiedAt
        self.outcome = outcome
        self.concludedAt = concludedAt
        self.timesSentBack = timesSentBack
        self.endedAt = endedAt
        self.endedBecause = endedBecause
        self.runningClocks = runningClocks
        self.noClockReason = noClockReason
    }
}

/// Everything of one case that a decision may read and change, loaded under the report's lock. It records its
/// changes, so that they can be written in bulk afterwards.
public struct CaseFile: Sendable {
    public private(set) var report: Report
    /// The units that nothing of the case may reach: the roots and the units now below them.
    public private(set) var barred: Set<UnitID>
    /// Roots that were found after registration.
    public private(set) var newRoots: Set<UnitID> = []
    public private(set) var handoffs: [Handoff]
    public private(set) var clocks: ClockSet

    /// The head at load time, for the compare-and-set; `nil` for a new report.
    public let loadedHead: LedgerHead?
    public private(set) var newEntries: [LedgerEntry] = []
    public private(set) var reportChanged = false
    public private(set) var newHandoffs: Set<HandoffID> = []
    public private(set) var changedHandoffs: Set<HandoffID> = []

    /// A case loaded from the store.
    public init(loaded report: Report, barred: Set<UnitID>, handoffs: [Handoff], clocks: [Clock]) {
        self.report = report
        self.barred = barred
        self.handoffs = handoffs
        self.clocks = ClockSet(loaded: clocks)
        loadedHead = report.head
    }

    /// A case that begins now.
    public init(new report: Report, barred: Set<UnitID>) {
        self.report = report
        self.barred = barred
        handoffs = []
        clocks = ClockSet()
        loadedHead = nil
    }

    public var isNew: Bool { loadedHead == nil }

    public subscript(handoff id: HandoffID) -> Handoff? { handoffs.first { $0.id == id } }

    /// Bars units that were added since and that the report mentions.
    public mutating func bar(_ roots: Set<UnitID>, with below: Set<UnitID>) {
        newRoots.formUnion(roots.subtracting(barred))
        barred.formUnion(below)
    }

    public mutating func record(_ event: LedgerEvent, at instant: Instant, by actor: String) {
        newEntries.append(report.head.append(LedgerRecord(event, at: instant, by: actor)))
        reportChanged = true
    }

    public mutating func updateReport(_ change: (inout Report) -> Void) {
        change(&report)
        reportChanged = true
    }

    public mutating func apply(_ event: ReportEvent) throws(Rejection) {
        var state = report.state
        try state.apply(event)
        report.state = state
        reportChanged = true
    }

    /// Opens a handoff: with clocks that run from now, or with the reason why none does.
    public mutating func open(_ handoff: Handoff, clocks plans: [ClockPlan], otherwise reason: String?) {
        add(handoff)
        start(plans, for: handoff.id)
        recountClocks(of: handoff.id, otherwise: reason)
    }

    mutating func add(_ handoff: Handoff) {
        handoffs.append(handoff)
        newHandoffs.insert(handoff.id)
        report.handoffCount = max(report.handoffCount, handoff.attempt)
        reportChanged = true
    }

    public mutating func update(_ id: HandoffID, _ change: (inout Handoff) -> Void) {
        guard let index = handoffs.firstIndex(where: { $0.id == id }) else { return }
        change(&handoffs[index])
        if !newHandoffs.contains(id) { changedHandoffs.insert(id) }
    }

    mutating func start(_ plans: [ClockPlan], for id: HandoffID) {
        guard let handoff = self[handoff: id] else { return }
        for plan in plans {
            let round = clocks.count { $0.key.handoffID == id && $0.key.duty == plan.duty }
            let key = Clock.Key(of: id, in: report.id, duty: plan.duty, round: round + 1)
            clocks.start(Clock(key, owedBy: .unit(handoff.unit), by: plan))
        }
    }

    /// Starts a clock that belongs to no handoff.
    public mutating func start(_ clock: Clock) { clocks.start(clock) }

    mutating func stopClocks(of id: HandoffID, on stop: ClockStop, at instant: Instant, by event: String) {
        clocks.change(where: { $0.key.handoffID == id && $0.isRunning && $0.stops(on: stop) }) {
            $0.end(at: instant, because: event)
        }
    }

    /// Changes a clock that stays running.
    public mutating func change(_ id: ClockID, _ change: (inout Clock) -> Void) { clocks.change(id, change) }

    /// An open handoff has a running clock or a stated reason why not (invariant 8). `open` and `move` pass here, and
    /// only they start and stop clocks. The reason stands while no clock runs, and goes when one starts or the handoff
    /// ends. A policy that would leave a handoff without both is refused (`clocksForEveryKind`,
    /// `Policy/Validation+Clocks.swift`).
    mutating func recountClocks(of id: HandoffID, otherwise reason: String?) {
        let running = clocks.count { $0.key.handoffID == id && $0.isRunning }
        update(id) { handoff in
            handoff.runningClocks = running
            // The policy may have changed since the handoff was made and may no longer have its kind.
            let stated = handoff.noClockReason ?? reason ?? "the policy in force has no clock for it"
            handoff.noClockReason = running > 0 || handoff.endedAt != nil ? nil : stated
        }
    }
}
