import BrokerTopology
package import Contract
import PostgreSQL

/// The queues of an office's parties.
package enum OfficeQueues {
    /// The queues of the active parties in the office's database.
    package static func parties(of configuration: OfficeConfiguration) throws -> [String] {
        let database = try PostgreSQL.Connection(configuration.databaseSettings("bihuan watch"))
        defer { database.close() }
        return of(try OfficeParties(in: database).users)
    }

    /// The queues of these parties: with what they send, and with what is sent to them.
    package static func of(_ parties: [Party]) -> [String] {
        parties.compactMap(Topology.Queue.inbound(from:)) + parties.flatMap(Topology.Queue.all(of:))
    }
}
