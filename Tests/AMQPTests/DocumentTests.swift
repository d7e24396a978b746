import Foundation
import Testing

/// `docs/amqp.md` says how each trap of the C library is handled. Every name in it exists.
@Suite("The page about AMQP")
struct DocumentTests {
    private static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private static func rows() throws -> [[Substring]] {
        let lines = try String(contentsOf: root.appending(path: "docs/amqp.md"), encoding: .utf8).split(separator: "\n")
        return lines.drop { !$0.hasPrefix("| Trap |") }.prefix { $0.hasPrefix("|") }.dropFirst(2).map {
            $0.split(separator: "|")
        }
    }

    private static func names(_ cell: Substring) -> [String] { cell.matches(of: /`([^`]+)`/).map { String($0.1) } }

    private static func text(in folder: String) throws -> [String: String] {
        let base = root.appending(path: folder)
        let files = try FileManager.default.contentsOfDirectory(atPath: base.path)
        return try Dictionary(
            uniqueKeysWithValues: files.map { ($0, try String(contentsOf: base.appending(path: $0), encoding: .utf8)) })
    }

    /// What each row is about, in words of its first cell.
    private static let traps = [
        "not thread-safe", "Heartbeats", "sends a heartbeat and reads nothing", "A body is as long", "only publishes",
        "publish waits for ever", "non-blocking mode", "Questions to the broker",
        "look-up of a host name", "consuming call stops", "read without a time-out", "during a question",
        "Memory pools",
        "`amqp_envelope_t`", "help with confirms", "too few capabilities", "every frame is a record", "`poll`",
        "time-out of zero",
        "TLS: versions", "missing certificate", "encrypted key", "`amqp_ssl_socket_set_key_buffer`", "`EXTERNAL`",
        "With TLS 1.3",
        "lists of revoked certificates",
        "Nested headers",
        "too long", "shorter than their kind", "After bad data",
    ]

    @Test("every trap has a row, a place in the sources and a test, and both exist; nothing unused is listed")
    func namesExistingSourceAndTestForEveryTrap() throws {
        let rows = try Self.rows()
        for trap in Self.traps { #expect(rows.count { $0[0].contains(trap) } == 1, "no one row about: \(trap)") }
        #expect(rows.count == Self.traps.count)
        // Certificates are refused in the office's own tests, with both servers.
        let tests =
            try Array(Self.text(in: "Tests/AMQPTests").values)
            + [
                String(
                    contentsOf: Self.root.appending(path: "Tests/BihuanTests/CertificateRefusalTests.swift"),
                    encoding: .utf8)
            ]
        let sources = try Self.text(in: "Sources/Ground/AMQP").merging(Self.text(in: "Sources/Ground/CRabbitMQ")) {
            first, _ in first
        }
        for row in rows {
            try #require(row.count == 4, "\(row)")
            let places = Self.names(row[2])
            #expect(!places.isEmpty, "no place: \(row[0])")
            #expect(places.filter { sources[$0] == nil } == [], "\(row[0])")
            if row[1].contains("Not used") {
                #expect(
                    Self.names(row[0]).filter { name in sources.values.contains { $0.contains(name) } } == [],
                    "used after all")
            }
            let named = Self.names(row[3])
            #expect(!named.isEmpty, "no test: \(row[0])")
            for name in named {
                let parts = name.split(separator: ".")
                try #require(parts.count == 2, "\(name) is no Suite.test")
                let exists = tests.contains { text in
                    text.contains("struct \(parts[0]) {")
                        && text.firstRange(of: "func \(parts[1])(").map {
                            text[..<$0.lowerBound].suffix(600).contains("@Test")
                        } == true
                }
                #expect(exists, "no test \(name)")
            }
        }
    }
}
