import AMQP
import Contract
import Synchronization

/// What arrived at those who are not the office, and when.
final class ArrivalLog: Sendable {
    struct Marks: Sendable {
        /// Monotonic nanoseconds, in the order of arrival.
        var times: [Int64] = []
        /// What each was about; kept only where somebody asks for latencies.
        var subjects: [String] = []
    }

    private struct State {
        var marks: [String: Marks] = [:]
        var transient = 0
    }

    private let state = Mutex(State())
    private let keepsSubjects: Bool

    init(keepsSubjects: Bool = false) { self.keepsSubjects = keepsSubjects }

    func note(_ deliveries: [(delivery: Delivery, at: Int64)]) {
        state.withLock { state in
            for (delivery, at) in deliveries {
                let type = delivery.properties.type ?? ""
                state.marks[type, default: Marks()].times.append(at)
                if keepsSubjects { state.marks[type]?.subjects.append(delivery.properties.correlationID ?? "") }
                if delivery.properties.deliveryMode != .persistent { state.transient += 1 }
            }
        }
    }

    func count(of types: [MessageType]) -> Int {
        state.withLock { state in types.reduce(0) { $0 + (state.marks[$1.rawValue]?.times.count ?? 0) } }
    }

    /// Of all types.
    var total: Int { state.withLock { $0.marks.values.reduce(0) { $0 + $1.times.count } } }
    var counts: [String: Int] { state.withLock { $0.marks.mapValues(\.times.count) } }
    /// Messages that a crash of the broker would have cost.
    var transientCount: Int { state.withLock { $0.transient } }

    func marks(of type: MessageType) -> Marks { state.withLock { $0.marks[type.rawValue] ?? Marks() } }

    /// When messages of these types arrived, in order.
    func times(of types: [MessageType]) -> [Int64] {
        state.withLock { state in types.flatMap { state.marks[$0.rawValue]?.times ?? [] } }.sorted()
    }
}
