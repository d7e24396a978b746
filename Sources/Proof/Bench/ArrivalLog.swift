import AMQP
import Contract
import Synchronization

/// The messages that arrived at parties of the office, with their times.
final class ArrivalLog: Sendable {
    struct Marks: Sendable {
        /// Monotonic nanoseconds, in the order of arrival.
        var times: [Int64] = []
        /// The subject of each message; kept only if latencies are measured.
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

    /// The messages of all types.
    var total: Int { state.withLock { $0.marks.values.reduce(0) { $0 + $1.times.count } } }
    var counts: [String: Int] { state.withLock { $0.marks.mapValues(\.times.count) } }
    /// Messages that were not persistent and would be lost in a crash of the broker.
    var transientCount: Int { state.withLock { $0.transient } }

    func marks(of type: MessageType) -> Marks { state.withLock { $0.marks[type.rawValue] ?? Marks() } }

    /// When the first message of this type about each subject arrived; known only if subjects are kept.
    func firstTimes(of type: MessageType) -> [String: Int64] {
        let marks = marks(of: type)
        return Dictionary(zip(marks.subjects, marks.times)) { first, _ in first }
    }

    /// The arrival times of messages of these types, in order.
    func times(of types: [MessageType]) -> [Int64] {
        state.withLock { state in types.flatMap { state.marks[$0.rawValue]?.times ?? [] } }.sorted()
    }
}
