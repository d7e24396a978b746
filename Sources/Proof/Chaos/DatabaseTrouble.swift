import AuditStore
import Basics
import CaseStore
import Foundation
import Installation
import LocalServers
import PostgreSQL

/// Causes mistakes of a database administrator in an office's database, and repairs them: as a superuser, over
/// connections that are not disturbed.
struct DatabaseTrouble {
    private let settings: PostgreSQL.ConnectionSettings

    /// - Parameter url: the URL of a superuser, to any database of the office's server.
    init(superuser url: String) throws(UserError) {
        guard var components = URLComponents(string: url) else { throw UserError("the superuser's URL cannot be read") }
        components.path = "/\(OfficeEntry.database)"
        var settings = PostgreSQL.ConnectionSettings(url: components.string ?? url)
        settings.applicationName = "disturber"
        self.settings = settings
    }

    /// Makes trouble until `last` returns.
    func make(_ trouble: RehearsedTrouble, _ last: () -> Void) throws {
        try persistently(trouble.begin)
        last()
        try persistently(trouble.end)
    }

    /// Cancels the workers' statements again and again, until `goesOn` is false.
    func cancelStatements(while goesOn: () -> Bool) throws {
        let connection = try Connection(settings)
        defer { connection.close() }
        repeat { try connection.execute(RehearsedTrouble.cancellation) } while goesOn()
    }

    /// A table in use makes this wait, at most for the lock time-out. It is repeated, since trouble that was begun
    /// must end.
    private func persistently(_ sql: String) throws(PostgreSQLError) {
        var attempts = 0
        while true {
            attempts += 1
            do {
                return try execute(sql)
            } catch {
                guard error.isTransient, attempts < 10 else { throw error }
            }
        }
    }

    private func execute(_ sql: String) throws(PostgreSQLError) {
        let connection = try Connection(settings)
        defer { connection.close() }
        try connection.execute(sql)
    }
}
