import Foundation
package import Logging
import Text

/// A log handler that writes lines `time level worker message key=value …` to standard error, each with one write.
/// Lines of level notice and above that repeat within a minute are counted instead of written.
package struct LineLog: LogHandler {
    private static let repeats = RepeatFilter()

    package let label: String
    package var logLevel: Logger.Level = .info
    package var metadata: Logger.Metadata = [:]

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let (key, text) = line(event.level, "\(event.message)", event.metadata ?? [:])
        LineLog.write(event.level < .notice ? [text] : LineLog.repeats.take(key, text))
    }

    /// The line without its time, and its key for `RepeatFilter`: the line without the values that are numbers.
    package func line(_ level: Logger.Level, _ message: String, _ own: Logger.Metadata) -> (key: String, text: String) {
        let fields = metadata.merging(own) { _, new in new }.sorted { $0.key < $1.key }
        let words = fields.map { (name: printable($0.key), value: LineLog.word("\($0.value)")) }
        let head = "\(level) \(printable(label)) \(printable(message))"
        let same = words.filter { Double($0.value) == nil }
        func joined(_ words: [(name: String, value: String)]) -> String {
            head + words.map { " \($0.name)=\($0.value)" }.joined()
        }
        return (joined(same), joined(words))
    }

    /// Writes the counts that are not written yet; called when the process ends.
    package static func flush() { write(repeats.rest()) }

    private static func write(_ lines: [String]) {
        for line in lines { Output.note("\(time()) \(line)") }
    }

    private static func time() -> String {
        Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    private static func word(_ text: String) -> String {
        let text = printable(text)
        return text.isEmpty || text.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" })
            ? "\"" + text.replacing("\"", with: "'") + "\"" : text
    }
}

extension Logger {
    package static func toStandardError(_ label: String, level: Level) -> Logger {
        var handler = LineLog(label: label)
        handler.logLevel = level
        return Logger(label: label) { _ in handler }
    }
}
