import AMQP
import BrokerTopology
import Contract
import Foundation
import LocalServers
import TestOffice
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

/// What the broker's management interface adds, and to whom it opens.
@Suite("Rates of queues, from the broker's management interface", .serialized)
struct QueueRateTests {
    private static let perSecond = 20.0

    @Test("a steady publisher's rate is shown for its queue; without the interface there is none, and depths stay")
    func showsRates() throws {
        let office = try ExaminedOffice()
        defer { office.close() }
        func deadlines(_ settings: String...) throws -> MonitoredWorker {
            office.stop(.deadlines)
            let options = (["monitor.sampleSeconds=1"] + settings).flatMap { ["--set", $0] }
            return MonitoredWorker(try office.start(.deadlines, options))
        }
        let silent = try SilentPort()
        defer { silent.close() }
        let dead = try freePort()
        // None is named; the named one is not there; it takes a connection and never answers.
        for settings in [
            [], ["monitor.managementUrl=http://127.0.0.1:\(dead)"],
            ["monitor.managementUrl=http://127.0.0.1:\(silent.port)"],
        ] {
            let worker = try deadlines(settings.first ?? "monitor.host=127.0.0.1")
            try eventually("depths without rates, with \(settings): \((try? worker.metrics()) ?? "")", within: 60) {
                try worker.metrics().contains(
                    #"bihuan_queue_messages{queue="source.web.submit",kind="submit"} "#)
            }
            #expect(try !worker.metrics().contains("_rate{"), "\(settings)")
        }

        let worker = try deadlines("monitor.managementUrl=\(office.servers.managementURL)")
        let web = try SteadySource(office)
        defer { web.close() }
        for direction in ["publish", "deliver"] {
            let name = "bihuan_queue_\(direction)_rate{queue=\"source.web.submit\",kind=\"submit\"}"
            var seen: [Double] = []
            try eventually("\(name) of about \(Self.perSecond), saw \(seen)", within: 60) {
                try web.publish(upTo: Self.perSecond)
                guard let rate = try worker.value(name) else { return false }
                if seen.last != rate { seen.append(rate) }
                return (0.7...1.3).contains(rate / Self.perSecond)
            }
        }
        #expect(try worker.value("bihuan_queue_publish_rate{queue=\"unit.d1.acts\",kind=\"acts\"}") == 0)
        try eventually("it falls when nothing is published", within: 60) {
            try worker.value("bihuan_queue_publish_rate{queue=\"source.web.submit\",kind=\"submit\"}") == 0
        }
    }

    @Test("the interface opens to no party and no worker of the office, whatever it asks for")
    func opensToNoParty() throws {
        let office = try ExaminedOffice()
        defer { office.close() }
        for user in ["unit.c01", "source.web", "person.leader", "office.intake", "office.deadlines"] {
            let password = try office.office.text("secrets/users-\(user.replacing(".", with: "-"))").trimmed
            let access = ManagementAccess(
                try #require(URL(string: office.servers.managementURL)), user: user, password: password,
                broker: .init(host: "", user: "", password: ""))
            for (method, path, body) in [
                ("GET", ["overview"], nil), ("GET", ["queues"], nil),
                ("GET", ["queues", "first", "unit.d1.inbox"], nil),
                ("GET", ["users"], nil), ("GET", ["definitions"], nil), ("GET", ["connections"], nil),
                (
                    "POST", ["queues", "first", "unit.d1.inbox", "get"],
                    #"{"count":1,"ackmode":"ack_requeue_true","encoding":"auto"}"#
                ),
                ("PUT", ["users", user], #"{"password":"x","tags":"administrator"}"#),
                ("PUT", ["permissions", "first", user], #"{"configure":".*","write":".*","read":".*"}"#),
                ("DELETE", ["queues", "first", "unit.d1.inbox"], nil), ("DELETE", ["users", "unit.d1"], nil),
            ] as [(String, [String], String?)] {
                let error = #expect(throws: UserError.self, "\(user): \(method) \(path)") {
                    try access.send(method, path, body.map { Data($0.utf8) })
                }
                #expect(
                    error?.description.contains("the user may not do this") == true,
                    "\(user): \(method) \(path): \(error?.description ?? "")")
            }
        }
        #expect(
            try office.servers.servers.rabbitmqctl(["list_queues", "-p", "first", "name"]).contains("unit.d1.inbox"))
    }
}

/// A worker that answers monitors on a port that its log names.
private final class MonitoredWorker {
    private let log: () -> String

    init(_ log: @escaping () -> String) { self.log = log }

    func metrics() throws -> String {
        guard let port = log().matches(of: /the monitor listens.* port=(\d+)/).last?.1 else { return "" }
        let result = try Program.run(
            "/usr/bin/python3",
            [
                "-c", "import sys, urllib.request as r; sys.stdout.buffer.write(r.urlopen(sys.argv[1]).read())",
                "http://127.0.0.1:\(port)/metrics",
            ])
        return result.output
    }

    /// The value of a series with its labels; `nil` if there is none.
    func value(_ series: String) throws -> Double? {
        try metrics().split(separator: "\n").first { $0.hasPrefix(series + " ") }.flatMap {
            Double($0.dropFirst(series.count + 1))
        }
    }
}

/// Sends reports at a steady rate, however often it is asked to.
private final class SteadySource {
    private let connection: AMQP.Connection
    private let publisher: Publisher
    private let begun = ContinuousClock.now
    private var sent = 0

    init(_ office: ExaminedOffice) throws {
        connection = try AMQP.Connection(
            AMQP.ConnectionSettings(
                host: "127.0.0.1", port: office.servers.servers.rabbitmqPort, virtualHost: "first", user: "source.web",
                password: try office.office.text("secrets/users-source-web").trimmed))
        publisher = try Publisher(on: connection)
    }

    func close() { connection.close() }

    /// Publishes what is due by now.
    func publish(upTo perSecond: Double) throws {
        let due = Int((ContinuousClock.now - begun).inSeconds * perSecond)
        while sent < due {
            let id = UUID().uuidString
            let body = """
                {"specversion":"1.0","id":"\(id)","source":"source.web","type":"bihuan.report.submitted.v1",\
                "subject":"\(id)","time":"2026-03-02T08:00:00Z","data":{"text":"反映某镇干部贪污公款，\(id)。"}}
                """
            _ = try publisher.publish(
                Array(body.utf8), to: ExchangeName(rawValue: Topology.Exchange.intake),
                key: RoutingKey(rawValue: "source.web.report.submitted"), properties: Properties(userID: "source.web"),
                token: 0, deadline: 5)
            sent += 1
        }
        _ = try publisher.settle(within: 5)
    }
}
