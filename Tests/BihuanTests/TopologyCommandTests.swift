import AMQP
import CaseStore
import Casework
import Contract
import Foundation
import LocalServers
import PostgreSQL
import Testing
@testable import Basics
@testable import BrokerTopology
@testable import Installation

@testable import bihuan

/// A private broker for each test, and a virtual host for each way to it.
@Suite("bihuan topology", .serialized)
struct TopologyCommandTests {
    @Test("differences of a broker's topology are found, and repaired by rabbitmqctl")
    func repairsByControl() throws {
        let office = try TopologyOffice()
        defer { office.close() }
        try findsAndRepairsDifferences(try office.byControl())
    }

    @Test("differences of a broker's topology are found, and repaired by the management interface")
    func repairsByManagement() throws {
        let office = try TopologyOffice()
        defer { office.close() }
        try findsAndRepairsDifferences(try office.byManagement())
    }

    private func findsAndRepairsDifferences(_ way: TopologyWay) throws {
        try makesEverything(way)
        try repairs(way)
        try changesTheBound(way)
        try namesWhatCannotBeChanged(way)
        try takesRightsAway(way)
        try keepsPasswords(way)
        try way.leave()
    }

    @Test("the broker of amqp.url is asked and no other, and what was tried is said")
    func asksTheRightBroker() throws {
        let office = try TopologyOffice()
        defer { office.close() }
        try comparesTheLongestMessage(try office.byControl(), try office.byManagement())
        try saysWhatWasTried(try office.byControl())
        try loadedIntoANewNode(try office.byControl())
        try asksNobodyElse(try office.byControl())
        try takesWhicheverIsThere(office)
    }

    // MARK: The story, each step from a broker that is as it shall be

