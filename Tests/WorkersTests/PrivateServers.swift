import BrokerTopology
import Contract
import Foundation
import LocalServers
import Testing
import TestOffice

/// Faults of servers that must not affect other tests: one pair of servers for all of them, and one test at a time.
@Suite("with servers of their own", .serialized, .privateServers)
enum PrivateServerTests {}

/// A pair of servers with virtual hosts of its own, which listen at the host's end of a network namespace too where one
/// can be made.
final class PrivateServers: @unchecked Sendable {
    @TaskLocal static var running: PrivateServers?
    private static let offices = 4

    let servers: LocalServers
    let network: NetworkNamespace?
    private let directory: URL

    static func here() throws -> PrivateServers { try #require(running, "the suite did not start its servers") }

    init() throws {
        directory = URL(fileURLWithPath: "/tmp/bihuan-private-\(UUID().uuidString.prefix(8))")
        network = NetworkNamespace.obstacle == nil ? try NetworkNamespace() : nil
        var options = LocalServers.Options()
        options.listenAddress = network?.hostAddress
        // The default limit of a broker.
        options.rabbitmqSettings["max_message_size"] = "\(128 << 20)"
        do {
            servers = try LocalServers.start(in: directory, definitions: try Self.definitions(), options: options)
        } catch {
            network?.remove()
            throw error
        }
        try SmallOffice.makeTemplate(
            superuser: servers.superuserURL,
            owner: servers.databaseURL(
                user: "bihuan_owner", password: TestServers.password, database: TestServers.template))
    }

    func stop() {
        servers.stop()
        network?.remove()
        try? FileManager.default.removeItem(at: directory)
    }

    var testServers: TestServers {
        TestServers(
            databaseURL: servers.superuserURL,
            brokerURL: servers.amqpURL(user: "admin", password: TestServers.password, virtualHost: "/"),
            offices: Self.offices)
    }

    /// An office on these servers.
    func office() throws -> OfficeUnderTest { try OfficeUnderTest(on: testServers) }

    @discardableResult
    func control(_ words: String...) throws -> String { try servers.rabbitmqctl(["-q"] + words) }

    private static func definitions() throws -> Data {
        var joined: [String: [Any]] = [:]
        for number in 1...offices {
            var definitions = SmallOffice.definitions(virtualHost: TestServers.virtualHost(number))
            // A broker that lets bodies of a hundred megabytes wait.
            definitions.inboundBytesMax = 16 << 30
            let one = try definitions.json()
            for (key, value) in try JSONSerialization.jsonObject(with: one) as? [String: [[String: Any]]] ?? [:]
            where key != "users" || number == 1 {
                joined[key, default: []] += value
            }
        }
        return try JSONSerialization.data(withJSONObject: joined)
    }
}

struct PrivateServersTrait: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test, testCase: Test.Case?, performing body: @Sendable () async throws -> Void
    ) async throws {
        let servers = try PrivateServers()
        defer { servers.stop() }
        try await PrivateServers.$running.withValue(servers) { try await body() }
    }
}

extension Trait where Self == PrivateServersTrait {
    static var privateServers: Self { Self() }
}
