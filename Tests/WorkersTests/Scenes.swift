import AMQP
import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import PostgreSQL
import Testing
import TestOffice

@testable import Workers

/// A message as its addressee reads it.
struct ReceivedMessage {
    let delivery: Delivery
    let json: [String: Any]

    init(_ delivery: Delivery) throws {
        self.delivery = delivery
        json = try #require(try JSONSerialization.jsonObject(with: Data(delivery.body)) as? [String: Any])
    }

    func text(_ key: String) -> String? { json[key] as? String }
    var type: String { text("type") ?? "" }
    var id: String { text("id") ?? "" }
    var subject: String { text("subject") ?? "" }
    var inReplyTo: String? { text("inreplyto") }
    var data: [String: Any] { json["data"] as? [String: Any] ?? [:] }
    /// The code of the first problem of a refusal.
    var problem: String? { (data["problems"] as? [[String: Any]])?.first?["code"] as? String }
    var problemText: String? { (data["problems"] as? [[String: Any]])?.first?["text"] as? String }
    var number: String? { data["number"] as? String }
}

/// The bytes of one act with their destination, so that the same act can be sent again.
struct PreparedAct {
    let id: String
    let body: [UInt8]
    let key: String
    let type: MessageType
    let subject: String
}

/// A handoff that came to a unit.
struct Arrived {
    let handoff: String
    /// What the unit repeats when it signs.
    let digest: String
    let number: String
    /// The source's id of the report.
    let submission: String
}

extension Delivery {
    /// What a unit repeats when it signs.
    var digest: String { Array(SHA256.hash(data: body)).hexadecimal }
}

extension PartyClient {
    func prepare<Payload: Codable & Sendable>(
        _ type: MessageType, id: String = UUID().uuidString, subject: String, _ data: Payload
    ) -> PreparedAct {
        let event = CloudEvent(
            id: id, source: party, type: type, subject: subject,
            time: Instant(microsecondsSinceEpoch: 1_772_438_400_000_000), data: data)
        return PreparedAct(
            id: id, body: Wire.encode(event), key: type.routingKey(from: party), type: type, subject: subject)
    }

    func publish(_ act: PreparedAct) throws {
        try publish(act.body, to: exchange, key: act.key, properties: properties(act.type, act.subject))
    }

