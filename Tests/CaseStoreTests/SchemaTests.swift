import Basics
import CaseStore
import Casework
import Foundation
import PostgreSQL
import Testing
import TestOffice

/// `TEST_BIHUAN_WRITE_GOLDEN=1` rewrites `Golden/schema.sql`; the change needs review.
@Suite("The schema", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct SchemaTests {
    static let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Golden/schema.sql")

    @Test("a migrated database is the golden schema, rights included; migrating twice does no harm")
    func migratesToGoldenSchemaTwice() throws {
        let store = try StoreUnderTest(empty: true)
        let owner = try store.owner()
        #expect(try Schema.migrate(owner) == Schema.migrations().map(\.name))
        let schema = try Self.dump(store)
        if ProcessInfo.processInfo.environment["TEST_BIHUAN_WRITE_GOLDEN"] == "1" {
            try Data(schema.utf8).write(to: Self.golden)
        }
        #expect(schema.contains("CREATE TABLE public.report ("))
        // By lines, so that a failure shows what differs and not two whole schemas.
        let (found, wanted) = (Set(lines(schema)), Set(lines(try String(contentsOf: Self.golden, encoding: .utf8))))
        #expect(found.subtracting(wanted).sorted() == [])
        #expect(wanted.subtracting(found).sorted() == [])
        #expect(schema == (try String(contentsOf: Self.golden, encoding: .utf8)))

        try SmallOffice.enter(into: owner, at: .init(microsecondsSinceEpoch: 0))
        #expect(try Schema.migrate(owner) == [])
        #expect(try Self.dump(store) == schema)
        #expect(try owner.texts("SELECT count(*)::text FROM unit") == [String(SmallOffice.units.count)])
        owner.close()
        try store.drop()
    }

    @Test("the worker role may not migrate")
    func workerDoesNotMigrate() throws {
        let store = try StoreUnderTest(empty: true)
        let worker = try store.worker()
        let error = #expect(throws: PostgreSQLError.self) { try Schema.migrate(worker) }
        #expect(error?.sqlState == "42501")
        worker.close()
        try store.drop()
    }

    /// The schema as `pg_dump` writes it, without what differs from one version or run to the next.
    private static func dump(_ store: StoreUnderTest) throws -> String {
        let process = Process()
        process.executableURL = try program()
        process.arguments = [
            "--schema-only", "--no-owner", "--dbname", store.servers.databaseURL(database: store.name),
        ]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "pg_dump failed")
        let noise = ["--", "SET ", "SELECT pg_catalog.set_config", "\\restrict", "\\unrestrict"]
        let kept = String(decoding: bytes, as: UTF8.self).split(separator: "\n").filter { line in
            !noise.contains { line.hasPrefix($0) }
        }
        return kept.joined(separator: "\n") + "\n"
    }

    /// The newest of the system's, else the one in the path.
    private static func program() throws -> URL {
        let base = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: base)) ?? []
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        let folders = versions.compactMap(Int.init).sorted(by: >).map { "\(base)/\($0)/bin" } + path
        let found = folders.map { "\($0)/pg_dump" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        return URL(fileURLWithPath: try #require(found, "there is no pg_dump"))
    }

    private func lines(_ text: String) -> [Substring] { text.split(separator: "\n") }
}
