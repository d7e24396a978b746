import AMQP
import BrokerTopology
import Contract
import Foundation
import LocalServers
import PostgreSQL
import TestOffice
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

/// Who has the password of a source: what it opens, and how it is cut off, as docs/threats.md tells.
@Suite("A stolen account", .serialized)
struct StolenAccountTests {
    @Test("it submits as the source, reads what the source would have read, and nothing else; then it is cut off")
    func opensOneDoorAndIsShut() throws {
        let servers = try SetupServers()
        defer { servers.close() }
        let office = try servers.office("stolen")
        #expect(try office.setup().status == 0)
        let workers = try WorkerProcesses(
            .init(
                executable: Program.bihuan,
                arguments: ["--config", office.path("bihuan.yaml"), "--until-input-ends", "--set", "monitor.port=0"],
                countPerWorker: 1, log: { worker in office.folder.appending(path: "\(worker.rawValue).log") },
                report: { _ in }))
        workers.start()
        defer { workers.stop() }

        let stolen = try office.text("secrets/users-source-web").trimmed
        let thief = try Thief(stolen, of: servers)
        #expect(try thief.submit("s-1") == MessageType.reportAccepted.rawValue)
        try thief.isHeldBack()

        // The operator writes another password; the broker gets it, and the connection is closed.
        try office.write("another password\n", to: "secrets/users-source-web", mode: 0o600)
        let changed = try office.setup()
        #expect(changed.status == 0, "\(changed.output)\(changed.errors)")
        #expect(throws: (any Error).self, "the old password opens nothing") { try Thief(stolen, of: servers) }
        #expect(
            try thief.submit("s-2") == MessageType.reportAccepted.rawValue,
            "who is connected stays connected, which is why the operator closes the connections")
        _ = try servers.servers.rabbitmqctl(["close_all_user_connections", "source.web", "new password"])
        try eventually("the thief is out") { thief.isCutOff }
        #expect(throws: (any Error).self) { try Thief(stolen, of: servers) }
        let owner = try Thief("another password", of: servers)
        #expect(try owner.submit("s-3") == MessageType.reportAccepted.rawValue)
        #expect(
            try owner.submit("s-1") == MessageType.reportRejected.rawValue,
            "what was submitted in its name stays, and its id is taken")

        // A deleted user is out at once.
        _ = try servers.servers.rabbitmqctl(["delete_user", "source.web"])
        try eventually("its connection is closed") { owner.isCutOff }
        #expect(throws: (any Error).self) { try Thief("another password", of: servers) }
    }
}

/// A connection as `source.web`.
private final class Thief {
    private let connection: AMQP.Connection
    private let publisher: Publisher
    private let channel: ChannelNumber

    init(_ password: String, of servers: SetupServers) throws {
        let settings = AMQP.ConnectionSettings(
            host: "127.0.0.1", port: servers.servers.rabbitmqPort, virtualHost: "stolen", user: "source.web",
            password: password)
        connection = try AMQP.Connection(settings)
        publisher = try Publisher(on: connection)
        channel = try connection.openChannel()
    }

    deinit { connection.close() }

    /// - Parameter source: what the body says.
    /// - Returns: the type of the answer.
    func submit(_ id: String, source: String = "source.web") throws -> String {
        let body = """
            {"specversion":"1.0","id":"\(id)","source":"\(source)","type":"bihuan.report.submitted.v1",\
            "subject":"\(id)","time":"2026-03-02T08:00:00Z","data":{"text":"反映某镇干部贪污公款，\(UUID().uuidString)。"}}
            """
        _ = try publisher.publish(
            Array(body.utf8), to: ExchangeName(rawValue: Topology.Exchange.intake),
            key: RoutingKey(rawValue: "source.web.report.submitted"), properties: Properties(userID: "source.web"),
            token: 0, deadline: 5)
        _ = try publisher.settle(within: 5)
        var type = ""
        try eventually("an answer to \(id)") {
            guard let answer = try connection.get(QueueName(rawValue: "source.web.notice"), on: channel) else {
                return false
            }
            try connection.acknowledge(upTo: answer.deliveryTag, multiple: false, on: channel)
            let json = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
            type = json?["type"] as? String ?? ""
            return json?["inreplyto"] as? String == id
        }
        return type
    }

    /// What the account does not open. `BrokerRightsTests` tries every queue and exchange.
    func isHeldBack() throws {
        #expect(try submit("s-forged", source: "source.letter") == MessageType.reportRejected.rawValue)
        for queue in [
            "unit.c01.inbox", "unit.c01.notice", "source.web.submit", "bihuan.routing", "person.leader.reply",
        ] {
            let channel = try connection.openChannel()
            #expect(throws: AMQPError.self, "\(queue)") {
                _ = try connection.get(QueueName(rawValue: queue), on: channel)
            }
        }
        for (exchange, key, user) in [
            (Topology.Exchange.feedback, "unit.c01.handoff.signed", "source.web"),
            (Topology.Exchange.command, "person.leader.feedback.recall", "source.web"),
            (Topology.Exchange.intake, "source.letter.report.submitted", "source.web"),
            (Topology.Exchange.intake, "source.web.report.submitted", "unit.c01"),
        ] {
            let publisher = try Publisher(on: connection)
            #expect(throws: AMQPError.self, "\(exchange) \(key) as \(user)") {
                _ = try publisher.publish(
                    [1], to: ExchangeName(rawValue: exchange), key: RoutingKey(rawValue: key),
                    properties: Properties(userID: user), token: 0, deadline: 5)
                _ = try publisher.settle(within: 5)
            }
        }
    }

    var isCutOff: Bool {
        do {
            _ = try connection.openChannel()
            return false
        } catch {
            return true
        }
    }
}
