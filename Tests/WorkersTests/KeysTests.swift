import Basics
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import PostgreSQL
import Testing
import TestOffice

@testable import Workers

@Suite(
    "Keys of originals", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct KeysTests {
    @Test("lanes of a process share an epoch; no worker reads originals, and intake's files would not open one")
    func intakeCannotOpenEndedEpochs() throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        let vault = Vault(recipient: office.vaultKey.recipient)
        for _ in 1...2 {
            let lane = try office.start(.intake) { $0.vault = vault }
            try source.submit(.new())
            #expect(try source.receive().type == MessageType.reportAccepted.rawValue)
            // The next report is taken by another lane.
            try lane.stop()
        }
        #expect(try office.count("SELECT count(*) FROM report_key") == 2)
        let epochs = try office.count("SELECT count(*) FROM epoch_key")
        // Two if an hour began meanwhile.
        #expect(epochs == 1 || Instant.wall().microsecondsSinceEpoch / 60_000_000 % 60 < 2)

        let workers = try Database(
            ConnectionSettings(
                url: office.servers.databaseURL(user: TestServers.everyWorker, database: office.databaseName)))
        defer { workers.close() }
        let owner = try office.database()
        defer { owner.close() }
        // All that the role and the files of the worker hold.
        let files =
            Worker.intake.boxes.compactMap { office.boxKeys[$0] }
            + [office.digestKeyBytes, Array(office.vaultKey.recipient.publicKey.rawRepresentation)]
        for report in try office.texts("SELECT report_id::text FROM vault").compactMap({ ReportID($0) }) {
            let refusal = #expect(throws: PostgreSQLError.self) { try workers.run(ReadOriginal(report: report)) }
            #expect(refusal?.sqlState == "42501")
            let original = try #require(try owner.run(ReadOriginal(report: report)).rows.first)
            let id = original.epoch.id.uuidString.lowercased()
            for key in files.map({ SymmetricKey(data: $0) }) {
                for box in [original.sealed, original.wrapped, original.epoch.sealed] {
                    for context in ["original|\(report)", "data key|\(report)|\(id)", "epoch|\(id)"] {
                        #expect(throws: (any Error).self) {
                            try AES.GCM.open(.init(combined: box), using: key, authenticating: Data(context.utf8))
                        }
                    }
                }
            }
            #expect(try !office.vaultKey.open(original, of: report).isEmpty)
        }
        try office.close()
    }

    @Test("who deletes a report's key makes exactly that original unreadable")
    func destroysOneOriginal() throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        try office.start(.intake)
        for _ in 1...3 {
            try source.submit(.new())
            _ = try source.receive()
        }
        let database = try office.database()
        defer { database.close() }
        let reports = try office.texts("SELECT id::text FROM report ORDER BY id").compactMap { ReportID($0) }
        let before = try #require(try database.run(ReadOriginal(report: reports[1])).rows.first)
        try office.change("DELETE FROM report_key WHERE report_id = '\(reports[1])'")
        let read = try reports.map { try database.run(ReadOriginal(report: $0)).rows.first }
        #expect(read.map { $0 != nil } == [true, false, true])
        for (report, original) in zip(reports, read) where original != nil {
            #expect(try !office.vaultKey.open(try #require(original), of: report).isEmpty)
        }
        // The bytes are still there, and no other report's key opens them.
        for other in read.compactMap(\.self) {
            #expect(throws: (any Error).self) {
                try office.vaultKey.open(
                    Original(epoch: other.epoch, wrapped: other.wrapped, sealed: before.sealed), of: reports[1])
            }
        }
        try office.expectWholeLedger()
        try office.close()
    }
}