    /// All messages in this party's notice queue before the answer to an act that is certain to be refused. A
    /// queue keeps its order: all earlier acts are decided by then, if one lane decides them all.
    /// - Parameter worker: of a person, the worker that decides the acts.
    func receiveUntilDecided(
        by worker: Worker = .feedback, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> [ReceivedMessage] {
        var received = try receiveUntilRefused(worker, sourceLocation)
        // Intake refuses first and registers then, in one batch; the next batch comes after that.
        if case .source = party { received += try receiveUntilRefused(worker, sourceLocation) }
        return received
    }

    private func receiveUntilRefused(_ worker: Worker, _ sourceLocation: SourceLocation) throws -> [ReceivedMessage] {
        let marker = UUID().uuidString
        switch party {
        case .source:
            try send(
                .reportSubmitted, id: marker, subject: marker,
                Submission(matterKind: "unheard-of", title: "", text: "无"))
        case .person:
            let (approval, type) = (UUID().uuidString.lowercased(), MessageType.commandReject)
            try publish(
                prepare(type, id: marker, subject: approval, ApprovalDecision(reason: "标记")).body, to: exchange,
                key: type.routingKey(from: party, owner: worker), properties: properties(type, approval))
        case .unit, .office:
            try send(.handoffProgress, id: marker, subject: UUID().uuidString.lowercased(), HandoffProgress(text: "标记"))
        }
        var received: [ReceivedMessage] = []
        while true {
            let next = try ReceivedMessage(try next(notices, sourceLocation: sourceLocation))
            if next.inReplyTo == marker { return received }
            received.append(next)
        }
    }

    func receive(
        within seconds: Double = 15, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> ReceivedMessage {
        try ReceivedMessage(try next(notices, within: seconds, sourceLocation: sourceLocation))
    }

    /// The next handoff in a queue of this unit.
    func receiveHandoff(
        from queue: String? = nil, within seconds: Double = 15, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Arrived {
        let received = try ReceivedMessage(try next(queue ?? inbox, within: seconds, sourceLocation: sourceLocation))
        #expect(received.type == MessageType.handoffDispatched.rawValue, sourceLocation: sourceLocation)
        return Arrived(
            handoff: received.subject, digest: received.delivery.digest, number: received.number ?? "",
            submission: "")
    }

    /// A command that a worker receives, about a dead letter that does not exist.
    func order(to worker: Worker) throws {
        let act = prepare(.commandReplay, subject: UUID().uuidString.lowercased(), Nothing())
        let key = MessageType.commandReplay.routingKey(from: party, owner: worker)
        try publish(act.body, to: exchange, key: key, properties: properties(act.type, act.subject))
    }

    func sign(_ arrived: Arrived) throws {
        try send(.handoffSigned, subject: arrived.handoff, HandoffSigned(digest: arrived.digest))
    }

    @discardableResult
    func decide(_ arrived: Arrived) throws -> String {
        try send(
            .dispositionDecided, subject: arrived.handoff, DispositionDecided(disposition: "preliminary_verification"))
    }

    @discardableResult
    func conclude(_ arrived: Arrived, id: String = UUID().uuidString) throws -> String {
        try send(
            .handoffConcluded, id: id, subject: arrived.handoff,
            HandoffConcluded(outcome: "substantiated", summary: "查实，已处理。", reporterAnswered: true))
    }

    var express: String {
        guard case .unit(let id) = party else { return "" }
        return Topology.Queue.express(id)
    }
}

extension OfficeUnderTest {
    /// A report that was registered and handed off to a unit, which has not signed yet.
    func handOff(
        _ submission: Submission = .new(), from source: PartyClient, to unit: PartyClient, queue: String? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Arrived {
        let id = try source.submit(submission)
        let answer = try source.receive(sourceLocation: sourceLocation)
        #expect(answer.inReplyTo == id, sourceLocation: sourceLocation)
        let arrived = try unit.receiveHandoff(from: queue, sourceLocation: sourceLocation)
        return Arrived(handoff: arrived.handoff, digest: arrived.digest, number: arrived.number, submission: id)
    }

    /// Waits until all consequences of the decisions are sent and stored.
    func settle(sourceLocation: SourceLocation = #_sourceLocation) throws {
        try wait(
            for: ["0"],
            "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM handoff WHERE state = 'released')",
            sourceLocation: sourceLocation)
    }

    /// The digest of each table, which an act without effect does not change.
    func tableDigests() throws -> [String] {
        try [
            "report", "handoff", "handoff_note", "clock", "clock_step", "ledger_entry", "held_message", "dead_letter",
            "person_notice",
        ].flatMap {
            try texts(
                """
                SELECT '\($0) ' || count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), \
                '') FROM \($0) t
                """
            )
        }
    }

    /// Runs SQL as a superuser, which no worker may.
    func change(_ sql: String) throws {
        let database = try database()
        defer { database.close() }
        try database.execute(sql)
    }

    /// Runs statements about the database from another one.
    func maintain(_ statements: String...) throws {
        let superuser = try Database(ConnectionSettings(url: servers.databaseURL))
        defer { superuser.close() }
        for statement in statements { try superuser.execute(statement) }
    }

    /// Sends a command about a dead letter to the worker that keeps it, and returns the verdict.
    func order<Payload: Codable & Sendable>(
        _ type: MessageType, _ deadLetter: String, _ data: Payload, by person: PartyClient, to worker: Worker = .intake,
        id: String = UUID().uuidString, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> ReceivedMessage {
        let act = person.prepare(type, id: id, subject: deadLetter, data)
        try person.publish(
            act.body, to: person.exchange, key: type.routingKey(from: person.party, owner: worker),
            properties: person.properties(type, deadLetter))
        let verdict = try person.receive(sourceLocation: sourceLocation)
        #expect(verdict.inReplyTo == id, sourceLocation: sourceLocation)
        return verdict
    }

    func handoffState(_ arrived: Arrived) throws -> String {
        try texts("SELECT state FROM handoff WHERE id = '\(arrived.handoff)'").first ?? ""
    }

    func waitForState(_ state: String, of arrived: Arrived, sourceLocation: SourceLocation = #_sourceLocation) throws {
        try wait(
            for: [state], "SELECT state FROM handoff WHERE id = '\(arrived.handoff)'", sourceLocation: sourceLocation)
    }

    func inbox(_ id: String, from sender: Party) throws -> String {
        try texts("SELECT verdict FROM inbox WHERE event_id = '\(id)' AND sender = '\(sender)'").first ?? ""
    }

    /// Follows every chain of the ledger to its head.
    func expectWholeLedger(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let database = try database()
        defer { database.close() }
        // Heads and entries of one moment: lanes may still be writing.
        try database.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        let heads = try database.run(ReadLedgerHeads(after: nil, countMax: 100_000)).rows
        let entries = Dictionary(
            grouping: try database.run(ReadLedgerEntries(after: nil, countMax: 1_000_000)).rows, by: \.chain)
        for head in heads {
            let chain = (entries[head.chain] ?? []).map(\.entry)
            #expect(
                LedgerHead.firstBreak(in: chain, endingIn: head.head) == nil, "\(head.subject)",
                sourceLocation: sourceLocation)
        }
        #expect(Set(entries.keys).isSubset(of: Set(heads.map(\.chain))), sourceLocation: sourceLocation)
    }

    /// The columns of all tables that contain these bytes.
    func places(of bytes: [UInt8]) throws -> [String] {
        // One connection for all columns: meanwhile nobody answers the heartbeats of the parties.
        let database = try database()
        defer { database.close() }
        let columns = try database.texts(
            """
            SELECT table_name || ' ' || column_name || ' ' || data_type FROM information_schema.columns
            WHERE table_schema = 'public' AND data_type IN ('text', 'bytea', 'ARRAY') ORDER BY 1
            """)
        let pattern = "decode('\(bytes.hexadecimal)', 'hex')"
        return try columns.filter { column in
            let words = column.split(separator: " ")
            let value = words[2] == "bytea" ? "\(words[1])" : "convert_to(\(words[1])::text, 'UTF8')"
            let found = "SELECT 'found' FROM \(words[0]) WHERE position(\(pattern) IN \(value)) > 0 LIMIT 1"
            return try !database.texts(found).isEmpty
        }
    }
}

extension Submission {
    /// An accusation like no other, which goes to the city unit c01.
    static func new(
        name: String = "张三", unit: String? = nil, level: String = "township", reporters: [Reporter] = []
    ) -> Submission {
        Sample.accusation(
            "反映甲市某镇副镇长\(name)在危房改造资金中虚报冒领，贪污公款，卷宗\(UUID().uuidString)。", name: name, unit: unit, level: level,
            reporters: reporters)
    }
}