    private func makesEverything(_ way: TopologyWay) throws {
        let shown = try way.run("show")
        #expect(
            shown.status == 0 && shown.output.contains("unit.u1-x.inbox")
                && shown.output.contains("monitor.\(way.monitor)") && shown.output.contains("at most 5000000")
                && shown.output.contains("max-channels 256, max-connections 32"), "\(shown.output)")
        let empty = try way.run("diff")
        #expect(empty.status == 1)
        #expect(
            Set(empty.lines).isSuperset(of: [
                "+ virtual host \(way.virtualHost)", "+ user monitor.\(way.monitor)", "+ permission unit.u1",
                "+ topic permission unit.u1 on bihuan.feedback", "+ policy bihuan.notices", "+ exchange bihuan.intake",
                "+ queue unit.u10.inbox", "+ queue unit.u1.acts", "+ queue source.web.submit",
                "+ policy bihuan.inbound", "+ policy bihuan.unroutable",
                "+ binding bihuan.intake -> source.web.submit by \"source.web.#\"",
                "+ binding bihuan.feedback -> unit.u1-x.acts by \"unit.u1-x.#\"",
                "+ binding bihuan.work -> unit.u1.acts by its name",
                "+ binding bihuan.handoff -> unit.u1.inbox by its name",
            ]), "\(empty.output)\(empty.errors)")
        let refused = try way.run("apply")
        #expect(refused.status == 1 && refused.errors.contains("give --passwords FILE"), "\(refused.errors)")
        #expect(try way.run("diff").lines == empty.lines, "a refused apply changes nothing")

        let applied = try way.run("apply", "--passwords", way.passwordFile)
        #expect(applied.status == 0, "\(applied.output)\(applied.errors)")
        #expect(Set(applied.lines).isSuperset(of: empty.lines))
        let mode = try FileManager.default.attributesOfItem(atPath: way.passwordFile)[.posixPermissions]
        #expect(mode as? Int == 0o600)
        let written = try Data(contentsOf: URL(filePath: way.passwordFile))
        try way.isAsItShallBe()
        let again = try way.run("apply", "--passwords", way.passwordFile)
        #expect(again.status == 0 && again.lines == ["nothing to do"], "\(again.output)")
        #expect(try Data(contentsOf: URL(filePath: way.passwordFile)) == written)

        try monitorOnlyLooks(way)
        try limitsConnections(way)
        try printsDefinitions(way)
    }

    private func monitorOnlyLooks(_ way: TopologyWay) throws {
        let monitor = try way.connect("monitor.\(way.monitor)")
        defer { monitor.close() }
        func refusal(_ attempt: (AMQP.Connection, ChannelNumber) throws -> Void) throws -> UInt16? {
            do { try attempt(monitor, try monitor.openChannel()) } catch let error as AMQPError {
                return error.replyCode
            }
            return nil
        }
        for queue in ["source.web.submit", "unit.u1.acts", "bihuan.dead", "unit.u1.inbox", "person.li.reply"] {
            let name = QueueName(rawValue: queue)
            #expect(try refusal { _ = try $0.consume(name, on: $1) } == 403)
            #expect(try refusal { _ = try $0.get(name, on: $1) } == 403)
            #expect(try refusal { _ = try $0.purgeQueue(name, on: $1) } == 403)
            #expect(try refusal { _ = try $0.deleteQueue(name, on: $1) } == 403)
            #expect(
                try refusal { _ = try $0.declareQueue(name, passive: true, on: $1) } == nil,
                "it may ask how deep a queue is")
        }
        for exchange in Topology.Exchange.all + ["", "amq.topic"] {
            let code = try refusal { connection, _ in
                let publisher = try Publisher(on: connection)
                _ = try publisher.publish(
                    [1], to: ExchangeName(rawValue: exchange), key: "unit.u1.inbox", properties: Properties(), token: 0,
                    deadline: 5)
                _ = try publisher.settle(within: 10)
            }
            #expect(code == 403, "\(exchange)")
        }
        #expect(try refusal { _ = try $0.declareQueue("spy", on: $1) } == 403)
        #expect(try refusal { _ = try $0.declareExchange("spy", kind: .fanout, on: $1) } == 403)
    }

    /// The contract tells parties the numbers, and what the broker answers. The broker counts a moment later, so some
    /// more may slip through.
    private func limitsConnections(_ way: TopologyWay) throws {
        func countUntilRefused(_ open: () throws -> Void) throws -> Int {
            for count in 0..<1_000 {
                do { try open() } catch let error as AMQPError {
                    #expect(error.replyCode == 530, "\(error)")
                    return count
                }
            }
            return 1_000
        }
        var open: [AMQP.Connection] = []
        defer { for connection in open { connection.close() } }
        let connections = try countUntilRefused { open.append(try way.connect("unit.u1-x")) }
        #expect((Topology.partyConnectionsMax...Topology.partyConnectionsMax + 8).contains(connections))
        try way.connect("unit.u1").close()
        let channels = try countUntilRefused { _ = try open[0].openChannel() }
        #expect((Topology.partyChannelsMax...Topology.partyChannelsMax + 64).contains(channels), "\(channels)")
    }

    /// The file for `load_definitions` holds the passwords as hashes that fit, and no password.
    private func printsDefinitions(_ way: TopologyWay) throws {
        let passwords = try PasswordFile(URL(filePath: way.passwordFile)).passwords
        let bare = try way.run("show", "--json")
        #expect(bare.errors.contains("users have no password in it"))
        let result = try way.run("show", "--json", "--passwords", way.passwordFile)
        #expect(result.status == 0 && result.errors.isEmpty)
        let file = try JSONDecoder().decode(DefinitionsFile.self, from: Data(result.output.utf8))
        #expect(!passwords.isEmpty && passwords.values.allSatisfy { !result.output.contains($0) })
        for user in file.users {
            #expect(
                PasswordHash.fits(
                    try #require(passwords[user.name]), hash: user.password_hash, algorithm: user.hashing_algorithm))
        }
        let parts = try JSONDecoder().decode(DefinitionsFile.self, from: Data(bare.output.utf8))
        #expect(parts.users.allSatisfy { $0.password_hash.isEmpty })
    }

    /// A node that began with the printed file differs in nothing, and lets the users in.
    private func loadedIntoANewNode(_ way: TopologyWay) throws {
        let printed = try way.run("show", "--json", "--passwords", way.passwordFile)
        let directory = way.office.directory.appending(path: "new")
        let servers = try LocalServers.start(in: directory, definitions: Data(printed.output.utf8))
        defer { servers.stop() }
        let settings = directory.appending(path: "bihuan.yaml")
        try writePrivately(way.office.settings(virtualHost: way.virtualHost, port: servers.rabbitmqPort), to: settings)
        let seen = try Program.run(
            Program.bihuan,
            ["topology", "diff", "--config", settings.path, "--monitor", way.monitor, "--passwords", way.passwordFile])
        #expect(seen.status == 0 && seen.output == "nothing differs\n", "\(seen.output)\(seen.errors)")
        try way.connect("unit.u1", port: servers.rabbitmqPort).close()
    }

    /// The private node of the directory would answer, but is not the broker that the settings name.
    private func asksNobodyElse(_ way: TopologyWay) throws {
        for hosts in ["broker.example:5672", "127.0.0.1:\(way.office.servers.rabbitmqPort),10.0.0.7:5672"] {
            for command in ["diff", "apply"] {
                let refused = try way.run(command, "--set", "amqp.url=amqp://\(hosts)/\(way.virtualHost)")
                #expect(refused.status == 1 && refused.output.isEmpty, "\(refused.output)")
                #expect(
                    refused.errors.contains("amqp.url names ") && refused.errors.contains("give --management http://"),
                    "\(refused.errors)")
            }
        }
        let another = try way.run("apply", "--set", "amqp.url=amqp://127.0.0.1:1/\(way.virtualHost)")
        #expect(
            another.status == 1 && another.errors.contains("a broker that does not listen on port 1,"),
            "\(another.errors)")
    }

    private func takesWhicheverIsThere(_ office: TopologyOffice) throws {
        let port = office.servers.rabbitmqPort
        let control = ControlAccess(try #require(try RabbitMQControl.ofPrivateNode(in: office.directory)))
        let management = ManagementAccess(
            try #require(URL(string: office.managementURL)), user: "operator", password: "operator",
            broker: ConnectionSettings(host: "127.0.0.1", port: port, user: "", password: ""))
        let absent: () throws -> any BrokerAccess = { throw UserError("rabbitmqctl is not installed on this machine") }
        #expect(try BrokerOptions.firstListening(on: [port], [{ control }, absent]).name == control.name)
        #expect(try BrokerOptions.firstListening(on: [port], [absent, { management }]).name == management.name)
        let noNode = ControlAccess(try RabbitMQControl.ofSystemNode("nobody@localhost"))
        #expect(try BrokerOptions.firstListening(on: [port], [{ noNode }, { management }]).name == management.name)
        #expect { try BrokerOptions.firstListening(on: [1], [absent, { control }, { management }]) } throws: { error in
            let lines = "\(error)".split(separator: "\n")
            return lines.count == 4 && lines[0].contains("not installed") && lines[1].hasPrefix(control.name)
                && lines[2].hasPrefix(management.name)
                && lines[1...2].allSatisfy { $0.contains("does not listen on port 1,") }
        }
    }

    /// Changes rights, users and policies of the broker by hand.
    private func disturbRights(_ way: TopologyWay) throws {
        try way.allow("unit.u1", configure: ".*", write: "^bihuan\\.feedback$", read: ".*")
        try way.byHand("DELETE", ["topic-permissions", way.virtualHost, "unit.u10"])
        try way.allowTopic("person.li", "bihuan.command", write: ".*", read: "^$")
        try way.allowTopic("source.web", "amq.topic", write: ".*", read: ".*")
        try way.byHand("DELETE", ["permissions", way.virtualHost, "source.web"])
        try way.setPassword("unit.u1-x", "by-hand", tags: "management,administrator")
        try way.setPassword("unit.old", "old")
        try way.allow("unit.old", read: "^unit\\.u1\\.inbox$")
        // Somebody of another office on the same broker.
        try way.setPassword("unit.elsewhere", "elsewhere")
        try way.allow("unit.elsewhere", in: "/")
        _ = try way.office.servers.rabbitmqctl(["set_user_limits", "unit.u1", "{\"max-connections\":5}"])
        _ = try way.office.servers.rabbitmqctl(["set_user_limits", "office.intake", "{\"max-connections\":1}"])
        for limit in ["max-connections", "max-channels"] {
            try way.byHand("DELETE", ["user-limits", "unit.u10", limit])
        }
        for (name, bytes) in [("bihuan.notices", 1), ("bihuan.old", 2)] {
            _ = try way.office.servers.rabbitmqctl([
                "set_policy", "--vhost", way.virtualHost, "--apply-to", "queues", name, "^unit$",
                "{\"max-length-bytes\":\(bytes)}",
            ])
        }
    }

    private func repairs(_ way: TopologyWay) throws {
        try disturbRights(way)
        let administrator = try way.administrator()
        defer { administrator.close() }
        let channel = try administrator.openChannel()
        try administrator.deleteQueue("person.li.reply", on: channel)
        try administrator.declareQueue("spy", on: channel)
        try administrator.bindQueue("spy", to: "bihuan.handoff", key: "unit.u1.inbox", on: channel)
        try administrator.bindQueue("unit.u1.notice", to: "amq.topic", key: "#", on: channel)
        try administrator.bindQueue(
            "unit.u1.inbox", to: "bihuan.handoff", key: "unit.u1.inbox", arguments: ["x": "y"], on: channel)
        try administrator.declareExchange("bihuan.old", kind: .direct, on: channel)

        let repairable = [
            """
            ~ permission unit.u1: configure \".*\", shall be \"^$\"; read \".*\", shall be \
            \"^unit\\.u1\\.(express|inbox|notice)$\"
            """,
            "~ user unit.u1: max-connections 5, shall be 32", "~ user office.intake: max-connections 1, shall not be",
            "~ user unit.u10: no max-channels, shall be 256; no max-connections, shall be 32",
            "+ permission source.web", "+ topic permission unit.u10 on bihuan.feedback",
            "~ topic permission person.li on bihuan.command: write \".*\", shall be \"^person\\.li\\.\"",
            "~ user unit.u1-x: tags \"administrator,management\", shall be \"\"", "+ queue person.li.reply",
            "+ binding bihuan.notice -> person.li.reply by its name",
            """
            ~ policy bihuan.notices: max-length-bytes 1, shall be \(Topology.noticeBytesMax); no overflow, shall \
            be reject-publish; \
            pattern "^unit$", shall be "\(Topology.Queue.noticePattern)"
            """,
        ]
        let unwanted = [
            "- user unit.old", "- topic permission source.web on amq.topic",
            "- binding bihuan.handoff -> spy by \"unit.u1.inbox\"",
            "- binding amq.topic -> unit.u1.notice by \"#\"",
            "- binding bihuan.handoff -> unit.u1.inbox by its name {x: y}",
            "- exchange bihuan.old", "- policy bihuan.old",
        ]
        let seen = try way.run("diff")
        #expect(seen.status == 1)
        #expect(Set(seen.lines) == Set(repairable + unwanted), "\(seen.output)")
        #expect(seen.errors.contains("operator is no user of the office and has rights here"), "\(seen.errors)")

        let applied = try way.run("apply")
        #expect(applied.status == 0, "\(applied.output)\(applied.errors)")
        #expect(
            Set(applied.lines)
                == Set(repairable + unwanted.map { "left: \($0)" } + ["--prune removes what is not wanted"]))
        let pruned = try way.run("apply", "--prune")
        #expect(pruned.status == 0, "\(pruned.output)\(pruned.errors)")
        #expect(Set(pruned.lines) == Set(unwanted))
        try way.isAsItShallBe()
        let users = try way.users
        #expect(users.contains("unit.elsewhere") && users.contains("operator") && !users.contains("unit.old"))
        try administrator.deleteQueue("spy", on: channel)
        try way.byHand("DELETE", ["users", "unit.elsewhere"])
        // Its password was kept while its tags were corrected.
        try way.connect("unit.u1-x", password: "by-hand").close()
        // So was theirs while their limits were.
        for user in ["unit.u1", "unit.u10", "office.intake"] { try way.connect(user).close() }
    }

    /// Arguments of a queue cannot be changed, a policy can.
    private func changesTheBound(_ way: TopologyWay) throws {
        let smaller = ["--set", "amqp.inboundBytesMax=2000000"]
        let line = "~ policy bihuan.inbound: max-length-bytes 5000000, shall be 2000000"
        #expect(try way.run("apply", smaller[0], smaller[1]).lines == [line])
        #expect(try way.run("apply").lines == ["~ policy bihuan.inbound: max-length-bytes 2000000, shall be 5000000"])
        let refused = try way.run("diff", "--set", "amqp.inboundBytesMax=1000")
        #expect(
            refused.status == 1
                && refused.errors.contains(
                    "amqp.inboundBytesMax: must be a whole number from 1048576 to 1099511627776"),
            "\(refused.errors)")
    }

    private func namesWhatCannotBeChanged(_ way: TopologyWay) throws {
        let administrator = try way.administrator()
        defer { administrator.close() }
        let channel = try administrator.openChannel()
        try administrator.deleteQueue("unit.u1.inbox", on: channel)
        try administrator.declareQueue(
            "unit.u1.inbox", arguments: ["x-queue-type": "quorum", "x-delivery-limit": 3], on: channel)
        try administrator.deleteExchange("bihuan.notice", on: channel)
        try administrator.declareExchange("bihuan.notice", kind: .topic, on: channel)
        let missing =
            way.noticeQueues.map { "+ binding bihuan.notice -> \($0) by its name" } + [
                "+ binding bihuan.handoff -> unit.u1.inbox by its name"
            ]
        let fixed = [
            """
            ~ queue unit.u1.inbox: no x-dead-letter-exchange, shall be bihuan.dead; no x-dead-letter-strategy, \
            shall be at-least-once; \
            x-delivery-limit 3, shall be 100000; no x-overflow, shall be reject-publish (cannot be changed in \
            place)
            """,
            "~ exchange bihuan.notice: type topic, shall be direct (cannot be changed in place)",
        ]
        let seen = try way.run("diff")
        #expect(Set(seen.lines) == Set(missing + fixed), "\(seen.output)")
        let applied = try way.run("apply", "--prune", "--with-messages")
        #expect(applied.status == 1, "what is left is no success")
        #expect(Set(applied.lines).isSuperset(of: missing + fixed.map { "left: \($0)" }), "\(applied.output)")
        try administrator.deleteQueue("unit.u1.inbox", on: channel)
        try administrator.deleteExchange("bihuan.notice", on: channel)
        #expect(try way.run("apply").status == 0)
        try way.isAsItShallBe()
    }

    /// The broker's own setting, which only rabbitmqctl can show, and only its operator can change.
    private func comparesTheLongestMessage(_ way: TopologyWay, _ other: TopologyWay) throws {
        func set(_ bytes: Int) throws {
            _ = try way.office.servers.rabbitmqctl(["eval", "application:set_env(rabbit, max_message_size, \(bytes))."])
        }
        #expect(try way.run("apply", "--passwords", way.passwordFile).status == 0)
        for bytes in [134_217_728, 262_143] {
            try set(bytes)
            let line =
                """
                ~ setting max_message_size: \(bytes), shall be 262144 to 2097152: set it in the broker's \
                rabbitmq.conf and restart it
                """
            let seen = try way.run("diff")
            #expect(seen.status == 1 && seen.lines == [line], "\(seen.output)\(seen.errors)")
            let applied = try way.run("apply")
            #expect(applied.status == 1 && applied.lines == ["left: \(line)"], "\(applied.output)")
        }
        try set(262_144)
        try way.isAsItShallBe()
        try set(2_097_152)
        #expect(try other.run("diff").errors.contains("max_message_size"))
        try way.leave()
    }

    private func takesRightsAway(_ way: TopologyWay) throws {
        let administrator = try way.administrator()
        defer { administrator.close() }
        let publisher = try Publisher(on: administrator)
        _ = try publisher.publish(
            [1], to: .default, key: "unit.u10.inbox", properties: Properties(), token: 0, deadline: 5)
        #expect(try publisher.settle(within: 10).map(\.outcome) == [.confirmed])
        let unit = try way.connect("unit.u10")
        let channel = try unit.openChannel()
        _ = try unit.consume("unit.u10.express", on: channel)
        // As a worker of the office does, which goes on without it.
        _ = try administrator.consume("unit.u10.acts", on: try administrator.openChannel())

        try way.office.enter(active: false, "u10")
        let seen = try way.run("diff")
        #expect(
            Set(seen.lines).isSuperset(of: ["- user unit.u10", "- queue unit.u10.inbox", "- queue unit.u10.notice"]),
            "\(seen.output)")
        #expect(try way.run("apply").status == 0, "nothing is removed unless it is asked for")
        try way.connect("unit.u10").close()

        let pruned = try way.run("apply", "--prune")
        #expect(pruned.status == 1)
        #expect(
            Set(pruned.lines).isSuperset(of: ["- user unit.u10", "- queue unit.u10.notice", "- queue unit.u10.acts"]),
            "\(pruned.output)")
        #expect(pruned.lines.contains("left: - queue unit.u10.inbox"))
        #expect(
            pruned.lines.contains { $0.hasPrefix("queue unit.u10.inbox was kept: it holds 1 messages") },
            "\(pruned.output)")
        #expect(throws: AMQPError.self, "its connection was ended with the user") {
            while try unit.nextEvent(within: 10) != nil {}
            try unit.closeChannel(channel)
        }
        unit.close()
        #expect { try way.connect("unit.u10") } throws: { ($0 as? AMQPError)?.code == .authenticationFailed }

        let removed = try way.run("apply", "--prune", "--with-messages")
        #expect(removed.status == 0 && removed.lines.contains("- queue unit.u10.inbox"), "\(removed.output)")
        try way.isAsItShallBe()
        try way.office.enter(active: true, "u10")
        #expect(try way.run("apply", "--passwords", way.passwordFile).status == 0)
        // The password in the file is used again.
        try way.connect("unit.u10").close()
    }

    private func keepsPasswords(_ way: TopologyWay) throws {
        let file = URL(filePath: way.passwordFile)
        let text = try String(contentsOf: file, encoding: .utf8)
        let password = try #require(try PasswordFile(file).passwords["unit.u1"])
        try way.setPassword("unit.u1", "by-hand")
        try way.isAsItShallBe()
        let notTheirs = ["~ user unit.u1: the password is not the one given"]
        #expect(try way.run("diff", "--passwords", file.path).lines == notTheirs)
        #expect(try way.run("apply").lines == ["nothing to do"])
        try way.connect("unit.u1", password: "by-hand").close()
        let applied = try way.run("apply", "--passwords", file.path)
        #expect(applied.lines == notTheirs, "\(applied.output)\(applied.errors)")
        try way.connect("unit.u1", password: password).close()
        #expect(try String(contentsOf: file, encoding: .utf8) == text)
    }

    private func saysWhatWasTried(_ way: TopologyWay) throws {
        let noNode = try way.run("diff", "--node", "nobody@localhost")
        #expect(noNode.status == 1)
        #expect(
            noNode.errors.contains("rabbitmqctl for the node nobody@localhost was tried and failed"), "\(noNode.errors)"
        )
        #expect(noNode.errors.contains("--management URL"))
        let nobody = try way.run("diff", "--management", "http://127.0.0.1:1")
        #expect(
            nobody.status == 1
                && nobody.errors.contains("http://127.0.0.1:1 as user operator was tried and does not answer"),
            "\(nobody.errors)")
        let wrong = way.office.directory.appending(path: "wrong").path
        try writePrivately("wrong\n", to: URL(filePath: wrong))
        let refused = try way.run("diff", "--management", way.office.managementURL, "--management-password-file", wrong)
        #expect(
            refused.status == 1 && refused.errors.contains("it refuses the user or the password"), "\(refused.errors)")
        let elsewhere = try way.run(
            "diff", "--management", way.office.managementURL, "--set", "amqp.url=amqp://localhost:1/\(way.virtualHost)")
        #expect(elsewhere.errors.contains("is it the same broker?"), "\(elsewhere.errors)")
        #expect(try way.run("diff", "--monitor", "a.b").errors.contains("--monitor takes a name"))
    }
}

