public import AMQP
import Foundation

/// The pair of servers that a test run shares, as `TestServers` starts and announces it in the environment.
///
/// Every test has a database of its own, made from a migrated template, and a virtual host of its own, out of a pool
/// that the node was started with.
public struct TestServers: Sendable {
    public static let databaseVariable = "TEST_BIHUAN_DATABASE_URL"
    public static let brokerVariable = "TEST_BIHUAN_AMQP_URL"
    public static let officesVariable = "TEST_BIHUAN_OFFICES"
    public static let template = "bihuan_template"
    public static let password = "test"
    /// A role with the rights of all workers, for tests that look at tables as a worker might.
    public static let everyWorker = "bihuan_every_worker"
    public static func virtualHost(_ number: Int) -> String { "office-\(number)" }

    /// As a superuser.
    public let databaseURL: String
    /// As a superuser, where it is known which virtual hosts are taken: one place for all who share the broker,
    /// wherever their databases are.
    public let poolURL: String
    /// As an administrator.
    public let brokerURL: String
    /// How many virtual hosts wait in the pool.
    public let offices: Int

    /// `nil` where no servers were announced: suites that need them say so and are skipped.
    public static let announced: TestServers? = {
        let environment = ProcessInfo.processInfo.environment
        guard let database = environment[databaseVariable], let broker = environment[brokerVariable],
            let offices = environment[officesVariable].flatMap(Int.init)
        else { return nil }
        return TestServers(databaseURL: database, brokerURL: broker, offices: offices)
    }()

    public static let missing = "needs the servers that deploy/test starts"

    /// - Parameter poolURL: where the databases are; the environment's by default.
    public init(databaseURL: String, poolURL: String? = nil, brokerURL: String, offices: Int) {
        self.databaseURL = databaseURL
        self.poolURL = poolURL ?? databaseURL
        self.brokerURL = brokerURL
        self.offices = offices
    }

    /// A connection string for another database or user of the same cluster.
    public func databaseURL(user: String? = nil, database: String) -> String {
        guard var url = URLComponents(string: databaseURL) else { return databaseURL }
        url.path = "/" + database
        if let user {
            url.user = user
            url.password = TestServers.password
        }
        return url.string ?? databaseURL
    }

    public func broker(user: String, virtualHost: String) throws -> AMQP.ConnectionSettings {
        var settings = try AMQP.ConnectionSettings(url: brokerURL)
        settings.user = user
        settings.password = TestServers.password
        settings.virtualHost = virtualHost
        return settings
    }
}
