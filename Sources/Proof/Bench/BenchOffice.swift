import AMQP
import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Corpus
package import Foundation
package import Installation
import LocalServers
package import PostgreSQL

/// The measured office. The bench itself starts and stops its workers. It runs on private servers with the
/// sample's parties, or on existing servers.
package final class BenchOffice: @unchecked Sendable {
    private enum Place {
        case own(LocalOffice)
        case given(GivenServers)
    }

    package let configuration: OfficeConfiguration
    package let directory: URL
    private let place: Place
    /// The superuser's URLs: of the office's database, and of a database from which others can be created.
    private let superuserURL: String
    let administrationURL: String
    private let databaseProcessID: pid_t?
    /// The office's database, and the role that owns it.
    private let database, owner: String

    /// Starts servers in `directory`, which is created if missing.
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
        // The workers were only needed to complete the setup; from here on a round starts those that it measures.
        office.workers.stop()
        administrationURL = office.servers.superuserURL
        guard var superuser = URLComponents(string: administrationURL) else {
            throw UserError("the database has no URL")
        }
        superuser.path = "/" + OfficeEntry.database
        superuserURL = superuser.string ?? ""
        databaseProcessID = office.servers.postgresqlProcessID
        (database, owner) = (OfficeEntry.database, DatabaseRole.owner.name)
        try copyWhatIsEmpty()
    }

    /// Uses existing servers; `stop` removes what was created on them.
    package init(on servers: GivenServers, directory: URL) throws {
        place = .given(servers)
        configuration = servers.configuration
        self.directory = directory
        superuserURL = try servers.superuserURL
        administrationURL = servers.administrationURL
        let connection = try PostgreSQL.Connection(PostgreSQL.ConnectionSettings(url: superuserURL))
        // If the server is on this machine, the parent of a backend is the server's main process.
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

    // MARK: Database copies

    /// The copies of the office's database that are used as templates.
    enum Copy: String {
        /// Contains only the office's parties.
        case empty
        /// Contains the state saved by `keep`.
        case filled
    }

    /// Restores the office's database from the copy.
    func restore(_ copy: Copy) throws {
        try administrate { connection in
            try connection.execute("DROP DATABASE IF EXISTS \(database) WITH (FORCE)")
            // The copy is made by files. Through the write-ahead log a large copy would cost its size once more,
            // and checkpoints during the next measurement.
            try connection.execute(
                "CREATE DATABASE \(database) TEMPLATE \(database)_\(copy.rawValue) OWNER \(owner) STRATEGY file_copy")
        }
    }

    /// Makes the current database the filled copy. There is no other database until `restore`.
    package func keep() throws {
        try administrate { connection in
            try connection.execute("DROP DATABASE IF EXISTS \(database)_\(Copy.filled.rawValue)")
            try whenUnused { () throws(PostgreSQLError) in
                try connection.execute("ALTER DATABASE \(database) RENAME TO \(database)_\(Copy.filled.rawValue)")
            }
        }
    }

    /// Makes two copies of the database while it contains only the office's parties: one to restore, one for the floor.
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

    /// Repeats the work while backends of workers that just ended are still connected.
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

    // MARK: The floor's office

    /// The name of the floor's virtual host and database.
    private var floor: String { database + "_floor" }

    /// Creates a virtual host with the same queues. May be repeated.
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
            // The broker's own user reads the file. It contains no password, only a salted digest, and exists only
            // for a moment.
            try definitions.json().write(to: file)
            defer { try? FileManager.default.removeItem(at: file) }
            _ = try office.servers.rabbitmqctl(["--quiet", "import_definitions", file.path])
        }
    }

    // MARK: More parties

    /// Adds the queues of these units to the office's private broker.
    func addQueues(of units: [UnitID]) throws {
        guard case .own(let office) = place else { throw UserError("this needs a broker of the bench's own") }
        let definitions = Definitions(
            virtualHost: configuration.broker.virtualHost, units: units, sources: [], persons: [], users: [])
        let file = directory.appending(path: "more-definitions.json")
        try definitions.json().write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        _ = try office.servers.rabbitmqctl(["--quiet", "import_definitions", file.path])
    }

    /// Restarts the private broker.
    /// - Returns: the seconds until it answers again.
    func restartBroker() throws -> Double {
        guard case .own(let office) = place else { throw UserError("this needs a broker of the bench's own") }
        let began = Monotonic.now
        try office.servers.restartRabbitMQ()
        return Monotonic.seconds(from: began, to: Monotonic.now)
    }

    var brokerProcessID: pid_t? {
        if case .own(let office) = place { office.servers.rabbitmqProcessID } else { nil }
    }

    var floorAMQPURL: String {
        let user = OfficeConfiguration.operatorUser
        let broker = configuration.broker
        let host = broker.host.contains(":") ? "[\(broker.host)]" : broker.host
        return "amqp://\(user):\(configuration.users[user] ?? "")@\(host):\(broker.port)/\(floor)"
    }

    /// A superuser's: one C program does the work of four workers, and no worker's role may do that of another.
    var floorDatabaseURL: String {
        guard var url = URLComponents(string: administrationURL) else { return administrationURL }
        url.path = "/" + floor
        return url.string ?? administrationURL
    }

    // MARK: Connections

    package func superuser() throws -> PostgreSQL.Connection {
        var settings = PostgreSQL.ConnectionSettings(url: superuserURL)
        settings.applicationName = "bihuan-lab bench"
        let connection = try PostgreSQL.Connection(settings)
        // A checkpoint after many writes takes long.
        try connection.execute("SET statement_timeout = 0")
        return connection
    }

    package func worker() throws -> PostgreSQL.Connection {
        try PostgreSQL.Connection(configuration.databaseSettings("bihuan-lab bench"))
    }

    func operatorBroker(_ name: String) throws -> AMQP.ConnectionSettings {
        var settings = try configuration.operatorBrokerSettings()
        settings.connectionName = "bihuan-lab bench \(name)"
        return settings
    }

    /// Processor seconds of this process and of the servers, as far as these are processes of this machine.
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
