import Basics
import CaseStore
import Casework
import Contract
import PostgreSQL

/// What one worker decides. A lane carries messages to it and its decisions away; the desk sees no broker.
protocol Desk: Sendable {
    var worker: Worker { get }
    /// The queues it reads, those that overtake first.
    var queues: [String] { get }
    /// Which cases a message touches: they are locked and loaded before it is decided.
    func targets(of parcel: Parcel) -> Targets
    /// What of a report's contents a decision on this message needs, beside how the case stands.
    func needs(of parcel: Parcel) -> CaseNeeds
    /// How many bytes are loaded for it, at most: beforehand, so that a transaction loads no more than its budget.
    func bytesToLoad(for parcel: Parcel, limits: Limits) -> Int
    /// What of a message can be done before its transaction: pure, bounded by the message, and no decision that the database could
    /// make another. `nil`: nothing, or nothing that is worth it.
    func prepare(_ parcel: Parcel, with tools: PreparationTools) throws -> PreparedReport?
    /// Decides the messages of one transaction on the loaded cases, one after another.
    func decide(_ parcels: [Parcel], on docket: inout Docket, reading database: Database) throws
    /// Work that no message brings; see `Errand`. `aside` is what failed lately.
    func errand(reading database: Database, at times: ErrandTimes, except aside: [ReportID]) throws -> Errand?
    /// How often an errand is asked for, while there is none.
    var errandIntervalSeconds: Double { get }
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

/// When an errand is asked for.
struct ErrandTimes {
    /// Business time.
    let now: Instant
    let listening: Listening
}

/// Reports and handoffs, by id, and a report as its source calls it.
struct Targets: Sendable {
    var reports: [ReportID] = []
    var handoffs: [HandoffID] = []
    /// A source's own id of a report.
    var submission: (source: SourceID, id: String)?
}

/// Work found by looking into the database: the cases to lock, and what to do on them.
struct Errand: Sendable {
    let reports: [ReportID]
    /// Leave alone what another transaction holds: it comes again.
    let skipsLocked: Bool
    var needs = CaseNeeds.nothing
    /// There may be as much again: the lane does not sleep.
    var hasMore = false
    let work: @Sendable (inout Docket, Database) throws -> Void

    /// The same work on some of its reports.
    func limited(to reports: some Sequence<ReportID>) -> Errand {
        Errand(reports: Array(reports), skipsLocked: skipsLocked, needs: needs, hasMore: hasMore, work: work)
    }
}

/// Why a message that could be read is a dead letter all the same: the office says that it cannot be handled. A fault of the
/// installation must never be one of these.
public enum Blame: String, CaseIterable, Sendable {
    case cannotBeHandled = "cannot_be_handled"
    case tooCostly = "too_costly"
    case stopsTheWorker = "stops_the_worker"
}

/// Why a message ends as a dead letter: what its sender is told, and what only the operator reads.
struct Burial: Sendable {
    let problem: Problem
    let detail: String?

    init(_ blame: Blame, text: String, detail: String? = nil) {
        problem = Problem(code: blame.rawValue, text: text)
        self.detail = detail
    }
}

extension Desk {
    /// Cuts a batch, in its order, so that for each piece so many bytes are loaded at most, or for one message alone.
    func pieces(of parcels: [Parcel], loadingAtMost bytesMax: Int, limits: Limits) -> [ArraySlice<Parcel>] {
        var (start, bytes) = (0, 0)
        var pieces: [ArraySlice<Parcel>] = []
        for (index, parcel) in parcels.enumerated() {
            // The letter, whatever the desk.
            let more = parcel.isAboutDeadLetter ? limits.messageBytesMax : bytesToLoad(for: parcel, limits: limits)
            if bytes + more > bytesMax, index > start {
                pieces.append(parcels[start..<index])
                (start, bytes) = (index, 0)
            }
            bytes += more
        }
        if start < parcels.count { pieces.append(parcels[start...]) }
        return pieces
    }

    func needs(of parcel: Parcel) -> CaseNeeds { .nothing }
    func bytesToLoad(for parcel: Parcel, limits: Limits) -> Int { 0 }
    func errand(reading database: Database, at times: ErrandTimes, except aside: [ReportID]) throws -> Errand? { nil }
    var errandIntervalSeconds: Double { 0 }
    var markedQueue: String? { nil }
    func prepare(_ parcel: Parcel, with tools: PreparationTools) throws -> PreparedReport? { nil }
}
