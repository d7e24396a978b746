import BrokerTopology
package import CaseStore
package import Contract
import PostgreSQL

/// The queues of an office's parties.
package enum OfficeQueues {
    /// The queues of the parties in the office's database.
    package static func parties(of configuration: OfficeConfiguration) throws -> [String] {
        let database = try PostgreSQL.Connection(configuration.databaseSettings("bihuan watch"))
        defer { database.close() }
        let (units, sources, persons) = try database.pipeline(ReadUnits(), ReadSources(), ReadPersons())
        return parties(units: units.rows, sources: sources.rows, persons: persons.rows)
    }

    /// The queues of the active parties; inactive parties have none.
    package static func parties(units: [UnitRow], sources: [SourceRow], persons: [PersonRow]) -> [String] {
        let parties =
            units.filter(\.active).map { Party.unit($0.id) } + sources.map { .source($0.id) }
            + persons.filter(\.active).map { .person($0.id) }
        return of(parties)
    }

    /// The queues of these parties: with what they send, and with what is sent to them.
    package static func of(_ parties: [Party]) -> [String] {
        parties.compactMap(Topology.Queue.inbound(from:)) + parties.flatMap(Topology.Queue.all(of:))
    }
}
