import AMQP
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import LocalServers
import PartyClient
import PostgreSQL
import SimulatedUnits
import Submitting
import Synchronization
import TestOffice
import Testing
import Witness

/// An endless stream of reports from the source `web` to the unit `c01`, which signs and concludes each at once, until
/// the witness is asked whether all of them came through, each once.
final class OfficeLoad: Sendable {
    struct Place: Sendable {
        let folder: URL
        let broker: AMQP.ConnectionSettings
        /// A superuser's URL of the office's database.
        let database: String
        let digestKey: URL
        /// The password of a user, as it stands in its file now; empty with a certificate.
        let password: @Sendable (Party) -> String
    }

    /// How many reports the stream goes back when the broker ended it: none is lost, since the ids are the same.
    private static let reachBack = 200
    private static let perSecond = 12.0

    private let place: Place
    private let journals: URL
    private let stopping = Atomic<Bool>(false)
    private let taken = Atomic<Int>(0)
    private let parties = Mutex<Parties?>(nil)
    private let thread = Mutex<WorkThread?>(nil)

    private struct Parties {
        let stop = StopSignal()
        let units: WorkThread
        let receipts: ReceiptReader

        init(_ place: Place, journals: URL) throws {
            let web = SourceID(unchecked: "web")
            receipts = try ReceiptReader(
                broker: place.broker, passwords: [web: place.password(.source(web))], journals: journals)
            let ids = ["c01", "case-office"].map { UnitID(unchecked: $0) }
            let simulated = SimulatedUnits(
                units: ids.map { UnitLogin(id: $0, password: place.password(.unit($0))) }, broker: place.broker,
                clock: .real, behaviour: .plain, journals: journals)
            units = WorkThread(named: "units") { [stop] in try? simulated.run(until: stop) }
        }

        func end() throws {
            stop.stop()
            units.join()
            try receipts.stop()
        }
    }

    init(_ place: Place) throws {
        self.place = place
        journals = place.folder.appending(path: "journals")
        try FileManager.default.createDirectory(at: journals, withIntermediateDirectories: true)
        try restartParties()
        thread.withLock { $0 = WorkThread(named: "load") { [self] in run() } }
    }

    /// As people restart their own systems when they have new passwords.
    func restartParties() throws {
        try parties.withLock { parties in
            try parties?.end()
            parties = try Parties(place, journals: journals)
        }
    }

    /// Waits until the office has closed reports that were not submitted yet when this was called.
    func goesOn(_ what: String) throws {
        let before = taken.load(ordering: .relaxed)
        try eventually("reports are closed after \(what)", within: 120) { try closed() > before }
    }

    private func run() {
        var from = 0
        while true {
            let web = SourceID(unchecked: "web")
            var submitter = Submitter(broker: place.broker, passwords: [web: place.password(.source(web))])
            submitter.journal = try? Journal(file: JournalFolder.file(of: "submitter", in: journals))
            submitter.reportsPerSecond = Self.perSecond
            let stream = sequence(state: from) { [self] (index: inout Int) -> ReportLine? in
                if stopping.load(ordering: .acquiring) { return nil }
                defer { index += 1 }
                if index >= taken.load(ordering: .relaxed) { taken.store(index + 1, ordering: .relaxed) }
                return Self.line(index)
            }
            do {
                _ = try submitter.submit(reports: stream)
                return
            } catch {
                // Refused: its password was changed. It is read again.
                from = max(0, taken.load(ordering: .relaxed) - Self.reachBack)
                Wall.pause(seconds: 0.05)
            }
        }
    }

    private static func line(_ index: Int) -> ReportLine {
        let submission = Submission(
            title: "反映某市某局问题", text: "该局副局长张三在第\(index)号工程招标中收受贿赂，数额巨大。",
            accused: [.init(name: "张三", position: "副局长", level: "county", region: "p-c01")])
        return ReportLine(
            number: index + 1, source: SourceID(unchecked: "web"), id: "r-\(index)", submission: submission)
    }

    private func closed() throws -> Int {
        let database = try PostgreSQL.Connection(PostgreSQL.ConnectionSettings(url: place.database))
        defer { database.close() }
        return try database.run(CountClosed()).rows.first ?? 0
    }

    // MARK: The end

    /// Ends the stream, waits until the office is quiet, and lets the witness compare all records.
    func allCameThroughOnce(_ servers: LocalServers, virtualHost: String) throws {
        stopping.store(true, ordering: .releasing)
        thread.withLock { $0?.join() }
        var database = PostgreSQL.ConnectionSettings(url: place.database)
        database.statementTimeoutMilliseconds = 60_000
        let witness = Witness(
            database: database, journals: journals, digestKey: try DigestKey(keyFile: place.digestKey))
        try eventually("the office is quiet", within: 120) {
            try witness.settling(queueDepths: depths(servers, virtualHost)).isFinished
        }
        try parties.withLock { parties in
            try parties?.end()
            parties = nil
        }
        let testimony = try witness.testify()
        let count = taken.load(ordering: .relaxed)
        #expect(count > 100 && testimony.submitted == count && testimony.registered == count)
        #expect(testimony.closed == count, "\(testimony.openReports.prefix(5))")
        #expect(testimony.lost.prefix(5) == [] && testimony.doubled.prefix(5) == [])
        #expect(testimony.ledgerFaults.prefix(5) == [] && testimony.dead == 0)
    }

    private func depths(_ servers: LocalServers, _ virtualHost: String) throws -> [String: Int] {
        let text = try servers.rabbitmqctl([
            "-q", "list_queues", "-p", virtualHost, "name", "messages", "--no-table-headers",
        ])
        return text.split(separator: "\n").reduce(into: [:]) { depths, line in
            let words = line.split(whereSeparator: \.isWhitespace)
            if words.count == 2, let count = Int(words[1]) { depths[String(words[0])] = count }
        }
    }
}

private struct CountClosed: Statement {
    static let sql = "SELECT count(*) FROM report WHERE state = 'closed'"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}
