import Basics
import BrokerTopology
import Casework
import Contract
import Foundation
import Testing

/// Reads the definitions file as RabbitMQ does: as JSON with RabbitMQ's own names.
@Suite("Topology")
struct TopologyTests {
    struct File: Decodable {
        struct Named: Decodable { var name: String }
        struct User: Decodable {
            var name, password_hash, tags: String
            var limits: [String: Int]
        }
        struct Permission: Decodable { var user, vhost, configure, write, read: String }
        struct TopicPermission: Decodable { var user, vhost, exchange, write, read: String }
        struct Exchange: Decodable {
            var name, vhost, type: String
            var durable: Bool
            var auto_delete: Bool
            var arguments: [String: String]
        }
        struct Queue: Decodable {
            var name, vhost: String
            var durable: Bool
            var auto_delete: Bool
            var arguments: Arguments
        }
        struct Arguments: Decodable, Equatable {
            var type: String
            var deliveryLimit: Int
            var deadLetterExchange: String?
            var deadLetterStrategy: String?
            var overflow: String?
            var singleActiveConsumer: Bool?

            enum CodingKeys: String, CodingKey {
                case type = "x-queue-type"
                case deliveryLimit = "x-delivery-limit"
                case deadLetterExchange = "x-dead-letter-exchange"
                case deadLetterStrategy = "x-dead-letter-strategy"
                case overflow = "x-overflow"
                case singleActiveConsumer = "x-single-active-consumer"
            }
        }
        struct Binding: Decodable, Hashable { var source, destination, destination_type, routing_key: String }
        struct Policy: Decodable {
            var name, pattern: String
            var definition: Bound
        }
        struct Bound: Decodable, Equatable {
            var bytesMax: Int
            var overflow: String
            enum CodingKeys: String, CodingKey {
                case overflow
                case bytesMax = "max-length-bytes"
            }
        }

        var users: [User]
        var vhosts: [Named]
        var permissions: [Permission]
        var topic_permissions: [TopicPermission]
        var exchanges: [Exchange]
        var queues: [Queue]
        var bindings: [Binding]
        var policies: [Policy]
    }

    static let parties = [
        "unit.d1", "unit.d10", "unit.d1-x", "source.web", "source.web2", "person.li", "person.lili", "office.intake",
        "office.routing",
        "office.deadlines", "office.feedback",
    ]
    static let monitors = ["prometheus", "p"]

    static func file(inboundBytesMax: Int = 1 << 24) throws -> (file: File, bytes: Data) {
        let definitions = Definitions(
            virtualHost: "bihuan", units: ["d1", "d10", "d1-x"].map { UnitID(unchecked: $0) },
            sources: ["web", "web2"].map { SourceID(unchecked: $0) },
            persons: ["li", "lili"].map { PersonID(unchecked: $0) },
            users: parties.compactMap { Party($0) }.map { BrokerUser(party: $0, password: "secret-\($0)") }
                + monitors.map { BrokerUser(.monitor($0), password: "secret-\($0)") },
            inboundBytesMax: inboundBytesMax)
        let bytes = try definitions.json()
        return (try JSONDecoder().decode(File.self, from: bytes), bytes)
    }

