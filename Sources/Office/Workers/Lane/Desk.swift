import Basics
import CaseStore
import Casework
import Contract
import PostgreSQL

/// What one worker decides. A lane carries messages to it and its decisions away; the desk sees no broker.
protocol Desk: Sendable {
    var worker: Worker { get }
    /// Which cases a message touches: they are locked and loaded before it is decided.
    func targets(of inbound: InboundMessage) -> Targets
    /// What of a report's contents a decision on this message needs, beside how the case stands.
    func needs(of inbound: InboundMessage) -> CaseNeeds
    /// How many bytes are loaded for it, at most: beforehand, so that a transaction loads no more than its budget.
    func bytesToLoad(for inbound: InboundMessage, limits: Limits) -> Int
    /// What of a message can be done before its transaction: pure, bounded by the message, and no decision that the
    /// database could make another. `nil`: nothing, or nothing that is worth it.
    func prepare(_ inbound: InboundMessage, in office: OfficeContext) throws -> PreparedReport?
    /// Reads what a decision on these messages needs beside their cases, once those are locked and loaded. All
    /// questions to the database stand here; what it answers is kept in the unit of work.
    func load(_ received: [InboundMessage], into unitOfWork: inout UnitOfWork, from database: Database) throws
    /// Decides the messages of one transaction on what was loaded, one after another. Pure: it asks no server.
    func decide(_ received: [InboundMessage], on unitOfWork: inout UnitOfWork) throws
    /// Work that no message brings; see `Sweep`. `aside` is what failed lately.
    func sweep(reading database: Database, at times: SweepTimes, except aside: [ReportID]) throws -> Sweep?
    /// How often an sweep is asked for, while there is none.
    var sweepIntervalSeconds: Double { get }
    /// The queue that must have been heard before something is given up; see `Listening`.
    var markedQueue: String? { get }
}

/// What is loaded of what a report says.
enum CaseNeeds: Int, Comparable {
    case nothing
    /// Of the accused: decides which persons may see the case.
    case names
    /// All that may be handed on: texts, accused, allegations, papers.
    case contents

    static func < (left: CaseNeeds, right: CaseNeeds) -> Bool { left.rawValue < right.rawValue }
}

/// When an sweep is asked for.
struct SweepTimes {
    /// Business time.
    let now: Instant
    let listening: Listening
}

/// The subjects that a message touches: reports by id, by a handoff's, or as a source calls them; units and the office,
/// where something is entered in their chains. They are locked in this order.
struct Targets: Sendable {
    var reports: [ReportID] = []
    var handoffs: [HandoffID] = []
    /// A source's own id of a report.
    var submission: (source: SourceID, id: String)?
    /// Of whose deferred messages it is asked how much waits.
    var deferredOf: String?
    var units: [UnitID] = []
    var office = false
}

/// Work found by looking into the database: the cases to lock, and what to do on them.
struct Sweep: Sendable {
    let reports: [ReportID]
    /// Leave alone what another transaction holds: it comes again.
    let skipsLocked: Bool
    var needs = CaseNeeds.nothing
    /// There may be as much again: the lane does not sleep.
    var hasMore = false
    /// Reads what the work needs beside the cases, once those are locked and loaded.
    var load: @Sendable (inout UnitOfWork, Database) throws -> Void = { _, _ in }
    /// Pure, as `Desk.decide` is.
    let work: @Sendable (inout UnitOfWork) throws -> Void

    /// The same work on some of its reports.
    func limited(to reports: some Sequence<ReportID>) -> Sweep {
        Sweep(
            reports: Array(reports), skipsLocked: skipsLocked, needs: needs, hasMore: hasMore, load: load, work: work)
    }
}

/// Why a message that could be read is a dead letter all the same: the office says that it cannot be handled. A fault
/// of the installation must never be one of these.
public enum Blame: String, CaseIterable, Sendable {
    case cannotBeHandled = "cannot_be_handled"
    case tooCostly = "too_costly"
    case stopsTheWorker = "stops_the_worker"
}

/// Why a message ends as a dead letter: what its sender is told, and what only the operator reads.
struct DeadLetterReason: Sendable {
    let problem: Problem
    let detail: String?

    init(_ blame: Blame, text: String, detail: String? = nil) {
        problem = Problem(code: blame.rawValue, text: text)
        self.detail = detail
    }
}

extension Desk {
    /// Cuts a batch, in its order, so that for each piece so many bytes are loaded at most, or for one message alone.
    func pieces(
        of received: [InboundMessage], loadingAtMost bytesMax: Int, limits: Limits
    ) -> [ArraySlice<InboundMessage>] {
        var (start, bytes) = (0, 0)
        var pieces: [ArraySlice<InboundMessage>] = []
        for (index, inbound) in received.enumerated() {
            // The letter, whatever the desk.
            let more = inbound.isAboutDeadLetter ? limits.messageBytesMax : bytesToLoad(for: inbound, limits: limits)
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
    func sweep(reading database: Database, at times: SweepTimes, except aside: [ReportID]) throws -> Sweep? { nil }
    var sweepIntervalSeconds: Double { 0 }
    var markedQueue: String? { nil }
    func prepare(_ inbound: InboundMessage, in office: OfficeContext) throws -> PreparedReport? { nil }
}
