package import BrokerTopology
package import Contract
import Foundation

/// A way to a broker's definitions. Calls block, each for a bounded time.
package protocol BrokerAccess: Sendable {
    /// In words for an error: which way was tried.
    var name: String { get }
    /// The ports on which the broker's nodes take AMQP, plain or over TLS.
    func ports() throws -> Set<Int>
    /// The longest message that the broker takes (`max_message_size`), where this way can ask for it.
    func messageBytesMax() throws -> Int?
    /// All that the broker holds, of all virtual hosts.
    func definitions() throws -> DefinitionsFile
    /// Makes what is missing and overwrites users and rights; touches nothing else.
    func add(_ definitions: DefinitionsFile) throws
    func remove(_ removal: TopologyDifference.Removal, in virtualHost: String, wanted: DefinitionsFile) throws
    /// What a queue holds and who reads it, as it is now; nil where there is no such queue.
    func depth(of queue: String, in virtualHost: String) throws -> QueueDepth?
}

package struct QueueDepth: Equatable {
    /// Delivered and not acknowledged included.
    var messages: Int
    var consumers: Int
    var isEmpty: Bool { messages == 0 && consumers == 0 }
}

extension BrokerAccess {
    /// Only the broker's own machine tells.
    package func messageBytesMax() throws -> Int? { nil }
}

extension OfficeTopology {
    /// What the broker should take and does not, or takes and should not: set in its own settings, so it is no difference to be applied.
    package static func note(onMessagesOf bytes: Int?, limits: Limits = .standard) -> String? {
        guard let bytes, !(limits.messageBytesMax...8 * limits.messageBytesMax).contains(bytes) else { return nil }
        return "the broker takes messages of up to \(bytes) bytes, the office of \(limits.messageBytesMax): "
            + "set max_message_size = \(8 * limits.messageBytesMax) in the broker's rabbitmq.conf and restart it"
    }
}
