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
    /// Whether decisions need what a report says, beside how it stands.
    func needsContent(_ parcels: [Parcel]) -> Bool
    /// Decides the messages of one transaction on the loaded cases, one after another.
    func decide(_ parcels: [Parcel], on docket: inout Docket, reading database: Database) throws
    /// Work that no message brings; see `Errand`. `listeningSince` is `nil` until the lane has seen its queues empty.
    func errand(reading database: Database, now: Instant, wall: Instant, listeningSince: Instant?) throws -> Errand?
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
    let needsContent: Bool
    let work: @Sendable (inout Docket) throws -> Void
}

/// Why a message ends as a dead letter: what its sender is told, and what only the operator reads.
struct Burial: Sendable {
    let problem: Problem
    let detail: String?

    init(code: String, text: String, detail: String? = nil) {
        problem = Problem(code: code, text: text)
        self.detail = detail
    }
}

extension Desk {
    func needsContent(_ parcels: [Parcel]) -> Bool { false }
    func errand(reading database: Database, now: Instant, wall: Instant, listeningSince: Instant?) throws -> Errand? { nil }
}
