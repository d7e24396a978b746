import Basics
import CaseStore
import Casework
import Contract
import PostgreSQL

/// The decisions of one worker. A lane gives messages to the desk and publishes its decisions; the desk does not
/// use the broker.
protocol Desk: Sendable {
    var worker: Worker { get }
    /// The cases of a message: they are locked and loaded before it is decided.
    func targets(of inbound: InboundMessage) -> Targets
    /// The contents of the report that a decision on this message needs, in addition to the state of the case.
    func needs(of inbound: InboundMessage) -> CaseNeeds
    /// The maximum bytes that are loaded for a message. It is known before the transaction, so that no transaction
    /// loads more than its limit.
    func bytesToLoad(for inbound: InboundMessage, limits: Limits) -> Int
    /// The work on a message that is done before its transaction: pure, limited by the size of the message, and
    /// independent of the database.
    /// - Returns: `nil` if there is no such work, or it is not worth while.
    func prepare(_ inbound: InboundMessage, in office: OfficeContext) throws -> PreparedReport?
    /// Reads the data that a decision on these messages needs in addition to their cases, after those are locked
    /// and loaded. All queries of the desk are here; their results are kept in the unit of work.
    func load(_ received: [InboundMessage], into unitOfWork: inout UnitOfWork, from database: Database) throws
    /// Decides the messages of one transaction, one after another, from the loaded data, and gives each a verdict
    /// (`Answers`). Pure: it uses no server.
    func decide(_ received: [InboundMessage], on unitOfWork: inout UnitOfWork) throws
    /// Finds work that no message brings; see `Sweep`.
    /// - Parameter aside: items that failed lately, to be left out.
    func sweep(reading database: Database, at times: SweepTimes, except aside: [SweepItem]) throws -> Sweep?
    /// How often the lane looks for a sweep while there is none, in seconds.
    var sweepIntervalSeconds: Double { get }
    /// Whether it defers messages, so that the lane marks how far it has read the queues of units; see `Listening`.
    var defers: Bool { get }
}

/// The contents of a report that are loaded.
enum CaseNeeds: Int, Comparable {
    case nothing
    /// The names of the accused, on which it depends which persons may see the case.
    case names
    /// Everything that may be forwarded: texts, accused, allegations, attachments.
    case contents

    static func < (left: CaseNeeds, right: CaseNeeds) -> Bool { left.rawValue < right.rawValue }
}

/// The time of a sweep, and the lane that does it.
struct SweepTimes {
    /// Business time.
    let now: Instant
    /// How far the lane has read the queues of units.
    let listening: [UnitID: Listening]
    let rulebook: Rulebook
    let lane: String
}

/// The subjects of a message: reports, by their id, by the id of a handoff, or by the id that a source gave them;
/// units and the office, if an event is appended to their chains. They are locked in this order.
struct Targets: Sendable {
    var reports: [ReportID] = []
    var handoffs: [HandoffID] = []
    var submission: SubmissionKey?
    /// The sender whose deferred messages are counted.
    var deferredOf: String?
    var units: [UnitID] = []
    var office = false
}

/// One piece of the work of a sweep. If it fails, it is set aside alone.
struct SweepItem: Hashable, Sendable {
    /// What the work is about: the report itself, one clock, a duty that begins.
    let id: String
    /// What is locked for it.
    let subject: LedgerSubject

    init(_ report: ReportID) { (id, subject) = (report.description, .report(report)) }
    init(id: String, subject: LedgerSubject) { (self.id, self.subject) = (id, subject) }
}

/// Work that was found in the database: what to lock for it, and the work itself.
struct Sweep: Sendable {
    let items: [SweepItem]
    /// Whether subjects that another transaction has locked are left out: a later sweep finds them again.
    let skipsLocked: Bool
    var needs = CaseNeeds.nothing
    /// Whether there may be more work: then the lane does not sleep.
    var hasMore = false
    /// Reads the data that the work needs in addition to the cases, after the subjects are locked and loaded.
    var load: @Sendable (inout UnitOfWork, [SweepItem], Database) throws -> Void = { _, _, _ in }
    /// Notes in the database that an item failed for good, in a transaction of its own.
    var giveUp: (@Sendable (inout UnitOfWork, SweepItem) -> Void)?
    /// The work. Pure, like `Desk.decide`. An item whose subject could not be locked is not loaded.
    let work: @Sendable (inout UnitOfWork, [SweepItem]) throws -> Void

    /// The same work on only these items.
    func limited(to items: some Sequence<SweepItem>) -> Sweep {
        Sweep(
            items: Array(items), skipsLocked: skipsLocked, needs: needs, hasMore: hasMore, load: load, giveUp: giveUp,
            work: work)
    }

    /// Setting this item aside, instead of the work on it; `nil` if the desk keeps nothing about that.
    func givingUp(_ item: SweepItem) -> Sweep? {
        giveUp.map { giveUp in
            Sweep(items: [item], skipsLocked: false, needs: needs, load: load) { unitOfWork, _ in
                giveUp(&unitOfWork, item)
            }
        }
    }

    var reports: [ReportID] { items.compactMap(\.subject.reportID) }
    var units: Set<UnitID> { Set(items.compactMap(\.subject.unitID)) }
    var office: Bool { items.contains { $0.subject == .office } }
}

/// Why a message that can be read is kept as a dead letter: the office cannot handle it. A fault of the
/// installation is never one of these reasons.
public enum Blame: String, CaseIterable, Sendable {
    case cannotBeHandled = "cannot_be_handled"
    case tooCostly = "too_costly"
    case stopsTheWorker = "stops_the_worker"
}

/// The reason of a dead letter: the problem that its sender gets, and a detail for the operator only.
struct DeadLetterReason: Sendable {
    let problem: Problem
    let detail: String?

    init(_ blame: Blame, text: String, detail: String? = nil) {
        problem = Problem(code: blame.rawValue, text: text)
        self.detail = detail
    }
}

extension Desk {
    /// Divides a batch, in its order, into pieces. For each piece at most `bytesMax` bytes are loaded, unless a
    /// single message needs more.
    func pieces(
        of received: [InboundMessage], loadingAtMost bytesMax: Int, limits: Limits
    ) -> [ArraySlice<InboundMessage>] {
        var (start, bytes) = (0, 0)
        var pieces: [ArraySlice<InboundMessage>] = []
        for (index, inbound) in received.enumerated() {
            // Such a command loads its dead letter or its report, whatever the desk.
            let more =
                inbound.isAboutDeadLetter || inbound.isCommand
                ? limits.messageBytesMax : bytesToLoad(for: inbound, limits: limits)
            if bytes + more > bytesMax, index > start {
                pieces.append(received[start..<index])
                (start, bytes) = (index, 0)
            }
            bytes += more
        }
        if start < received.count { pieces.append(received[start...]) }
        return pieces
    }

    func load(_ received: [InboundMessage], into unitOfWork: inout UnitOfWork, from database: Database) throws {}
    func needs(of inbound: InboundMessage) -> CaseNeeds { .nothing }
    func bytesToLoad(for inbound: InboundMessage, limits: Limits) -> Int { 0 }
    func sweep(reading database: Database, at times: SweepTimes, except aside: [SweepItem]) throws -> Sweep? { nil }
    var sweepIntervalSeconds: Double { 0 }
    var defers: Bool { false }
    func prepare(_ inbound: InboundMessage, in office: OfficeContext) throws -> PreparedReport? { nil }
}
