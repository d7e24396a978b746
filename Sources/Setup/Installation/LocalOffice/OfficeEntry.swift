import CaseStore
import Casework
import Foundation
package import LocalServers
import PostgreSQL
import Workers

/// Prepares a database server for an office: roles, database, schema and parties. Every step may be repeated.
package struct OfficeEntry: Sendable {
    package static let ownerRole = "bihuan_owner"
    package static let workerRole = "bihuan_worker"
    package static let database = "bihuan"

    package let servers: LocalServers
    package let configuration: OfficeConfiguration

    /// Creates the roles with the configured passwords, and the database, as the server's superuser.
    package func makeDatabase(passwords: (owner: String, worker: String)) throws {
        let connection = try Connection(ConnectionSettings(url: servers.superuserURL))
        defer { connection.close() }
        for (role, password) in [(OfficeEntry.ownerRole, passwords.owner), (OfficeEntry.workerRole, passwords.worker)] {
            try connection.execute(
                """
                DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '\(role)') THEN CREATE ROLE \(role); \
                END IF; END $$;
                ALTER ROLE \(role) LOGIN PASSWORD '\(password.replacing("'", with: "''"))'
                """)
        }
        do throws(PostgreSQLError) {
            try connection.execute("CREATE DATABASE \(OfficeEntry.database) OWNER \(OfficeEntry.ownerRole)")
        } catch {
            // It may exist from an earlier start.
            let duplicateDatabase = "42P04"
            if error.sqlState != duplicateDatabase { throw error }
        }
    }

    /// Migrates the schema and enters the sample; returns the names of the applied migrations.
    package func enter(_ sample: SampleOffice, keys: KeyFiles, policy: String) throws -> [String] {
        let connection = try Connection(configuration.ownerDatabaseSettings("bihuan up"))
        defer { connection.close() }
        let applied = try Schema.migrate(connection)
        let now = configuration.now
        var commands: [any Command] = [EnterOffice(name: configuration.officeName, at: now)]
        for unit in sample.units {
            let sealingKey = OfficeEntry.hasSealingKey(unit) ? try keys.sealingKey(of: unit.id) : nil
            let row = UnitRow(
                id: unit.id, name: unit.name, kind: unit.kind, region: unit.region, levels: Set(unit.levels),
                parent: unit.parent, active: true, sealingKey: sealingKey)
            commands.append(EnterUnit(unit: row, at: now))
        }
        commands += sample.sources.map {
            EnterSource(source: SourceRow(id: $0.id, name: $0.name, kind: $0.kind, unit: $0.unit))
        }
        commands += sample.persons.map {
            EnterPerson(
                person: PersonRow(
                    id: $0.id, name: $0.name, unit: $0.unit, roles: Set($0.roles), active: true,
                    recusedFrom: Set($0.recusedFrom)))
        }
        try connection.pipeline(commands: commands)
        try ActivePolicy.activate(
            policy, named: "policy.yaml", by: "bihuan up", at: now, onlyFirst: true, on: connection)
        return applied
    }

    /// Whether the unit gets a sealing key: the superior, which receives sealed mail, and the city organs do. The
    /// others show the behaviour without a key.
    private static func hasSealingKey(_ unit: SampleUnit) -> Bool { ["superior", "city"].contains(unit.kind) }
}
