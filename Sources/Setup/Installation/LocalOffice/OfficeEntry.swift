import CaseStore
import Casework
import Foundation
package import LocalServers
import PostgreSQL
import Workers

/// Prepares a database server for an office: roles, database, schema and parties. Every step may be repeated.
package struct OfficeEntry: Sendable {
    package static let database = "bihuan"

    package let servers: LocalServers
    package let configuration: OfficeConfiguration

    /// Creates the roles with the configured passwords, and the database, as the server's superuser.
    package func makeDatabase() throws {
        let connection = try Connection(ConnectionSettings(url: servers.superuserURL))
        defer { connection.close() }
        try DatabaseRoles.make(on: connection, passwords: configuration.database.passwords)
        if try !connection.run(ReadDatabaseNames()).rows.contains(OfficeEntry.database) {
            try DatabaseRoles.makeDatabase(OfficeEntry.database, on: connection)
        }
    }

    /// Migrates the schema and enters the sample; returns the names of the applied migrations.
    package func enter(_ sample: SampleOffice, keys: KeyFiles, policy: String) throws -> [String] {
        let connection = try Connection(configuration.ownerDatabaseSettings("bihuan up"))
        defer { connection.close() }
        let applied = try Schema.migrate(connection)
        let now = configuration.now
        var parties = OfficeParties()
        parties.units = try sample.units.map { unit in
            UnitRow(
                id: unit.id, name: unit.name, kind: unit.kind, region: unit.region, levels: Set(unit.levels),
                parent: unit.parent, active: true,
                sealingKey: OfficeEntry.hasSealingKey(unit) ? try keys.sealingKey(of: unit.id) : nil)
        }
        parties.sources = sample.sources.map { SourceRow(id: $0.id, name: $0.name, kind: $0.kind, unit: $0.unit) }
        parties.persons = sample.persons.map {
            PersonRow(
                id: $0.id, name: $0.name, unit: $0.unit, roles: Set($0.roles), active: true,
                recusedFrom: Set($0.recusedFrom))
        }
        let commands: [any Command] = [EnterOffice(name: configuration.officeName, at: now)]
        try connection.pipeline(commands: commands + parties.commands(at: now))
        try ActivePolicy.activate(
            policy, named: "policy.yaml", by: "bihuan up", at: now, onlyFirst: true, on: connection)
        return applied
    }

    /// Whether the unit gets a sealing key: the superior, which receives sealed mail, and the city organs do. The
    /// others show the behaviour without a key.
    private static func hasSealingKey(_ unit: SampleUnit) -> Bool { ["superior", "city"].contains(unit.kind) }
}
