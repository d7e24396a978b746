import AMQP
import Basics
import BrokerTopology
import Casework
import Contract
import Corpus
package import Foundation
package import Installation
import LocalServers
package import PostgreSQL

/// The office that is measured, whose workers the bench starts and stops itself: on private servers with the sample's
/// parties, or on servers that are there already.
package final class BenchOffice: @unchecked Sendable {
    private enum Place {
        case own(LocalOffice)
        case given(GivenServers)
    }

    package let configuration: OfficeConfiguration
    package let directory: URL
    private let place: Place
    /// A superuser's, in the office's own database and in the one to make others from.
    private let superuserURL: String
    let administrationURL: String
    private let databaseProcessID: pid_t?
    /// The office's database, and the role that owns it.
    private let database, owner: String

    /// Starts servers in `directory`, which is made if missing.
    package static func start(
        in directory: URL, executable: String, isCancelled: @escaping @Sendable () -> Bool
    ) async throws -> BenchOffice {
        var options = LocalOffice.Options(directory: directory)
        options.executable = executable
        options.isCancelled = isCancelled
        options.report = { _ in }
        let office = try await LocalOffice.start(options)
        return try await onThread {
            do {
                return try BenchOffice(office)
            } catch {
                office.stop()
                throw error
            }
        }
    }

    private init(_ office: LocalOffice) throws {
        place = .own(office)
        configuration = office.configuration
        directory = office.directory
        // They were of use in making sure that all is set up; from here on a round starts those that it measures.
        office.workers.stop()
        administrationURL = office.servers.superuserURL
        guard var superuser = URLComponents(string: administrationURL) else {
            throw UserError("the database has no URL")
        }
        superuser.path = "/" + OfficeEntry.database
        superuserURL = superuser.string ?? ""
        databaseProcessID = office.servers.postgresqlProcessID
        (database, owner) = (OfficeEntry.database, OfficeEntry.ownerRole)
        try copyWhatIsEmpty()
    }

    /// On servers that are there; what is made on them goes with `stop`.
    package init(on servers: GivenServers, directory: URL) throws {
        place = .given(servers)
        configuration = servers.configuration
        self.directory = directory
        superuserURL = try servers.superuserURL
        administrationURL = servers.administrationURL
        let connection = try PostgreSQL.Connection(PostgreSQL.ConnectionSettings(url: superuserURL))
        // Where the server is on this machine, the parent of a backend is the whole server's.
        let backend = connection.backendProcessID
        databaseProcessID = ProcessUsage.name(of: backend) == "postgres" ? ProcessUsage.parent(of: backend) : nil
        connection.close()
        (database, owner) = (servers.name, servers.owner)
        try copyWhatIsEmpty()
    }

    package func stop() {
        switch place {
        case .own(let office): office.stop()
        case .given(let servers): servers.remove()
        }
    }

    // MARK: What stands in the database

    /// Copies of the office's database that others are made from.
    enum Copy: String {
        /// Nothing but whom the office knows.
        case empty
        /// What `keep` found.
        case filled
    }

    /// Puts the office's database back to what it was when the copy was made.
    func restore(_ copy: Copy) throws {
        try administrate { connection in
            try connection.execute("DROP DATABASE IF EXISTS \(database) WITH (FORCE)")
            // Written as files: through the log, a large one would cost its size once more, and checkpoints in what is
            // measured next.
            try connection.execute(
                "CREATE DATABASE \(database) TEMPLATE \(database)_\(copy.rawValue) OWNER \(owner) STRATEGY file_copy")
        }
    }

    /// Makes the database as it is now the filled copy. Then there is no other until `restore`.
    package func keep() throws {
        try administrate { connection in
            try connection.execute("DROP DATABASE IF EXISTS \(database)_\(Copy.filled.rawValue)")
            try whenUnused { () throws(PostgreSQLError) in
                try connection.execute("ALTER DATABASE \(database) RENAME TO \(database)_\(Copy.filled.rawValue)")
            }
        }
    }

    /// While the database holds nothing but whom the office knows: one copy to begin from, one for the floor.
    private func copyWhatIsEmpty() throws {
        try administrate { connection in
            for copy in ["\(database)_\(Copy.empty.rawValue)", floor] {
                try whenUnused { () throws(PostgreSQLError) in
                    try connection.execute("CREATE DATABASE \(copy) TEMPLATE \(database)")
                }
            }
        }
    }

    private func administrate(_ work: (PostgreSQL.Connection) throws -> Void) throws {
        let connection = try PostgreSQL.Connection(PostgreSQL.ConnectionSettings(url: administrationURL))
        defer { connection.close() }
        try connection.withoutStatementTimeout(work)
    }

    /// The backends of workers that have just ended may still be there for a moment.
    private func whenUnused(_ work: () throws(PostgreSQLError) -> Void) throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while true {
            do throws(PostgreSQLError) {
                return try work()
            } catch {
                let objectInUse = "55006"
                guard error.sqlState == objectInUse, ContinuousClock.now < deadline else { throw error }
                Monotonic.sleep(seconds: 0.05)
            }
        }
    }

    // MARK: An office of its own for the floor

    /// What the floor's virtual host and database are called.
    private var floor: String { database + "_floor" }

    /// A virtual host with the same queues. May be called again.
    func prepareFloor() throws {
        switch place {
        case .given(let servers): try servers.add(servers.definitions(virtualHost: floor, users: []))
        case .own(let office):
            let user = OfficeConfiguration.operatorUser
            let sample = SampleOffice.standard
            let definitions = Definitions(
                virtualHost: floor, units: sample.units.map(\.id), sources: sample.sources.map(\.id),
                persons: sample.persons.map(\.id), users: [], administrator: (user, configuration.users[user] ?? ""))
            let file = directory.appending(path: "floor-definitions.json")
            // The broker's own user reads it; it holds no password but a salted digest, and only for a moment.
            try definitions.json().write(to: file)
            defer { try? FileManager.default.removeItem(at: file) }
            _ = try office.servers.rabbitmqctl(["--quiet", "import_definitions", file.path])
        }
    }

    var floorAMQPURL: String {
        let user = OfficeConfiguration.operatorUser
        let broker = configuration.broker
        let host = broker.host.contains(":") ? "[\(broker.host)]" : broker.host
        return "amqp://\(user):\(configuration.users[user] ?? "")@\(host):\(broker.port)/\(floor)"
    }

    var floorDatabaseURL: String {
        guard var url = URLComponents(string: configuration.database.url) else { return configuration.database.url }
        url.path = "/" + floor
        return url.string ?? configuration.database.url
    }

    // MARK: Ways in

    package func superuser() throws -> PostgreSQL.Connection {
        var settings = PostgreSQL.ConnectionSettings(url: superuserURL)
        settings.applicationName = "bihuan-lab bench"
        let connection = try PostgreSQL.Connection(settings)
        // A checkpoint of much that was written takes its time.
        try connection.execute("SET statement_timeout = 0")
        return connection
    }

    package func worker() throws -> PostgreSQL.Connection {
        try PostgreSQL.Connection(configuration.workerDatabaseSettings("bihuan-lab bench"))
    }

    func operatorBroker(_ name: String) throws -> AMQP.ConnectionSettings {
        var settings = try configuration.operatorBrokerSettings()
        settings.connectionName = "bihuan-lab bench \(name)"
        return settings
    }

    /// Processor seconds of the servers, as far as they are processes of this machine that can be found, and of this
    /// process.
    func cpuTimes() -> CPUTimes {
        var times = CPUTimes()
        if case .own(let office) = place, let id = office.servers.rabbitmqProcessID {
            times.seconds["broker"] = ProcessUsage.cpuSeconds(of: id)?.own
        }
        if let databaseProcessID {
            times.seconds["database"] = ProcessUsage.cpuSecondsWithChildren(of: databaseProcessID)
        }
        times.seconds["bench"] = ProcessUsage.cpuSeconds(of: getpid())?.own
        return times
    }
}