/// Values only, no broker.
@Suite("The difference between two topologies")
struct TopologyDifferenceTests {
    private let wanted = OfficeTopology(
        virtualHost: "v", units: ["u1"].map { UnitID(unchecked: $0) }, sources: [], persons: [], monitors: []
    ).file(passwords: ["unit.u1": "secret"])

    private func lines(_ change: (inout DefinitionsFile) -> Void) -> [String] {
        var found = wanted
        change(&found)
        return TopologyDifference(
            wanted: wanted, found: found, virtualHost: "v", messageBytesMax: nil, passwords: ["unit.u1": "secret"]
        ).lines.map(\.description)
    }

    @Test("a topology equals itself in any order, whatever belongs to another virtual host")
    func findsNoDifferenceToItself() {
        #expect(lines { _ in } == [])
        #expect(lines { $0.queues.reverse() } == [])
        #expect(
            lines { file in
                file.users.append(.init(name: "unit.u2", password_hash: "", tags: ""))
                file.permissions.append(.init(user: "unit.u2", vhost: "w", configure: "", write: "", read: ""))
                file.queues.append(.init(name: "unit.u2.inbox", vhost: "w", arguments: [:]))
                file.bindings.append(
                    .init(source: "bihuan.work", vhost: "w", destination: "unit.u2.inbox", routing_key: "x"))
            } == [])
    }

    @Test("a user without any rights is one too many; another office's user loses only its rights here")
    func findsExtraUsers() {
        #expect(
            lines { $0.users.append(.init(name: "office.console", password_hash: "", tags: "")) } == [
                "- user office.console"
            ])
        #expect(lines { $0.users.append(.init(name: "guest", password_hash: "", tags: "administrator")) } == [])
        #expect(
            lines { file in
                file.users.append(.init(name: "unit.u2", password_hash: "", tags: ""))
                for host in ["v", "w"] {
                    file.permissions.append(.init(user: "unit.u2", vhost: host, configure: "", write: "", read: ".*"))
                }
            } == ["- permission unit.u2"])
    }

    @Test("the limits of a user are compared")
    func findsLimits() throws {
        let (unit, worker) = (
            try #require(wanted.users.firstIndex { $0.name == "unit.u1" }),
            try #require(wanted.users.firstIndex { $0.name == "office.intake" })
        )
        #expect(
            lines { file in
                file.users[unit].limits = ["max-connections": 5, "max-queues": 1]
                file.users[worker].limits = ["max-channels": -1]
            } == [
                "~ user office.intake: max-channels -1, shall not be",
                """
                ~ user unit.u1: no max-channels, shall be 256; max-connections 5, shall be 32; max-queues 1, shall \
                not be
                """,
            ])
    }

    @Test("a queue of an earlier version is no difference, unless one of our exchanges still fills it")
    func findsRetiredQueues() {
        var found = wanted
        found.queues.append(.init(name: "bihuan.feedback", vhost: "v", arguments: [:]))
        func difference() -> TopologyDifference {
            TopologyDifference(
                wanted: wanted, found: found, virtualHost: "v", messageBytesMax: 262_144,
                passwords: ["unit.u1": "secret"])
        }
        #expect(difference().isEmpty && difference().notes.contains { $0.hasPrefix("the queue bihuan.feedback is of") })
        found.bindings.append(
            .init(source: "bihuan.feedback", vhost: "v", destination: "bihuan.feedback", routing_key: "#"))
        let bound = difference()
        #expect(bound.lines.map(\.description) == ["- binding bihuan.feedback -> bihuan.feedback by \"#\""])
        #expect(bound.lines.allSatisfy { !$0.needsPrune } && bound.removals.isEmpty)
        #expect(!bound.notes.contains { $0.contains("earlier version") })
        // What the office's exchanges have nothing to do with is for --prune.
        found.bindings =
            wanted.bindings + [
                .init(source: "amq.topic", vhost: "v", destination: "bihuan.feedback", routing_key: "#")
            ]
        #expect(difference().lines.map(\.needsPrune) == [true])
    }

    @Test("a queue that is not durable, or deletes itself, differs")
    func findsQueuesThatAreNotDurable() throws {
        let index = try #require(wanted.queues.firstIndex { $0.name == "unit.u1.inbox" })
        #expect(
            lines { $0.queues[index].durable = false } == [
                "~ queue unit.u1.inbox: not durable (cannot be changed in place)"
            ])
        #expect(
            lines { $0.queues[index].arguments["x-max-length"] = .number(5) } == [
                "~ queue unit.u1.inbox: x-max-length 5, shall not be (cannot be changed in place)"
            ])
    }

    @Test("a bad line of a password file is refused by number; comments and blank lines are skipped")
    func refusesUnreadablePasswordFile() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "passwords-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        #expect(try PasswordFile(file).passwords.isEmpty, "one that is not there has none")
        try writePrivately("# by hand\n\nunit.u1 a\nunit.u2\tb", to: file)
        var passwords = try PasswordFile(file)
        #expect(passwords.passwords == ["unit.u1": "a", "unit.u2": "b"])
        try passwords.add(["unit.u3": "c"])
        #expect(try String(contentsOf: file, encoding: .utf8) == "# by hand\n\nunit.u1 a\nunit.u2\tb\nunit.u3 c\n")
        for (bad, words) in [
            ("unit.u1\n", "line 1 of"), ("unit.u1 a b\n", "line 1 of"),
            ("unit.u1 a\nunit.u1 b\n", "unit.u1 a second time"),
        ] {
            try writePrivately(bad, to: file)
            #expect { try PasswordFile(file) } throws: { ($0 as? UserError)?.description.contains(words) == true }
        }
    }
}
