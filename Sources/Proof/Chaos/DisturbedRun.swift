package import Basics
package import Foundation
package import Witness

/// The record of a run for its judge, beside tables and journals: a file in the office's directory.
package protocol DisturbedRun: Codable, Sendable {
    static var fileName: String { get }
    /// The seed of the reports.
    var seed: UInt64 { get }
    /// Wall time, from before the workers' start until everything had settled.
    var began: Instant { get }
    var ended: Instant { get }
    /// The business time around which the corpus's reports were received.
    var receivedAround: Instant { get }
    /// The statements that must hold for the run itself, before the office is judged.
    var lines: [CheckedLine] { get }
    /// A description of the run.
    var story: [String] { get }
    /// The command that repeats the run.
    var command: String { get }
    /// What was planned and could not be done.
    var failures: [String] { get }
    /// Why the load had to begin anew.
    var interruptions: [String] { get }
}

extension DisturbedRun {
    package func write(to directory: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(self).write(to: directory.appending(path: Self.fileName))
    }

    package static func read(from directory: URL) throws -> Self {
        try JSONDecoder().decode(Self.self, from: Data(contentsOf: directory.appending(path: fileName)))
    }
}
