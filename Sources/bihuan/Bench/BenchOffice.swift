import AMQP
import Casework
import Contract
import Demo
import Foundation
import LocalServers
import PostgreSQL

/// The office that is measured, whose workers the bench starts and stops itself: on private servers with the sample's parties, or on
/// servers that are there already.
final class BenchOffice: @unchecked Sendable {
    private enum Place {
        case own(LocalOffice)
        case given(GivenServers)
    }

    let configuration: OfficeConfiguration
    let directory: URL
    private let place: Place
    /// A superuser's, in the office's own database and in the one to make others from.
    private let superuserURL, administrationURL: String
    private let databaseProcessID: pid_t?

    /// Starts servers in `directory`, which is made if missing.
    static func start(in directory: URL, executable: String, isCancelled: @escaping @Sendable () -> Bool) async throws -> BenchOffice {
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
        guard var superuser = URLComponents(string: administrationURL) else { throw UserError("the database has no URL") }
        superuser.path = "/" + OfficeEntry.database
        superuserURL = superuser.string ?? ""
        databaseProcessID = office.servers.postgresqlProcessID
        try copyForFloor(of: OfficeEntry.database)
    }

    /// On servers that are there; what is made on them goes with `stop`.
    init(on servers: GivenServers, directory: URL) throws {
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
        try copyForFloor(of: servers.name)
    }

    func stop() {
        switch place {
        case .own(let office): office.stop()
        case .given(let servers): servers.remove()
        }
    }

    // MARK: An office of its own for the floor

    /// What the floor's virtual host and database are called.
    private var floor: String {
        switch place {
        case .own: "bihuan_floor"
        case .given(let servers): servers.name + "_floor"
        }
    }

    /// A second database while the first holds nothing but whom the office knows.
    private func copyForFloor(of template: String) throws {
        let connection = try PostgreSQL.Connection(PostgreSQL.ConnectionSettings(url: administrationURL))
        defer { connection.close() }
        let deadline = ContinuousClock.now + .seconds(10)
        while true {
            do throws(PostgreSQLError) {
                return try connection.execute("CREATE DATABASE \(floor) TEMPLATE \(template)")
            } catch {
                // The backends of the workers may still be there for a moment.
                let objectInUse = "55006"
                guard error.sqlState == objectInUse, ContinuousClock.now < deadline else { throw error }
                Monotonic.sleep(seconds: 0.05)
            }
        }
    }

    /// A virtual host with the same queues. May be called again.
    func prepareFloor() throws {
        switch place {
        case .given(let servers): try servers.add(servers.definitions(virtualHost: floor, users: []))
        case .own(let office):
            let user = OfficeConfiguration.operatorUser
            let sample = SampleOffice.standard
            let definitions = Definitions(
                virtualHost: floor, units: sample.units.map(\.id), sources: sample.sources.map(\.id), persons: sample.persons.map(\.id),
                users: [], administrator: (user, configuration.users[user] ?? ""))
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

    func superuser() throws -> PostgreSQL.Connection {
        var settings = PostgreSQL.ConnectionSettings(url: superuserURL)
        settings.applicationName = "bihuan bench"
        let connection = try PostgreSQL.Connection(settings)
        // A checkpoint of much that was written takes its time.
        try connection.execute("SET statement_timeout = 0")
        return connection
    }

    func worker() throws -> PostgreSQL.Connection {
        try PostgreSQL.Connection(configuration.workerDatabaseSettings("bihuan bench"))
    }

    func operatorBroker(_ name: String) throws -> AMQP.ConnectionSettings {
        var settings = try configuration.operatorBrokerSettings()
        settings.connectionName = "bihuan bench \(name)"
        return settings
    }

    /// Processor seconds of the servers, as far as they are processes of this machine that can be found, and of this process.
    func cpuTimes() -> CPUTimes {
        var times = CPUTimes()
        if case .own(let office) = place, let id = office.servers.rabbitmqProcessID {
            times.seconds["broker"] = ProcessUsage.cpuSeconds(of: id)?.own
        }
        if let databaseProcessID { times.seconds["database"] = ProcessUsage.cpuSecondsWithChildren(of: databaseProcessID) }
        times.seconds["bench"] = ProcessUsage.cpuSeconds(of: getpid())?.own
        return times
    }
}
