import AMQP
import Basics
import BrokerTopology
import Casework
import Contract
import Foundation
import Installation
import LocalServers

/// The private broker of a check: the queues of one unit, its user, and the users of the two workers that the check
/// acts as.
struct CheckBroker {
    private static let virtualHost = "check"
    private static let administrator = "admin"

    private let servers: LocalServers
    private let unit: UnitID
    private let password: String
    /// The password of the office's users and the administrator, used only here.
    private let officePassword: String
    /// A directory to delete at the end; `nil` if the caller's directory is used.
    private let temporary: URL?

    init(
        unit: UnitID, directory given: URL?, port: Int?, password wanted: String?,
        isCancelled: @escaping @Sendable () -> Bool
    ) throws {
        let directory =
            given ?? FileManager.default.temporaryDirectory.appending(path: "bihuan-check-\(UUID().uuidString)")
        try OwnDirectory.claim(directory, mayFill: OwnDirectory.askOnTerminal)
        if let port { try Self.choose(port: port, in: directory) }
        let (password, officePassword) = (try wanted ?? Self.keptPassword(in: directory), randomPassword())
        let parties: [(Party, String)] = [
            (.unit(unit), password), (.office(.routing), officePassword), (.office(.feedback), officePassword),
        ]
        let definitions = Definitions(
            virtualHost: Self.virtualHost, units: [unit], sources: [], persons: [],
            users: parties.map { BrokerUser(party: $0.0, password: $0.1) },
            administrator: (Self.administrator, officePassword))
        var options = LocalServers.Options()
        options.isCancelled = isCancelled
        servers = try LocalServers.start(in: directory, definitions: try definitions.json(), options: options)
        // Both servers start together, and a check needs no database.
        servers.stopPostgreSQL()
        (self.unit, self.password, self.officePassword) = (unit, password, officePassword)
        temporary = given == nil ? directory : nil
        do {
            if let port, servers.rabbitmqPort != port { throw UserError("port \(port) is taken: choose another") }
            try empty()
        } catch {
            stop()
            throw error
        }
    }

    func stop() {
        servers.stop()
        if let temporary { try? FileManager.default.removeItem(at: temporary) }
    }

    func settings(of worker: Worker) -> AMQP.ConnectionSettings { settings(user: Party.office(worker).description) }

    private func settings(user: String) -> AMQP.ConnectionSettings {
        AMQP.ConnectionSettings(
            host: "127.0.0.1", port: servers.rabbitmqPort, virtualHost: Self.virtualHost, user: user,
            password: officePassword)
    }

    /// Purges the unit's queues: a kept directory may contain messages of an earlier check.
    private func empty() throws {
        let connection = try AMQP.Connection(settings(user: Self.administrator))
        defer { connection.close() }
        let channel = try connection.openChannel()
        for queue in [Topology.Queue.express(unit), Topology.Queue.inbox(unit), Topology.Queue.notice(unit)] {
            try connection.purgeQueue(QueueName(rawValue: queue), on: channel)
        }
    }

    var announcement: String {
        let party = Party.unit(unit).description
        return """
            The system of \(party) connects here:

              URL        \(servers.amqpURL(user: party, password: password, virtualHost: Self.virtualHost))
              host       127.0.0.1, port \(servers.rabbitmqPort), virtual host \(Self.virtualHost)
              user       \(party)
              password   \(password)
              reads      \(Topology.Queue.express(unit)), \(Topology.Queue.inbox(unit)), \(Topology.Queue.notice(unit))
              publishes  to \(Topology.Exchange.feedback), keys \(party).<type>, such as \
              \(MessageType.handoffSigned.routingKey(from: .unit(unit)))

            """
    }

    // MARK: Kept between checks

    /// Stores the wanted port in `ports.json`: the servers prefer the ports in it, and choose others for invalid
    /// ones.
    private static func choose(port: Int, in directory: URL) throws {
        let file = directory.appending(path: "ports.json")
        let ports =
            (try? JSONDecoder().decode([String: Int].self, from: Data(contentsOf: file))) ?? [
                "postgresql": 0, "distribution": 0, "epmd": 0,
            ]
        try JSONEncoder().encode(ports.merging(["rabbitmq": port]) { _, new in new }).write(to: file, options: .atomic)
    }

    private static func keptPassword(in directory: URL) throws -> String {
        let file = directory.appending(path: "unit.password")
        try SecretFile.check(file.path)
        if let kept = try? String(contentsOf: file, encoding: .utf8), !kept.isEmpty {
            return kept.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let password = randomPassword()
        try writePrivately(password + "\n", to: file)
        return password
    }
}
