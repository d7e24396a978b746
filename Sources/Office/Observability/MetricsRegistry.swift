public import CoreMetrics
import Foundation
import Synchronization

/// The metrics of one process, behind swift-metrics, and their text for Prometheus.
///
/// What is counted while the process works comes through `MetricsFactory`. What is known elsewhere, such as the state
/// of lanes or the depth of queues, is asked for at each scrape (`add(_:)`): from memory, so a scrape never waits.
public final class MetricsRegistry: MetricsFactory, Sendable {
    /// One value, as a collector gives it.
    public struct Sample: Sendable {
        public let metric: Metric
        public let labels: [String]
        public let value: Double

        /// - Parameter labels: the values of `metric.labels`, in their order.
        public init(_ metric: Metric, _ labels: [String], _ value: Double) {
            self.metric = metric
            self.labels = labels
            self.value = value
        }

        public init(_ metric: Metric, _ value: Double) { self.init(metric, [], value) }
    }

    private struct Key: Hashable {
        let name: String
        let labels: [String]
    }

    private struct Content {
        var series: [Key: Series] = [:]
        var collectors: [@Sendable () -> [Sample]] = []
    }

    private let definitions: [String: Metric]
    private let content = Mutex(Content())

    public init(_ metrics: [Metric] = Metric.all) {
        definitions = Dictionary(metrics.map { ($0.name, $0) }) { first, _ in first }
    }

    /// Adds values that are asked for at each scrape.
    public func add(_ collector: @escaping @Sendable () -> [Sample]) {
        content.withLock { $0.collectors.append(collector) }
    }

    // MARK: MetricsFactory

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions)
    }
    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, dimensions)
    }
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions)
    }
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        series(label, dimensions)
    }
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions)
    }
    public func destroyCounter(_ handler: any CounterHandler) { destroy(handler) }
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { destroy(handler) }
    public func destroyMeter(_ handler: any MeterHandler) { destroy(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { destroy(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { destroy(handler) }

    private func destroy(_ handler: Any) {
        guard let gone = handler as? Series else { return }
        content.withLock { content in content.series = content.series.filter { $0.value !== gone } }
    }

    /// A metric that is not defined is a fault of the program: a test compares all names.
    private func series(_ label: String, _ dimensions: [(String, String)]) -> Series {
        let values = Dictionary(dimensions) { _, last in last }
        let metric = definitions[label]
        let labels = metric?.labels.map { values[$0] ?? "" } ?? dimensions.map(\.1)
        return content.withLock { content in
            let key = Key(name: label, labels: labels)
            if let series = content.series[key] { return series }
            let buckets: [Double] = if case .histogram(let bounds) = metric?.kind { bounds } else { [] }
            let series = Series(buckets: buckets)
            content.series[key] = series
            return series
        }
    }

    // MARK: Text

    /// The text of a scrape: the exposition format of Prometheus, version 0.0.4.
    public func text() -> String {
        let (series, collectors) = content.withLock { ($0.series, $0.collectors) }
        var values: [String: [(labels: [String], lines: Series.Values)]] = [:]
        for (key, series) in series { values[key.name, default: []].append((key.labels, series.current)) }
        for sample in collectors.flatMap({ $0() }) {
            values[sample.metric.name, default: []].append((sample.labels, Series.Values(sum: sample.value)))
        }
        var text = ""
        for (name, rows) in values.sorted(by: { $0.key < $1.key }) {
            guard let metric = definitions[name] else { continue }
            text += "# HELP \(name) \(escaped(metric.help, quote: false))\n# TYPE \(name) \(metric.kind.word)\n"
            for row in rows.sorted(by: { $0.labels.lexicographicallyPrecedes($1.labels) }) {
                text += lines(of: metric, row.labels, row.lines)
            }
        }
        return text
    }

    private func lines(of metric: Metric, _ labels: [String], _ values: Series.Values) -> String {
        let pairs = zip(metric.labels, labels).map { "\($0)=\"\(escaped($1, quote: true))\"" }
        func line(_ suffix: String, _ more: [String], _ value: Double) -> String {
            let all = pairs + more
            return metric.name + suffix + (all.isEmpty ? "" : "{\(all.joined(separator: ","))}") + " \(number(value))\n"
        }
        guard case .histogram(let bounds) = metric.kind else { return line("", [], values.sum) }
        var (text, total) = ("", 0)
        for (bound, count) in zip(bounds.map(number) + ["+Inf"], values.counts) {
            total += count
            text += line("_bucket", ["le=\"\(bound)\""], Double(total))
        }
        return text + line("_sum", [], values.sum) + line("_count", [], Double(total))
    }

    private func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }

    private func escaped(_ text: String, quote: Bool) -> String {
        let text = text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        return quote ? text.replacing("\"", with: "\\\"") : text
    }
}

/// One series: a number, or the counts of a histogram.
final class Series: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler, TimerHandler,
    Sendable
{
    struct Values {
        var sum: Double
        /// One for each bucket, and one for `+Inf`.
        var counts: [Int] = []
    }

    private let bounds: [Double]
    private let values: Mutex<Values>

    init(buckets: [Double]) {
        bounds = buckets
        values = Mutex(Values(sum: 0, counts: buckets.isEmpty ? [] : Array(repeating: 0, count: buckets.count + 1)))
    }

    var current: Values { values.withLock { $0 } }

    func increment(by amount: Int64) { values.withLock { $0.sum += Double(amount) } }
    func increment(by amount: Double) { values.withLock { $0.sum += amount } }
    func decrement(by amount: Double) { values.withLock { $0.sum -= amount } }
    func reset() { values.withLock { $0 = Values(sum: 0, counts: $0.counts.map { _ in 0 }) } }
    func set(_ value: Int64) { values.withLock { $0.sum = Double(value) } }
    func set(_ value: Double) { values.withLock { $0.sum = value } }
    func record(_ value: Int64) { record(Double(value)) }
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func record(_ value: Double) {
        let place = bounds.firstIndex { value <= $0 } ?? bounds.count
        values.withLock { values in
            values.sum += value
            if !values.counts.isEmpty { values.counts[place] += 1 }
        }
    }
}
