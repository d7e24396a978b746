import Foundation
import Logging

/// Log lines as `time level worker message key=value …` on standard error, one write each.
struct LineLog: LogHandler {
    let label: String
    var logLevel: Logger.Level = .info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { _, new in new }.sorted { $0.key < $1.key }
        let words = fields.map { " \($0.key)=\(LineLog.word("\($0.value)"))" }.joined()
        Output.note("\(LineLog.time()) \(event.level) \(label) \(LineLog.line("\(event.message)"))\(words)")
    }

    private static func time() -> String {
        Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    /// One event is one line, whatever the message holds.
    private static func line(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.value < 32 ? " " : Character($0) })
    }

    private static func word(_ text: String) -> String {
        let text = line(text)
        return text.isEmpty || text.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" })
            ? "\"" + text.replacing("\"", with: "'") + "\"" : text
    }
}

extension Logger {
    static func toStandardError(_ label: String, level: Level) -> Logger {
        var handler = LineLog(label: label)
        handler.logLevel = level
        return Logger(label: label) { _ in handler }
    }
}
