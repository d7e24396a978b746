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

/// A whole office whose workers are programs, with parties that send what they like, and everything that it shows.
final class HostileOffice {
    let folder = FileManager.default.temporaryDirectory.appending(path: "bihuan-hostile-\(UUID().uuidString.prefix(8))")
    let office: LocalOffice
    private var clients: [Party: Client] = [:]
    /// What parties got: the id that it answers, and its body.
    private(set) var answers: [(inReplyTo: String, type: String, body: [UInt8])] = []

    /// Handoffs that came and were not signed.
    var unsigned: [String] = []

    private struct Client {
        let connection: AMQP.Connection
        let publisher: Publisher
        let channel: ChannelNumber
    }

    init() async throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // The format of a worker's log is read at its start.
        let program = folder.appending(path: "worker")
        try Data(
            "#!/bin/sh\nexec env BIHUAN_LOG_FORMAT=$(cat '\(folder.path)/format') '\(Program.bihuan)' \"$@\"\n".utf8
        )
        .write(to: program)
        chmod(program.path, 0o755)
        try Data("json".utf8).write(to: folder.appending(path: "format"))
        var options = LocalOffice.Options(directory: folder.appending(path: "office"))
        options.executable = program.path
        let directory = options.directory
        options.workerInstallation = { _ in ["--data", directory.path, "--set", "monitor.sampleSeconds=1"] }
        options.report = { _ in }
        office = try await LocalOffice.start(options)
    }

    func close() {
        for client in clients.values { client.connection.close() }
        office.stop()
        try? FileManager.default.removeItem(at: folder)
    }

    // MARK: Parties

    private func client(_ party: Party) throws -> Client {
        if let client = clients[party] { return client }
        let connection = try AMQP.Connection(try office.configuration.brokerSettings(for: party))
        let client = Client(
            connection: connection, publisher: try Publisher(on: connection), channel: try connection.openChannel())
        clients[party] = client
        return client
    }

    private func exchange(_ party: Party) -> ExchangeName {
        switch party {
        case .unit: ExchangeName(rawValue: Topology.Exchange.feedback)
        case .source: ExchangeName(rawValue: Topology.Exchange.intake)
        case .person: ExchangeName(rawValue: Topology.Exchange.command)
        case .office: ExchangeName(rawValue: Topology.Exchange.work)
        }
    }

    /// - Parameter change: of the properties that the contract wants.
    func send(
        _ body: [UInt8], as party: Party, key: String, messageID: String = UUID().uuidString, type: MessageType,
        change: (inout Properties) -> Void = { _ in }
    ) throws {
        let client = try client(party)
        var properties = Properties(
            contentType: MediaType.cloudEvents, messageID: messageID, type: type.rawValue, userID: party.description)
        change(&properties)
        _ = try client.publisher.publish(
            body, to: exchange(party), key: RoutingKey(rawValue: key), properties: properties, token: 0, deadline: 10)
    }

    func send(_ message: HostileMessage) throws {
        try send(
            message.body, as: message.party, key: message.key, messageID: message.messageID, type: message.type)
    }

    /// An act as the contract wants it.
    func act(
        _ type: MessageType, as party: Party, subject: String? = nil, id: String = UUID().uuidString, data: String
    )
        throws
    {
        let event = """
            {"specversion":"1.0","id":"\(id)","source":"\(party)","type":"\(type.rawValue)",\
            "subject":"\(subject ?? id)","time":"2026-03-02T08:00:00Z","data":\(data)}
            """
        try send(Array(event.utf8), as: party, key: type.routingKey(from: party), type: type)
    }

    /// Waits until the broker has everything.
    func settle() throws {
        for client in clients.values {
            let outcomes = try client.publisher.settle(within: 30).map(\.outcome)
            #expect(outcomes.allSatisfy { $0 == .confirmed })
        }
    }

    /// Takes everything from a queue of a party.
    func take(_ queue: String, of party: Party) throws -> [Delivery] {
        let client = try client(party)
        var taken: [Delivery] = []
        while let delivery = try client.connection.get(QueueName(rawValue: queue), on: client.channel) {
            try client.connection.acknowledge(upTo: delivery.deliveryTag, multiple: false, on: client.channel)
            taken.append(delivery)
        }
        return taken
    }

    /// Reads what the office answered to all who have sent.
    func hear() throws {
        for party in clients.keys {
            guard let queue = Topology.Queue.notice(for: party) else { continue }
            for delivery in try take(queue, of: party) {
                let json = try JSONSerialization.jsonObject(with: Data(delivery.body)) as? [String: Any]
                answers.append(
                    (json?["inreplyto"] as? String ?? "", json?["type"] as? String ?? "", delivery.body))
            }
        }
    }

    func takeUnsigned() throws -> String {
        let handoff = unsigned.popLast()
        return try #require(handoff, "too few handoffs were made")
    }

    // MARK: What is stored

    func rows<S: Statement>(_ statement: S) throws -> [S.Row] {
        var url = try #require(URLComponents(string: office.servers.superuserURL))
        url.path = "/bihuan"
        let superuser = try PostgreSQL.Connection(ConnectionSettings(url: try #require(url.string)))
        defer { superuser.close() }
        return try superuser.run(statement).rows
    }

    // MARK: What is shown

    /// From now on the workers log lines for people; each is stopped in order and comes back.
    func logText() throws {
        try Data("text".utf8).write(to: folder.appending(path: "format"))
        for worker in Worker.allCases { office.workers.signal(SIGTERM, to: worker) }
        for worker in Worker.allCases {
            try eventually("\(worker) is back") {
                try logLines(worker).contains { $0.contains(" \(worker.rawValue) lane ready") }
            }
        }
    }

    func logLines(_ worker: Worker) throws -> [Substring] {
        let text = String(decoding: try Data(contentsOf: office.log(of: worker)), as: UTF8.self)
        // Only this byte ends a line of a file.
        return text.unicodeScalars.split(separator: "\n").map { Substring($0) }
    }

    func command(_ words: String...) throws -> Program.Result {
        try Program.run(Program.bihuan, words + ["--data", office.directory.path])
    }

    func page(_ worker: Worker, _ path: String) throws -> String {
        let port = try #require(office.monitorPorts[worker]?.first)
        let result = try Program.run(
            "/usr/bin/python3",
            [
                "-c", "import sys, urllib.request as r; sys.stdout.buffer.write(r.urlopen(sys.argv[1]).read())",
                "http://127.0.0.1:\(port)\(path)",
            ])
        try #require(result.status == 0, "\(result.errors)")
        return result.output
    }
}
