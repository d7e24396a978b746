import AuditStore
public import CaseStore
import Casework
public import Foundation
import PartyClient
public import PostgreSQL

/// The work still under way, as seen in tables and queues.
public struct Settling: Sendable, Hashable, Encodable {
    public let outbox: Int
    public let held: Int
    /// Reports that are not routed yet.
    public let unrouted: Int
    /// Handoffs that still expect the office's confirm or an act of the unit.
    public let liveHandoffs: Int
    /// The queues that are not empty, with their messages.
    public let queues: [String: Int]

    package init(outbox: Int, held: Int, unrouted: Int, liveHandoffs: Int, queues: [String: Int]) {
        self.outbox = outbox
        self.held = held
        self.unrouted = unrouted
        self.liveHandoffs = liveHandoffs
        self.queues = queues
    }

    /// Whether nothing moves: the counts stay the same until somebody acts.
    public var isSettled: Bool { outbox == 0 && held == 0 && unrouted == 0 && queues.isEmpty }
    /// Whether the office is settled and no act is owed.
    public var isFinished: Bool { isSettled && liveHandoffs == 0 }
}

/// Compares the journals of sources and units with each other and with the office's tables, and reports
/// differences.
///
/// It only reads: the database through a read-only connection, the journals as files. It consumes no queue.
public struct Witness: Sendable {
    private let database: PostgreSQL.ConnectionSettings
    package let journals: URL
    package let digestKey: DigestKey

    /// - Parameters:
    ///   - journals: the folder with the journals of all parties.
    ///   - digestKey: the office's key, to compare stored digests of bodies and acts with the sent ones.
    public init(database: PostgreSQL.ConnectionSettings, journals: URL, digestKey: DigestKey) {
        var database = database
        database.readOnly = true
        database.applicationName = database.applicationName ?? "witness"
        self.database = database
        self.journals = journals
        self.digestKey = digestKey
    }

    /// Opens a read-only connection.
    package func open() throws -> Connection { try Connection(database) }

    /// - Parameter queueDepths: the ready and unacknowledged messages by queue, which the caller got from the
    ///   broker.
    public func settling(queueDepths: [String: Int]) throws -> Settling {
        let connection = try open()
        defer { connection.close() }
        let row = try connection.run(CountUnderWay()).rows.first
        return Settling(
            outbox: row?.outbox ?? 0, held: row?.held ?? 0, unrouted: row?.unrouted ?? 0,
            liveHandoffs: row?.liveHandoffs ?? 0, queues: queueDepths.filter { $0.value > 0 })
    }

    /// Counts the results of all submissions. Call it when the office is settled: work under way counts as lost.
    public func testify() throws -> Testimony {
        let connection = try open()
        defer { connection.close() }
        let evidence = Evidence(
            journals: try Journals(folder: journals), tables: try Tables(connection), digestKey: digestKey)

        var testimony = Testimony()
        testimony.redelivered = evidence.journals.redelivered
        testimony.tornLines = evidence.journals.tornLines
        testimony.chains = evidence.tables.ledgers.count
        evidence.count(into: &testimony)
        testimony.lost += evidence.lostHandoffs() + evidence.lostActs()
        testimony.doubled = evidence.doubledReports() + evidence.doubledHandoffs() + evidence.doubledActs()
        testimony.ledgerFaults = evidence.brokenChains() + evidence.untoldStates()
        evidence.tabulate(into: &testimony)
        return testimony
    }
}

/// All data that the witness compares.
package struct Evidence {
    let journals: Journals
    let tables: Tables
    let digestKey: DigestKey
    /// The replayed ledger of each report.
    let stories: [UUID: LedgerReplay]
    /// The ledger entries of each act, by actor and act id. For an act that no journal has, the id is its commitment.
    let told: [ActKey: [LedgerRecord]]

    init(journals: Journals, tables: Tables, digestKey: DigestKey) {
        self.journals = journals
        self.tables = tables
        self.digestKey = digestKey
        stories = tables.ledgers.mapValues { LedgerReplay($0) }
        var told: [ActKey: [LedgerRecord]] = [:]
        var idOf: [String: String] = [:]
        for (key, act) in journals.acts {
            guard let report = tables.handoffByID[act.subject]?.reportID else { continue }
            idOf[Commitment.act(key.id, salt: digestKey.salt(of: report, for: key.party))] = key.id
        }
        for story in stories.values {
            for record in story.records {
                if let act = record.event[.act] {
                    told[ActKey(party: record.by, id: idOf[act] ?? act), default: []].append(record)
                }
            }
        }
        self.told = told
    }
}