    @Test("every queue is a durable quorum queue with no effective delivery limit; only the last ones drop messages")
    func queuesAreDurableAndKeepMessages() throws {
        let file = try Self.file().file
        let dying = File.Arguments(
            type: "quorum", deliveryLimit: 100_000, deadLetterExchange: "bihuan.dead",
            deadLetterStrategy: "at-least-once", overflow: "reject-publish")
        let last = File.Arguments(type: "quorum", deliveryLimit: 100_000)
        // The messages of a party are read by one lane at a time, in the order in which it sent them.
        var inOrder = dying
        inOrder.singleActiveConsumer = true
        for queue in file.queues {
            switch queue.name {
            case "bihuan.unroutable", "bihuan.dead": #expect(queue.arguments == last, "\(queue.name)")
            case let name where name.hasSuffix(".acts") || name.hasSuffix(".submit"):
                #expect(queue.arguments == inOrder, "\(name)")
            default: #expect(queue.arguments == dying, "\(queue.name)")
            }
            #expect(queue.durable && !queue.auto_delete && queue.vhost == "bihuan")
        }
        #expect(Set(file.queues.map(\.name)).count == file.queues.count)
        #expect(
            Set(file.queues.map(\.name)) == [
                "bihuan.routing", "bihuan.routing.express", "bihuan.unroutable", "bihuan.dead",
                "bihuan.command.intake", "bihuan.command.routing", "bihuan.command.deadlines",
                "bihuan.command.feedback",
                "unit.d1.inbox", "unit.d1.express", "unit.d1.notice", "unit.d10.inbox", "unit.d10.express",
                "unit.d10.notice",
                "unit.d1-x.inbox", "unit.d1-x.express", "unit.d1-x.notice", "source.web.notice", "source.web2.notice",
                "person.li.reply",
                "person.lili.reply", "unit.d1.acts", "unit.d10.acts", "unit.d1-x.acts", "source.web.submit",
                "source.web2.submit",
            ])
    }

    @Test("outsiders' exchanges are topics with an alternate; the office's are direct and return a message")
    func exchangesReturnOrForward() throws {
        let file = try Self.file().file
        let found = Dictionary(
            uniqueKeysWithValues: file.exchanges.map { ($0.name, ($0.type, $0.arguments["alternate-exchange"])) })
        for name in ["bihuan.intake", "bihuan.feedback", "bihuan.command"] {
            #expect(found[name]?.0 == "topic" && found[name]?.1 == "bihuan.unroutable", "\(name)")
        }
        for name in ["bihuan.work", "bihuan.handoff", "bihuan.notice"] {
            #expect(found[name]?.0 == "direct" && found[name]?.1 == nil, "\(name)")
        }
        for name in ["bihuan.unroutable", "bihuan.dead"] {
            #expect(found[name]?.0 == "fanout" && found[name]?.1 == nil, "\(name)")
        }
        #expect(found.count == 8 && file.exchanges.allSatisfy { $0.durable && !$0.auto_delete })
    }

    @Test("every queue is bound, by its own name where the exchange is direct")
    func bindsEveryQueue() throws {
        let file = try Self.file().file
        #expect(Set(file.bindings.map(\.destination)) == Set(file.queues.map(\.name)))
        let direct = Set(file.exchanges.filter { $0.type == "direct" }.map(\.name))
        for binding in file.bindings where direct.contains(binding.source) {
            #expect(binding.routing_key == binding.destination)
        }
        func has(_ source: String, _ queue: String, _ key: String) -> Bool {
            file.bindings.contains(
                .init(source: source, destination: queue, destination_type: "queue", routing_key: key))
        }
        #expect(has("bihuan.intake", "source.web.submit", "source.web.#"))
        #expect(has("bihuan.feedback", "unit.d1.acts", "unit.d1.#"))
        #expect(has("bihuan.work", "unit.d1.acts", "unit.d1.acts"), "the way of the markers")
        // What an unregistered sender publishes is taken by no queue, and so by the alternate exchange.
        #expect(!file.bindings.contains { $0.routing_key == "#" })
        #expect(has("bihuan.command", "bihuan.command.feedback", "*.*.feedback.#"))
        #expect(has("bihuan.handoff", "unit.d1.inbox", "unit.d1.inbox"))
        #expect(has("bihuan.notice", "person.li.reply", "person.li.reply"))
    }

    /// User, what it may read, what it may write; of all queues and exchanges, nothing else.
    static let rights: [(String, Set<String>, Set<String>)] = [
        ("unit.d1", ["unit.d1.inbox", "unit.d1.express", "unit.d1.notice"], ["bihuan.feedback"]),
        ("unit.d10", ["unit.d10.inbox", "unit.d10.express", "unit.d10.notice"], ["bihuan.feedback"]),
        ("unit.d1-x", ["unit.d1-x.inbox", "unit.d1-x.express", "unit.d1-x.notice"], ["bihuan.feedback"]),
        ("source.web", ["source.web.notice"], ["bihuan.intake"]),
        ("source.web2", ["source.web2.notice"], ["bihuan.intake"]),
        ("person.li", ["person.li.reply"], ["bihuan.command"]),
        ("person.lili", ["person.lili.reply"], ["bihuan.command"]),
        (
            "office.intake", ["bihuan.command.intake", "source.web.submit", "source.web2.submit"],
            ["bihuan.work", "bihuan.notice", "bihuan.handoff"]
        ),
        (
            "office.routing", ["bihuan.routing", "bihuan.routing.express", "bihuan.command.routing"],
            ["bihuan.notice", "bihuan.handoff"]
        ),
        ("office.deadlines", ["bihuan.command.deadlines"], ["bihuan.notice"]),
        (
            "office.feedback",
            [
                "bihuan.unroutable", "bihuan.dead", "bihuan.command.feedback", "unit.d1.acts", "unit.d10.acts",
                "unit.d1-x.acts",
            ],
            ["bihuan.work", "bihuan.notice", "bihuan.handoff"]
        ),
        ("monitor.prometheus", [], []), ("monitor.p", [], []),
    ]

    @Test("a user reads its own queues, writes its own exchange, and configures nothing", arguments: rights)
    func limitsUserToItsOwn(user: String, reads: Set<String>, writes: Set<String>) throws {
        let file = try Self.file().file
        let mine = file.permissions.filter { $0.user == user }
        let permission = try #require(mine.first)
        #expect(mine.count == 1 && permission.vhost == "bihuan")
        // Server-named queues, other people's queues, and names that only begin or end like one's own.
        let strange = [
            "amq.gen-1", "amq.topic", "unit.d1.inbox.x", "x.unit.d1.inbox", "unit.d1xinbox", "unit.d1.",
            "unit.d1.outbox", "bihuanxfeedback", "source.web.submit.copy", "x.source.web.submit", "source..submit",
            "source.a.b.submit", "unit.a.b.acts", "unit.d1.acts.copy", "unit.d1xacts", "unit.D1.acts", "source.acts",
            "unit.submit",
        ]
        // A broker of an earlier version may still hold the queue that all parties shared; its name is an exchange's.
        let retired: [String: Set<String>] = [
            "office.intake": ["bihuan.intake"], "office.feedback": ["bihuan.feedback"],
        ]
        let names = file.queues.map(\.name) + file.exchanges.map(\.name) + strange
        #expect(
            try Set(names.filter { try matches(permission.read, $0) })
                == reads.union(retired[user] ?? []))
        #expect(try Set(names.filter { try matches(permission.write, $0) }) == writes)
        #expect(try names.filter { try matches(permission.configure, $0) }.isEmpty)
    }

    @Test("what one party sends is bounded, and so is what no queue takes; the broker refuses more")
    func boundsWhatPartiesSend() throws {
        let file = try Self.file(inboundBytesMax: 5_000_000).file
        func bound(_ queue: String) throws -> File.Bound? {
            let found = try file.policies.filter { try matches($0.pattern, queue) }
            #expect(found.count <= 1, "\(queue): of two policies only one would apply")
            return found.first?.definition
        }
        for queue in file.queues.map(\.name) {
            let bytesMax: Int? =
                switch queue {
                case let name where name.hasSuffix(".acts") || name.hasSuffix(".submit"): 5_000_000
                case let name where name.hasSuffix(".notice") || name.hasSuffix(".reply"): Topology.noticeBytesMax
                case "bihuan.unroutable": Topology.unroutableBytesMax
                default: nil
                }
            #expect(
                try bound(queue) == bytesMax.map { File.Bound(bytesMax: $0, overflow: "reject-publish") }, "\(queue)")
        }
        for queue in ["unit.d1.acts.copy", "unit.a.b.acts", "x.source.web.submit", "bihuan.unroutable.copy"] {
            #expect(try bound(queue) == nil, "\(queue)")
        }
        let usual = Definitions(virtualHost: "v", units: [], sources: [], persons: [], users: []).file()
        #expect(
            usual.policies.first { $0.name == "bihuan.inbound" }?.definition["max-length-bytes"] == .number(64 << 20))
    }

    @Test("a party may open 32 connections and 256 channels; workers and monitors have no limit")
    func limitsConnectionsOfParties() throws {
        for user in try Self.file().file.users {
            let isLimited = ["unit.", "source.", "person."].contains { user.name.hasPrefix($0) }
            #expect(
                user.limits == (isLimited ? ["max-connections": 32, "max-channels": 256] : [:]), "\(user.name)")
        }
    }

    /// User, exchange, keys it may use, keys it may not.
    static let topics: [(String, String, [String], [String])] = [
        (
            "unit.d1", "bihuan.feedback", ["unit.d1.handoff.signed", "unit.d1.case.filed"],
            [
                "unit.d10.handoff.signed", "unit.d1-x.handoff.signed", "unit.d1", "xunit.d1.handoff.signed",
                "unitxd1.handoff", "source.d1.x", "",
            ]
        ),
        (
            "source.web", "bihuan.intake", ["source.web.report.submitted"],
            ["source.web2.report.submitted", "unit.web.report.submitted", "source.web"]
        ),
        (
            "person.li", "bihuan.command", ["person.li.feedback.recall"],
            ["person.lili.feedback.recall", "office.feedback.recall", "person.li"]
        ),
    ]

    @Test("a user may only use routing keys of its own name", arguments: topics)
    func limitsKeysToOwnName(user: String, exchange: String, allowed: [String], denied: [String]) throws {
        let rules = try Self.file().file.topic_permissions.filter { $0.user == user }
        let rule = try #require(rules.first)
        #expect(rules.count == 1 && rule.exchange == exchange)
        for key in allowed { #expect(try matches(rule.write, key), "\(key)") }
        for key in denied { #expect(try !matches(rule.write, key), "\(key)") }
        #expect(try !matches(rule.read, allowed[0]))
    }

    @Test("the rights of a type's sender allow its routing keys", arguments: Examples.readByOffice)
    func routingKeysAreAllowed(type: MessageType) throws {
        let sender = try Examples.sender(of: type)
        let rights = Rights(.party(sender))
        let keys = type.routingKeys(from: sender)
        guard !sender.isOffice else {
            return #expect(rights.exchanges.contains(Topology.Exchange.work))
        }
        let rule = try #require(rights.topics.first { rights.exchanges == [$0.exchange] })
        for key in keys { #expect(try matches(rule.write, key), "\(sender) may not publish under \(key)") }
    }

    @Test("no user may write to a topic exchange without a rule for keys, because then all keys are allowed")
    func noTopicWithoutRule() throws {
        let file = try Self.file().file
        let topics = file.exchanges.filter { $0.type == "topic" }.map(\.name)
        for permission in file.permissions {
            for exchange in topics where try matches(permission.write, exchange) {
                #expect(
                    file.topic_permissions.contains { $0.user == permission.user && $0.exchange == exchange },
                    "\(permission.user) on \(exchange)")
            }
        }
    }

    @Test("every queue has one kind of reader, and every exchange that outsiders write to has its alternate")
    func everyQueueHasAReader() throws {
        let file = try Self.file().file
        for queue in file.queues.map(\.name) {
            let readers = try file.permissions.filter { try matches($0.read, queue) }.map(\.user)
            #expect(readers.count == 1, "\(queue): \(readers)")
        }
        let parties = Self.parties.filter { !$0.hasPrefix("office.") }
        let written = try file.exchanges.filter { exchange in
            try file.permissions.contains { try parties.contains($0.user) && matches($0.write, exchange.name) }
        }
        #expect(Set(written.map(\.name)) == ["bihuan.intake", "bihuan.feedback", "bihuan.command"])
        #expect(written.allSatisfy { $0.arguments["alternate-exchange"] == "bihuan.unroutable" })
        #expect(file.queues.map(\.name).contains("bihuan.unroutable"))
    }

    @Test(
        "an id with a meaning in a regular expression or a routing key is refused",
        arguments: ["d.1", "d*", "d#", "(d|e)", "d1$", "D1", "", "d 1", ".*", "d\\1", "é"])
    func refusesUnsafeIds(id: String) {
        #expect(UnitID(id) == nil && SourceID(id) == nil && PersonID(id) == nil && Party("unit.\(id)") == nil)
        #expect(!BrokerRole.isMonitorName(id))
    }

    @Test("the file has salted password hashes, only monitors have a tag, and nobody is administrator")
    func hashesPasswords() throws {
        let (file, bytes) = try Self.file()
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(!text.contains("secret-"))
        #expect(Set(file.users.map(\.name)) == Set(Self.parties + ["monitor.prometheus", "monitor.p"]))
        for user in file.users { #expect(user.tags == (user.name.hasPrefix("monitor.") ? "monitoring" : "")) }
        #expect(!text.contains("administrator"))
        #expect(text.contains("rabbit_password_hashing_sha256"))
        #expect(file.vhosts.map(\.name) == ["bihuan"])
    }

    @Test("a password matches only its own hash, and a user with an unknown password has none")
    func hashesMatchTheirPassword() throws {
        let hash = PasswordHash.make("secret")
        #expect(hash != PasswordHash.make("secret"), "each has its own salt")
        #expect(PasswordHash.fits("secret", hash: hash, algorithm: PasswordHash.algorithm))
        #expect(!PasswordHash.fits("secret2", hash: hash, algorithm: PasswordHash.algorithm))
        #expect(!PasswordHash.fits("secret", hash: hash, algorithm: "rabbit_password_hashing_md5"))
        #expect(!PasswordHash.fits("", hash: "", algorithm: PasswordHash.algorithm))
        // The example of RabbitMQ's documentation on password hashes: salt 908DC60A, password "test12".
        #expect(
            PasswordHash.fits(
                "test12", hash: "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", algorithm: PasswordHash.algorithm))
        let file = Definitions(
            virtualHost: "v", units: [], sources: [], persons: [], users: [BrokerUser(.monitor("m"), password: nil)]
        ).file()
        #expect(file.users.map(\.password_hash) == [""])
    }

    @Test("each message goes to its addressee's queue, and the office's own notices are rows")
    func sendsNoticesToTheirQueues() {
        #expect(Topology.Queue.notice(for: .unit(UnitID(unchecked: "d1"))) == "unit.d1.notice")
        #expect(Topology.Queue.notice(for: .source(SourceID(unchecked: "web"))) == "source.web.notice")
        #expect(Topology.Queue.notice(for: .person(PersonID(unchecked: "li"))) == "person.li.reply")
        #expect(Topology.Queue.notice(for: .office(.intake)) == nil)
    }

    // MARK: The page

    @Test("docs/topology.md names the same exchanges, queues and users, with the same rights")
    func matchesPage() throws {
        let page = try String(contentsOf: Self.page, encoding: .utf8)
        #expect(Self.rows(of: "Exchange", in: page).map { $0[0] } == Topology.Exchange.all.map { [$0] })
        let id = "<id>"
        let partyQueues = [
            Topology.Queue.inbox(UnitID(unchecked: id)), Topology.Queue.express(UnitID(unchecked: id)),
            Topology.Queue.notice(UnitID(unchecked: id)),
            Topology.Queue.notice(SourceID(unchecked: id)), Topology.Queue.reply(PersonID(unchecked: id)),
        ]
        let inbound = [Topology.Queue.submit(SourceID(unchecked: id)), Topology.Queue.acts(UnitID(unchecked: id))]
        #expect(
            Self.rows(of: "Queue", in: page).map { $0[0] }
                == (Topology.Queue.office + inbound + partyQueues).map { [$0] })

        let roles: [BrokerRole] =
            [
                .party(.unit(UnitID(unchecked: id))), .party(.source(SourceID(unchecked: id))),
                .party(.person(PersonID(unchecked: id))),
            ] + Worker.allCases.map { .party(.office($0)) } + [.monitor("<name>")]
        let rows = Self.rows(of: "User", in: page)
        #expect(rows.map { $0[0] } == roles.map { [$0.description] })
        for (row, role) in zip(rows, roles) {
            let rights = Rights(role)
            #expect(Set(row[1]) == Set(rights.queues.map { $0.replacing("*", with: id) }), "\(role) reads")
            #expect(Set(row[2]) == Set(rights.exchanges), "\(role) writes")
            #expect(row[3] == (rights.keyPrefix.map { [$0] } ?? []), "\(role) uses keys")
        }
    }

    private static let page = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent().appending(
        path: "../../docs/topology.md")

    /// The words between back-ticks, cell by cell, of the table whose first heading is this.
    private static func rows(of heading: String, in page: String) -> [[[String]]] {
        let lines = page.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.drop { !$0.hasPrefix("| \(heading) |") }.prefix { $0.hasPrefix("|") }.dropFirst(2).map { line in
            line.split(separator: "|").map { cell in cell.matches(of: /`([^`]+)`/).map { String($0.1) } }
        }
    }

    private func matches(_ pattern: String, _ name: String) throws -> Bool {
        try name.firstMatch(of: Regex(pattern)) != nil
    }
}
