import Basics
import CaseStore
import Casework
import Contract
package import Foundation
package import Installation
import PostgreSQL
package import Witness
import Workers

/// The verdict on a run: a line for the run itself and one for each invariant.
package struct ChaosVerdict<Record: DisturbedRun>: Sendable, Encodable {
    package let record: Record
    package let lines: [CheckedLine]
    let invariants: [InvariantLine]
    let timelines: [Timeline]

    package var holds: Bool { lines.allSatisfy(\.holds) && invariants.allSatisfy(\.holds) }

    /// - Parameter directory: the office's directory, with the record and the logs of workers, units and servers.
    package init(_ configuration: OfficeConfiguration, directory: URL, journals: URL) throws {
        record = try Record.read(from: directory)
        let connection = try PostgreSQL.Connection(configuration.databaseSettings("bihuan-lab chaos"))
        defer { connection.close() }
        let corpus = ChaosCorpus(seed: record.seed, receivedAround: record.receivedAround)
        let facts = RunFacts(
            policy: try ActivePolicy.active(connection).policy, clock: configuration.clock,
            began: record.began, ended: record.ended, logs: try Self.logs(in: directory)
        ) { corpus.submission(source: $0, id: $1) }
        var database = configuration.databaseSettings("bihuan-lab chaos")
        // Whole tables are read, after a run of any length.
        database.statementTimeoutMilliseconds = 120_000
        let digestKey = try DigestKey(keyFile: configuration.digestKeyFile)
        let examination = try Witness(database: database, journals: journals, digestKey: digestKey).examine(facts)
        invariants = examination.lines
        timelines = examination.timelines
        let (lost, doubled, wrong) = (
            examination.testimony.lost.count, examination.testimony.doubled.count, examination.wrongStates
        )
        let testimony = examination.testimony
        lines =
            record.lines + [
                CheckedLine(
                    text:
                        """
                        submitted = registered + rejected + dead: \(testimony.submitted) = \
                        \(testimony.registered) + \(testimony.rejected) + \(testimony.dead)
                        """,
                    holds: testimony.submitted == testimony.registered + testimony.rejected + testimony.dead),
                CheckedLine(
                    text: "closed of accepted: \(testimony.closed) of \(testimony.accepted), at least 95 %",
                    holds: testimony.accepted > 0 && Double(testimony.closed) >= 0.95 * Double(testimony.accepted)),
                CheckedLine(
                    text: "lost \(lost), doubled \(doubled), wrong states \(wrong)",
                    holds: lost == 0 && doubled == 0 && wrong == 0),
                Self.blameLine(try Self.blamed(database)),
            ]
    }

    /// The number of dead letters that the office declared it cannot handle, by reason. The load contains no such
    /// message.
    private static func blamed(_ database: PostgreSQL.ConnectionSettings) throws -> [(reason: String, count: Int)] {
        let connection = try Connection(database)
        defer { connection.close() }
        return try Blame.allCases.map { blame in
            var filter = DeadLetterFilter()
            (filter.state, filter.reason) = (nil, blame.rawValue)
            return (blame.rawValue, try connection.run(ListDeadLetters(filter, countMax: 1_000)).rows.count)
        }
    }

    static func blameLine(_ blamed: [(reason: String, count: Int)]) -> CheckedLine {
        let found: [String] = blamed.filter { $0.count > 0 }.map { "\($0.count) \($0.reason)" }
        var text = "nothing was blamed on a message"
        if !found.isEmpty { text += ": no: " + found.joined(separator: ", ") }
        return CheckedLine(text: text, holds: found.isEmpty)
    }

    package var text: String {
        var parts = [record.story.joined(separator: "\n")]
        if !record.failures.isEmpty {
            parts.append("could not be made:\n" + record.failures.map { "  \($0)" }.joined(separator: "\n"))
        }
        if !record.interruptions.isEmpty {
            parts.append(
                "the load had to begin anew:\n" + record.interruptions.map { "  \($0)" }.joined(separator: "\n"))
        }
        let judged = lines.map { ($0.holds, $0.text) } + invariants.map { ($0.holds, $0.text) }
        parts.append(judged.map { "\($0.0 ? "true " : "FALSE")  \($0.1)" }.joined(separator: "\n"))
        if !holds { parts.append(breachText) }
        return parts.joined(separator: "\n\n")
    }

    private static var findingsMax: Int { 10 }

    private var breachText: String {
        var parts = [
            "A line is false. To see it again, as far as the machine's own timing allows:\n  \(record.command)"
        ]
        for line in invariants where !line.breaches.isEmpty {
            let more = line.breaches.count - Self.findingsMax
            parts.append(
                "invariant \(line.number), seed \(record.seed):\n"
                    + line.breaches.prefix(Self.findingsMax).map { "  \($0)" }.joined(separator: "\n")
                    + (more > 0 ? "\n  … and \(more) more" : ""))
        }
        for trail in timelines {
            parts.append("trail of \(trail.about):\n" + trail.lines.map { "  \($0)" }.joined(separator: "\n"))
        }
        return parts.joined(separator: "\n\n")
    }

    /// All files below `log`.
    private static func logs(in directory: URL) throws -> [URL] {
        let folder = directory.appending(path: "log", directoryHint: .isDirectory)
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: [.isRegularFileKey])
        let logs =
            try files?.compactMap { $0 as? URL }.filter {
                try $0.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true
            } ?? []
        guard !logs.isEmpty else { throw UserError("there are no logs in \(folder.path)") }
        return logs.sorted { $0.path < $1.path }
    }

    private enum CodingKeys: CodingKey { case record, lines, invariants, timelines, holds }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(holds, forKey: .holds)
        try container.encode(record, forKey: .record)
        try container.encode(lines, forKey: .lines)
        try container.encode(invariants, forKey: .invariants)
        try container.encode(timelines, forKey: .timelines)
    }

    package func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return try encoder.encode(self)
    }
}
