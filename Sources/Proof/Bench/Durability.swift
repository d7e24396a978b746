import PartyClient
import AMQP
import AuditStore
import Basics
import BrokerTopology
import CaseStore
import Contract
import PostgreSQL

/// Checks that everything measured would survive a power cut.
enum Durability {
    /// The required settings of the database.
    static let required = [("fsync", "on"), ("synchronous_commit", "on"), ("full_page_writes", "on")]

    /// The settings of the workers' own role.
    /// - Throws: `UserError` unless they are as required.
    static func check(_ database: PostgreSQL.Connection) throws -> [String: String] {
        let settings = Dictionary(try database.run(ReadDurabilitySettings()).rows.map { ($0.name, $0.value) }) {
            first, _ in first
        }
        for (name, value) in required where settings[name] != value {
            throw UserError(
                """
                not measured: the database has \(name) = \(settings[name] ?? "nothing") instead of \(value), so \
                what it confirms may be lost
                """
            )
        }
        return settings
    }

    /// Throws unless every queue is a durable quorum queue as in the contract: otherwise the broker refuses the
    /// declaration.
    static func check(_ broker: AMQP.Connection, _ queues: [DefinitionsFile.Queue]) throws {
        for queue in queues {
            let channel = try broker.openChannel()
            do throws(AMQPError) {
                try broker.declareQueue(
                    QueueName(rawValue: queue.name), arguments: queue.arguments.mapValues(FieldValue.init), on: channel)
            } catch {
                if error.replyCode != 406 { throw error }
                throw UserError(
                    "not measured: queue \(queue.name) is no durable quorum queue as `bihuan topology` makes it")
            }
            try broker.closeChannel(channel)
        }
    }

    static func check(_ log: ArrivalLog) throws {
        if log.transientCount > 0 {
            throw UserError(
                """
                not measured: \(log.transientCount) messages were not persistent, and a crash of the broker would \
                have cost them
                """
            )
        }
    }
}
