package import BrokerTopology
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
