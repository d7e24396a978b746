import Foundation
import Logging
import Testing

/// Keeps every line that the lanes of one office log, so that a test can read them; prints them too where
/// `TEST_BIHUAN_LOG` is set.
final class LogSink: LogHandler, @unchecked Sendable {
    /// Protects `kept`, and signals each new line.
    private let said = NSCondition()
    private var kept: [String] = []
    private let prints = ProcessInfo.processInfo.environment["TEST_BIHUAN_LOG"] != nil

    var lines: [String] { said.withLock { kept } }

    /// Waits until so many lines with this text were logged since the office began; fails when they were not in time.
    func wait(for text: String, lines count: Int = 1, withinSeconds seconds: Double = 30) throws {
        let deadline = Date(timeIntervalSinceNow: seconds)
        try said.withLock {
            while kept.filter({ $0.contains(text) }).count < count {
                try #require(said.wait(until: deadline), "'\(text)' was not logged \(count) times within \(seconds) s")
            }
        }
    }

    /// Lanes log no metadata of the handler's own.
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    var logLevel: Logger.Level {
        get { .trace }
        set {}
    }
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) {
        let line = "\(event.level) \(event.message) \(event.metadata ?? [:])"
        said.withLock {
            kept.append(line)
            said.broadcast()
        }
        if prints { print(line) }
    }
}
