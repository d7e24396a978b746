public import Contract
public import CoreMetrics
import Synchronization

/// What the lanes of one worker process count.
public final class WorkerMetrics: Sendable {
    /// A stretch of a batch's way.
    public enum Stage: String, Sendable {
        case receivedToCommitted = "received_to_committed"
        case committedToConfirmed = "committed_to_confirmed"
    }

    public enum FailureKind: String, CaseIterable, Sendable {
        case away, installation, message
    }

    /// The broker's answer to a message.
    public enum Published: String, Sendable {
        case confirmed, returned, nacked
    }

    private struct Content {
        var counters: [[String]: Counter] = [:]
        var takenAt: [String: Double] = [:]
        var queuesHeld: [String: Int] = [:]
    }

    private let worker: String
    private let factory: any MetricsFactory
    private let content = Mutex(Content())
    private let batch: Recorder
    private let stages: [Stage: Recorder]
    private let blockedSeconds: FloatingPointCounter

    /// - Parameter factory: of swift-metrics; `NOOPMetricsHandler.instance` counts nothing.
    public init(_ worker: Worker, factory: any MetricsFactory) {
        self.worker = worker.rawValue
        self.factory = factory
        let dimensions = [("worker", worker.rawValue)]
        batch = Recorder(label: Metric.batch.name, dimensions: dimensions, aggregate: true, factory: factory)
        stages = Dictionary(
            uniqueKeysWithValues: [Stage.receivedToCommitted, .committedToConfirmed].map { stage in
                (
                    stage,
                    Recorder(
                        label: Metric.stage.name, dimensions: dimensions + [("stage", stage.rawValue)],
                        aggregate: true, factory: factory)
                )
            })
        blockedSeconds = FloatingPointCounter(label: Metric.blocked.name, dimensions: dimensions, factory: factory)
        // Those that begin at 0, so that a monitor sees the first one too.
        for server in ["broker", "database"] { counter(.reconnects, [server]).increment(by: 0) }
        for kind in FailureKind.allCases { counter(.transactionFailures, [kind.rawValue]).increment(by: 0) }
        counter(.withdrawn).increment(by: 0)
    }

    public static func none(_ worker: Worker) -> WorkerMetrics {
        WorkerMetrics(worker, factory: NOOPMetricsHandler.instance)
    }

    // MARK: Counting

    /// - Parameter types: of the messages of a batch; `nil` for one whose type cannot be read.
    public func received(_ types: [String?]) {
        for (type, count) in counts(types) { counter(Metric.received, [type]).increment(by: count) }
    }

    /// - Parameter outcomes: each message's type, and its verdict or `repeated`.
    public func decided(_ outcomes: [(type: String?, outcome: String)]) {
        batch.record(Int64(outcomes.count))
        for (outcome, group) in Dictionary(grouping: outcomes, by: \.outcome) {
            for (type, count) in counts(group.map(\.type)) {
                counter(Metric.decided, [type, outcome]).increment(by: count)
            }
        }
    }

    public func published(_ type: String, _ outcome: Published) {
        counter(.published, [type, outcome.rawValue]).increment()
    }
    public func withdrawn(_ count: Int) { if count > 0 { counter(.withdrawn).increment(by: count) } }
    public func failed(_ kind: FailureKind) { counter(.transactionFailures, [kind.rawValue]).increment() }
    public func reconnected(to server: String) { counter(.reconnects, [server]).increment() }
    public func tookStep(_ step: String) { counter(.ladderSteps, [step]).increment() }
    public func took(_ seconds: Double, _ stage: Stage) { stages[stage]?.record(seconds) }
    public func wasBlocked(_ seconds: Double) { blockedSeconds.increment(by: seconds) }

    // MARK: Queues of parties

    /// - Parameter time: wall time in seconds since 1970.
    public func took(from queues: some Sequence<String>, at time: Double) {
        content.withLock { content in for queue in queues { content.takenAt[queue] = time } }
    }

    /// How many queues of parties a lane reads now.
    public func holds(_ count: Int, lane: String) { content.withLock { $0.queuesHeld[lane] = count } }

    /// What is asked for at each scrape.
    public var samples: [MetricsRegistry.Sample] {
        content.withLock { content in
            content.takenAt.map { MetricsRegistry.Sample(.takenAt, [$0.key], $0.value) } + [
                MetricsRegistry.Sample(.queuesHeld, [worker], Double(content.queuesHeld.values.reduce(0, +)))
            ]
        }
    }

    // MARK: Steps

    /// A sender may write any type; only those of the contract become labels.
    private func counts(_ types: [String?]) -> [String: Int] {
        let labels = types.map { type in
            type.map { MessageType(rawValue: $0) == nil ? "unknown" : $0 } ?? "unreadable"
        }
        return Dictionary(labels.map { ($0, 1) }, uniquingKeysWith: +)
    }

    private func counter(_ metric: Metric, _ labels: [String] = []) -> Counter {
        content.withLock { content in
            let key = [metric.name] + labels
            if let counter = content.counters[key] { return counter }
            let counter = Counter(
                label: metric.name, dimensions: Array(zip(metric.labels, [worker] + labels)), factory: factory)
            content.counters[key] = counter
            return counter
        }
    }
}
