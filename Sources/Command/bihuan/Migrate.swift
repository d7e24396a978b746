import ArgumentParser
import Basics
import CaseStore
import Installation
import PostgreSQL
import Terminal

/// Brings the database schema up to date.
struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring the database's schema up to date.",
        discussion: """
            Acts as the owner role: database.ownerUrl of bihuan.yaml, or --database, --database-file or the \
            environment variable \
            BIHUAN_MIGRATE_DATABASE. Running it twice does no harm.
            """)

    @OptionGroup var installation: InstallationOptions

    @Option(
        help: ArgumentHelp(
            "The owner's database URL, instead of the installation's; without a password.", valueName: "url"))
    var database: String?

    @Option(help: ArgumentHelp("A file of mode 600 with that URL, if it contains a password.", valueName: "file"))
    var databaseFile: String?

    func run() async throws {
        try await plainly {
            var settings: PostgreSQL.ConnectionSettings
            let given =
                installation.isGiven && database == nil && databaseFile == nil
                ? nil : try SecretOption.migrateDatabase.url(database, file: databaseFile)
            if let database = given {
                for warning in InTheClear.warnings(ofDatabase: database, named: "--database") {
                    Output.note("warning: \(warning)")
                }
                settings = ConnectionSettings(url: database)
                settings.applicationName = "bihuan migrate"
                settings.isGuarded = true
            } else {
                settings = try await installation.configuration().ownerDatabaseSettings("bihuan migrate")
            }
            let owner = settings
            let names = try await onThread {
                let connection = try Connection(owner)
                defer { connection.close() }
                return try Schema.migrate(connection)
            }
            for name in names { Output.line("applied \(name)") }
            if names.isEmpty { Output.line("nothing to apply: the schema is up to date") }
        }
    }
}
