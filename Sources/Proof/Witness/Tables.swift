import AuditStore
import Basics
import CaseStore
import Casework
import Foundation
import PartyClient
import PostgreSQL

/// The current rows of the office's tables.
struct Tables {
    private(set) var reports: [Report] = []
    private(set) var handoffs: [WitnessedHandoff] = []
    private(set) var claims: [ActKey: WitnessedClaim] = [:]
    /// The reasons of the open dead letters.
    private(set) var deadLetters: [ActKey: String] = [:]
    /// Every chain of the ledger, in order.
    private(set) var ledgers: [UUID: [LedgerEntry]] = [:]
    private(set) var heads: [UUID: LedgerHead] = [:]

    let reportByID: [ReportID: Report]
    let reportsBySubmission: [SubmissionKey: [Report]]
    let handoffsByReport: [ReportID: [WitnessedHandoff]]
    let handoffByID: [String: WitnessedHandoff]

    /// Reads them as they stand at one moment: the office may go on working meanwhile.
    init(_ connection: Connection) throws {
        self = try connection.withoutStatementTimeout { connection in
            try connection.run(BeginSnapshot())
            return try Tables(reading: connection)
        }
    }

    private init(reading connection: Connection) throws {
        reports = try Tables.pages { try connection.run(ReadReportPage(after: $0?.id)).rows }
        handoffs = try Tables.pages { try connection.run(ReadHandoffPage(after: $0?.id)).rows }
        for claim in try Tables.pages({ try connection.run(ReadInboxPage(after: $0)).rows }) {
            claims[ActKey(party: claim.sender, id: claim.eventID)] = claim
        }
        for letter in try connection.run(ReadOpenDeadLetters()).rows {
            deadLetters[ActKey(party: letter.sender, id: letter.eventID)] = letter.reason
        }
        for chained in try Tables.pages({ try connection.run(ReadLedgerPage(after: $0)).rows }) {
            ledgers[chained.chain, default: []].append(chained.entry)
        }
        for standing in try connection.run(ReadStandingHeads()).rows { heads[standing.chain] = standing.head }
        for report in reports { heads[report.id.uuid] = report.head }

        reportByID = Dictionary(reports.map { ($0.id, $0) }) { first, _ in first }
        reportsBySubmission = Dictionary(grouping: reports) {
            SubmissionKey(source: $0.source.rawValue, id: $0.submissionID)
        }
        handoffsByReport = Dictionary(grouping: handoffs, by: \.reportID)
        handoffByID = Dictionary(handoffs.map { ($0.id.description, $0) }) { first, _ in first }
    }

    /// All pages of a table, each read after the last row of the page before.
    static func pages<Row>(_ page: (Row?) throws -> [Row]) throws -> [Row] {
        var all = try page(nil)
        var last = all
        while last.count == witnessPageRowsMax {
            last = try page(last.last)
            all += last
        }
        return all
    }
}
