import Foundation
import Logging
import Synchronization

/// Keeps every line the lanes of one office log, so that a test can ask what they said; prints them too where
/// `TEST_BIHUAN_LOG` is set.
final class LogSink: LogHandler, Sendable {
    private let kept = Mutex<[String]>([])
    private let prints = ProcessInfo.processInfo.environment["TEST_BIHUAN_LOG"] != nil

    var lines: [String] { kept.withLock { $0 } }

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
        kept.withLock { $0.append(line) }
        if prints { print(line) }
    }
}
