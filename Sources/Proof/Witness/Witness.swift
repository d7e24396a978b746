import AuditStore
public import CaseStore
import Casework
public import Foundation
import PartyClient
public import PostgreSQL

/// What is still under way, as far as tables and queues show it.
public struct Settling: Sendable, Hashable, Encodable {
    public let outbox: Int
    public let held: Int
    /// Reports that routing has still to route.
    public let unrouted: Int
    /// Handoffs of which something more is expected: the office's confirm, or an act of the unit.
    public let liveHandoffs: Int
    /// Queues that are not empty.
    public let queues: [String: Int]

    package init(outbox: Int, held: Int, unrouted: Int, liveHandoffs: Int, queues: [String: Int]) {
        self.outbox = outbox
        self.held = held
        self.unrouted = unrouted
        self.liveHandoffs = liveHandoffs
        self.queues = queues
    }

    /// Nothing moves: what is counted now stays so until somebody acts.
    public var isSettled: Bool { outbox == 0 && held == 0 && unrouted == 0 && queues.isEmpty }
    /// Settled, and nobody owes an act.
    public var isFinished: Bool { isSettled && liveHandoffs == 0 }
}

/// Compares what sources and units wrote down with each other and with the office's tables, and says what does not fit.
///
/// It reads only: the database over a read-only connection, the journals as files; it listens to no queue.
public struct Witness: Sendable {
    private let database: PostgreSQL.ConnectionSettings
    package let journals: URL
    package let digestKey: DigestKey

    /// - Parameters:
    ///   - journals: the folder in which each party keeps its journal.
    ///   - digestKey: the office's, so that what the books keep of bodies and acts can be compared with what was sent.
    public init(database: PostgreSQL.ConnectionSettings, journals: URL, digestKey: DigestKey) {
        var database = database
        database.readOnly = true
        database.applicationName = database.applicationName ?? "witness"
        self.database = database
        self.journals = journals
        self.digestKey = digestKey
    }

    /// A read-only connection of its own.
    package func open() throws -> Connection { try Connection(database) }

    /// - Parameter queueDepths: messages ready and unacknowledged by queue, as the caller learnt them from the broker.
    public func settling(queueDepths: [String: Int]) throws -> Settling {
        let connection = try open()
        defer { connection.close() }
        let row = try connection.run(CountUnderWay()).rows.first
        return Settling(
            outbox: row?.outbox ?? 0, held: row?.held ?? 0, unrouted: row?.unrouted ?? 0,
            liveHandoffs: row?.liveHandoffs ?? 0, queues: queueDepths.filter { $0.value > 0 })
    }

    /// Says what became of everything. To be asked when it is settled: what is under way counts as lost.
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

/// All that can be compared.
package struct Evidence {
    let journals: Journals
    let tables: Tables
    let digestKey: DigestKey
    /// What the ledger tells of each report.
    let stories: [UUID: LedgerReplay]
    /// Where the ledger tells an act: its entries, by who did it and its id; of an act that no journal has, by the
    /// commitment to it.
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
