import Foundation
package import Logging
import Synchronization
import Text

/// A log handler that writes lines `time level worker message key=value …` to standard error, or the same as one JSON
/// object a line, each with one write. Lines of level notice and above that repeat within a minute are counted instead
/// of written.
package struct LineLog: LogHandler {
    package enum Format: String, Sendable { case text, json }

    private static let repeats = RepeatFilter()
    /// The level of all handlers that have none of their own; it may change while the process runs.
    private static let level = Mutex(Logger.Level.info)

    package let label: String
    package var format = Format.text
    package var metadata: Logger.Metadata = [:]
    private var ownLevel: Logger.Level?

    package init(label: String) { self.label = label }

    package var logLevel: Logger.Level {
        get { ownLevel ?? LineLog.level.withLock { $0 } }
        set { ownLevel = newValue }
    }

    package static func setLevel(_ level: Logger.Level) { self.level.withLock { $0 = level } }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let (key, text) = line(event.level, "\(event.message)", event.metadata ?? [:])
        let isCounted = event.level >= .notice
        switch format {
        case .text: LineLog.write(isCounted ? LineLog.repeats.take(key, text) : [text])
        // A program counts for itself.
        case .json: Output.json(object(event.level, "\(event.message)", event.metadata ?? [:]), to: STDERR_FILENO)
        }
    }

    /// One JSON object: `time`, `level`, `worker`, `event`, and the values of the event.
    package func object(_ level: Logger.Level, _ message: String, _ own: Logger.Metadata) -> String {
        var fields = metadata.merging(own) { _, new in new }.mapValues { "\($0)" }
        fields["time"] = LineLog.time()
        fields["level"] = "\(level)"
        fields["worker"] = label
        fields["event"] = message
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Every dictionary of texts has a JSON form.
        return (try? encoder.encode(fields)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
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
    /// A logger of this process; its level is the process's own.
    package static func toStandardError(_ label: String, level: Level, format: LineLog.Format = .text) -> Logger {
        LineLog.setLevel(level)
        var handler = LineLog(label: label)
        handler.format = format
        let made = handler
        return Logger(label: label) { _ in made }
    }
}
