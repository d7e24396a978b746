package import BrokerTopology
import Foundation

/// Access to a broker's definitions. Calls block, each for a bounded time.
package protocol BrokerAccess: Sendable {
    /// The name of this access in error texts.
    var name: String { get }
    /// The ports on which the broker's nodes accept AMQP, plain or over TLS.
    func ports() throws -> Set<Int>
    /// The maximum message size of the broker in bytes (`max_message_size`); nil if this access cannot read it.
    func messageBytesMax() throws -> Int?
    /// All definitions of the broker, of all virtual hosts.
    func definitions() throws -> DefinitionsFile
    /// Creates what is missing and overwrites users and permissions; changes nothing else.
    func add(_ definitions: DefinitionsFile) throws
    func remove(_ removal: TopologyDifference.Removal, in virtualHost: String, wanted: DefinitionsFile) throws
    /// The messages and consumers of a queue; nil if there is no such queue.
    /// - Throws: also if the queue does not answer: then it may hold messages.
    func depth(of queue: String, in virtualHost: String) throws -> QueueDepth?
    /// How the broker and its nodes are.
    func health() throws -> BrokerHealth
    /// The replicas of each queue of a virtual host. Figures of the management interface may be some seconds old.
    func queues(in virtualHost: String) throws -> [QueueHealth]
    /// By how much unacknowledged messages in `depth` may be out of date.
    var figuresLateSeconds: Double { get }
}

package struct QueueDepth: Equatable {
    /// Ready messages and unacknowledged ones.
    var messages: Int
    var consumers: Int
    var isEmpty: Bool { messages == 0 && consumers == 0 }
}

extension BrokerAccess {
    /// Only `rabbitmqctl` on the broker's machine can read it.
    package func messageBytesMax() throws -> Int? { nil }
    package var figuresLateSeconds: Double { 0 }
    /// Whether the broker accepts AMQP on one of these ports; if not, they lead to another one.
    func listens(on ports: [Int]) throws -> Bool { try !self.ports().isDisjoint(with: ports) }
}
