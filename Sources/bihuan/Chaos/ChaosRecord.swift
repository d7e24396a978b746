import Casework
import Demo
import Foundation

/// What a run leaves beside books and journals, for whoever judges it: `chaos.json` in the office's directory.
struct ChaosRecord: Codable, Sendable {
    var seed: UInt64
    var minutes: Double
    var killsPlanned: Int
    /// Wall time, from before the workers' start to when everything had settled.
    var began: Instant
    var ended: Instant
    /// Business time around which the reports of the corpus were received.
    var receivedAround: Instant
    var reports = 0
    var seconds = 0.0
    var kills = 0
    var killedAnother = 0
    var killedByWorker: [String: Int] = [:]
    /// How often each other disturbance was done.
    var others: [String: Int] = [:]
    var failures: [String] = []
    var interruptions: [String] = []
    var restarts = 0
    var durability: [String] = []
    /// Queues, outbox and held messages emptied in time.
    var isQuiet = false

    static func file(in directory: URL) -> URL { directory.appending(path: "chaos.json") }

    func write(to directory: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(self).write(to: Self.file(in: directory))
    }

    static func read(from directory: URL) throws -> ChaosRecord {
        try JSONDecoder().decode(ChaosRecord.self, from: Data(contentsOf: file(in: directory)))
    }

    /// How to see it again.
    var command: String { "bihuan chaos --minutes \(minutes.formatted(.number.grouping(.never))) --kills \(killsPlanned) --seed \(seed)" }

    /// What must hold of the run itself, before anything is said of the office.
    var lines: [CheckedLine] {
        [
            CheckedLine(text: "kills done: \(kills) of \(killsPlanned), each while messages were in flight", holds: kills == killsPlanned),
            CheckedLine(text: "disturbances that could not be made: \(failures.count)", holds: failures.isEmpty),
            CheckedLine(text: "reports submitted: \(reports)", holds: reports > 0),
            CheckedLine(text: "queues, outbox and held messages emptied", holds: isQuiet),
        ]
    }

    /// What was done, in words.
    var story: [String] {
        let killed = killedByWorker.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        let done = others.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        return [
            "seed \(seed): \(reports) reports at \(String(format: "%.0f", Double(reports) / max(1, seconds)))/s for \(String(format: "%.0f", seconds)) s",
            "workers killed \(kills) (\(killed)), of them \(killedAnother) others than planned; started again \(restarts)",
            "other disturbances: \(done.isEmpty ? "none" : done)",
        ] + durability
    }
}
