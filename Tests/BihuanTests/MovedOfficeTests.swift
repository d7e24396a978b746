import AMQP
import Basics
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import PartyClient
import PostgreSQL
import TestOffice
import Testing
@testable import BrokerTopology
@testable import Installation

@testable import bihuan

/// An office that ran before its parties had queues of their own, moved while it holds submissions, acts and papers.
/// Real servers, real worker processes, the real command.
@Suite("An office moved from an earlier version", .serialized)
struct MovedOfficeTests {
    @Test("moved by apply, an office decides every message once, in each party's order, and loses nothing")
    func movesWithoutLoss() async throws {
        try await withMove { move in
            try await move.handsOff()
            try await move.workersBeforeApplyReadTheOldQueue()
            try move.messagesWaitInBothQueues()
            try move.appliesAndGoesOn()
            try await move.everyMessageIsDecidedOnce()
            try await move.finishes()
        }
    }

    @Test("up moves the broker of its directory by itself")
    func isMovedByUp() async throws {
        try await withMove { move in try await move.isMovedByUp() }
    }

    private func withMove(_ body: (inout Move) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "bihuan-moved-\(UUID().uuidString.prefix(8))")
        defer { try? FileManager.default.removeItem(at: directory) }
        var move = try await Move(directory)
        do {
            try await body(&move)
        } catch {
            move.stop()
            throw error
        }
        move.stop()
    }
}

private struct Move {
    private let directory: URL
    private var office: LocalOffice
    private var processes: WorkerProcesses?
    private var parties: MovedParties
    private var handoffs: [String: String] = [:]
    private var digests: [String: String] = [:]
    private let paper: [[UInt8]] = (1...3).map { Array(repeating: UInt8($0), count: 2_000) }

    init(_ directory: URL) async throws {
        self.directory = directory
        office = try await LocalOffice.start(.init(directory: directory))
        do {
            parties = try MovedParties(office)
        } catch {
            office.stop()
            throw error
        }
    }

    func stop() {
        processes?.stop()
        parties.close()
        office.stop()
    }

    // MARK: The story

    /// By today's layout, so that units have something to act on; then the office gets that of an earlier version.
    mutating func handsOff() async throws {
        let letter = parties.letter
        for (unit, region) in [(parties.c01, "p-c01"), (parties.c02, "p-c02")] {
            try letter.submit("for-\(unit.party)", region: region)
            try await eventually { try !unit.receive("inbox").isEmpty }
            let handoff = try #require(unit.received.first)
            handoffs[unit.party.description] = handoff.subject
            digests[unit.party.description] = handoff.digest
        }
        try letter.submit("with-paper", region: "p-c03", paper: paper.flatMap(\.self))
        try await eventually { try letter.receive("notice").filter { $0.type.contains("accepted") }.count == 3 }
        office.workers.stop()
        try EarlierLayout.make(by: parties.administrator, parties: parties.all)
    }

    /// They say which queues are missing, and go on reading the old ones.
    mutating func workersBeforeApplyReadTheOldQueue() async throws {
        try parties.web.submit(1...20)
        try sendPaper(part: 1)
        try startWorkers("early")
        try await eventually("the reports in the old queue are registered", within: 60) {
            try count(of: CountReports()) == 23
        }
        let log = self.log("early", .intake)
        try await eventually("the queues that are missing are named", within: 60) {
            let text = try String(contentsOf: log, encoding: .utf8)
            return text.contains("queues of parties do not exist at the broker") && text.contains("source.web.submit")
        }
        stopWorkers()
    }

    /// First into the old queues only; then into both, as between the two steps of `apply`.
    mutating func messagesWaitInBothQueues() throws {
        try parties.web.submit(21...30)
        try sendPaper(part: 2)
        try sign(parties.c01)
        try sign(parties.c02)
        try parties.c02.send(.dispositionDecided, handoff(parties.c02), decision)
        try parties.addQueues(inboundBytesMax: office.configuration.inboundBytesMax)
        try parties.web.submit(31...35)
        try sendPaper(part: 3)
        try parties.c01.send(.dispositionDecided, handoff(parties.c01), decision)
        try parties.c02.send(.handoffProgress, handoff(parties.c02), HandoffProgress(text: "已谈话两人。"))
        #expect(try parties.depth("source.web.submit") == 5 && parties.depth("bihuan.intake") == 17)
        #expect(try parties.depth("unit.c01.acts") == 1 && parties.depth("bihuan.feedback") == 5)
    }

    mutating func appliesAndGoesOn() throws {
        let applied = try topology("apply")
        #expect(applied.status == 0, "\(applied.output)\(applied.errors)")
        #expect(
            Set(applied.output.split(separator: "\n")).isSuperset(of: [
                "- binding bihuan.intake -> bihuan.intake by \"#\"",
                "- binding bihuan.feedback -> bihuan.feedback by \"#\"",
                "- binding bihuan.work -> bihuan.feedback by its name",
            ]), "\(applied.output)")
        let seen = try topology("diff")
        #expect(seen.status == 0 && seen.output == "nothing differs\n", "\(seen.output)")
        #expect(seen.errors.contains("the queue bihuan.feedback is of an earlier version"), "\(seen.errors)")
        try parties.web.submit(36...50)
        try parties.letter.send(.attachmentPart, "with-paper", AttachmentPart(sha256: paperDigest, count: 3))
        for unit in [parties.c01, parties.c02] {
            try unit.send(
                .handoffConcluded, handoff(unit),
                HandoffConcluded(outcome: "substantiated", summary: "查实，已处理。", reporterAnswered: true))
        }
        #expect(try parties.depth("bihuan.intake") == 17 && parties.depth("source.web.submit") == 20)
    }

    mutating func everyMessageIsDecidedOnce() async throws {
        try startWorkers("moved")
        let web = parties.web
        try await eventually("the reports are registered", within: 60) { try count(of: CountReports()) == 53 }
        try await eventually("every report is answered", within: 60) {
            Set(try web.receive("notice").compactMap(\.inReplyTo)).count == 50
        }
        #expect(try texts(of: ReadOrder()) == web.sent, "each was registered once, in the order in which it was sent")
        #expect(Set(web.received.map(\.id)).count == 50, "the answer to a double is the same event")
        #expect(web.received.allSatisfy { $0.type == "bihuan.report.accepted.v1" })

        let letter = parties.letter
        try await eventually("the paper is complete", within: 60) {
            try letter.receive("notice").contains { $0.inReplyTo == letter.sent.last }
        }
        let answer = letter.received.last { $0.inReplyTo == letter.sent.last }
        #expect(answer?.type == "bihuan.report.accepted.v1" && answer?.isPaperPending == false)

        for unit in [parties.c01, parties.c02] {
            try await eventually("the loop of \(unit.party) is closed", within: 60) {
                try unit.receive("notice").contains { $0.type == "bihuan.conclusion.accepted.v1" }
            }
            #expect(Set(unit.received.dropFirst().map(\.id)).count == 1, "one answer, to the conclusion")
            let events = try texts(of: ReadEvents(handoff: handoff(unit)))
            let progress = unit.party == parties.c02.party ? ["progress"] : []
            #expect(
                events.filter { $0 != "dispatched" }
                    == ["routed", "signed", "disposition_decided"] + progress + ["concluded", "conclusion_accepted"],
                "\(unit.party)")
        }
        #expect(try texts(of: ReadLeftovers()) == ["0", "0"], "no dead letter, nothing deferred")
    }

    mutating func finishes() async throws {
        var said = try topology("apply", "--finish")
        let end = ContinuousClock.now + .seconds(60)
        while said.status != 0, ContinuousClock.now < end { said = try topology("apply", "--finish") }
        #expect(said.status == 0, "\(said.output)\(said.errors)")
        let clean = try topology("diff")
        #expect(clean.status == 0 && !clean.errors.contains("earlier version"), "\(clean.errors)")
        let web = parties.web
        try web.submit(51...51)
        try await eventually("the workers go on", within: 60) {
            try web.receive("notice").contains { $0.inReplyTo == "web-0051" }
        }
    }

    /// `bihuan up` applies the layout of its version before its workers start.
    mutating func isMovedByUp() async throws {
        office.workers.stop()
        try EarlierLayout.make(by: parties.administrator, parties: parties.all)
        try parties.web.submit(1...1)
        parties.close()
        office.stop()
        office = try await LocalOffice.start(.init(directory: directory))
        parties = try MovedParties(office)
        let web = parties.web
        try web.submit(2...2)
        try await eventually("both are answered", within: 60) {
            Set(try web.receive("notice").compactMap(\.inReplyTo)) == ["web-0001", "web-0002"]
        }
        #expect(try texts(of: ReadOrder()) == ["web-0001", "web-0002"])
        #expect(throws: AMQPError.self, "the queue that was empty is deleted") { try parties.depth("bihuan.feedback") }
    }

    // MARK: Steps

    private let decision = DispositionDecided(disposition: "preliminary_verification")
    private var paperDigest: String { Array(SHA256.hash(data: paper.flatMap(\.self))).hexadecimal }

    private func handoff(_ unit: MovedParty) -> String { handoffs[unit.party.description] ?? "" }

    private func sign(_ unit: MovedParty) throws {
        try unit.send(.handoffSigned, handoff(unit), HandoffSigned(digest: digests[unit.party.description] ?? ""))
    }

    private func sendPaper(part: Int) throws {
        try parties.letter.send(
            .attachmentPart, "with-paper", AttachmentPart(sha256: paperDigest, part: part, content: paper[part - 1]))
    }

    private func log(_ name: String, _ worker: Worker) -> URL {
        directory.appending(path: "log/\(name)-\(worker.rawValue).log")
    }

    private mutating func startWorkers(_ name: String) throws {
        let directory = directory
        let started = try WorkerProcesses(
            .init(
                executable: Program.bihuan,
                arguments: ["--data", directory.path, "--until-input-ends", "--set", "monitor.port=0"],
                countPerWorker: 1, log: { directory.appending(path: "log/\(name)-\($0.rawValue).log") },
                report: { _ in }))
        started.start()
        processes = started
    }

    private mutating func stopWorkers() {
        processes?.stop()
        processes = nil
    }

    private func topology(_ command: String, _ more: String...) throws -> Program.Result {
        try Program.run(Program.bihuan, ["topology", command, "--data", directory.path] + more)
    }

    private func texts<S: Statement>(of statement: S) throws -> [String] where S.Row == String {
        let connection = try PostgreSQL.Connection(office.configuration.databaseSettings("test"))
        defer { connection.close() }
        return try connection.run(statement).rows
    }

    private func count(of statement: CountReports) throws -> Int { Int(try texts(of: statement).first ?? "") ?? -1 }
}

/// The parties of the story, and the broker's administrator.
private struct MovedParties {
    let web, letter, c01, c02: MovedParty
    let administrator: AMQP.Connection
    private let channel: ChannelNumber
    private let virtualHost: String
    private let sample = SampleOffice.standard

    init(_ office: LocalOffice) throws {
        func party(_ party: Party) throws -> MovedParty {
            try MovedParty(party, try office.configuration.brokerSettings(for: party))
        }
        web = try party(.source(SourceID(unchecked: "web")))
        letter = try party(.source(SourceID(unchecked: "letter")))
        c01 = try party(.unit(UnitID(unchecked: "c01")))
        c02 = try party(.unit(UnitID(unchecked: "c02")))
        var settings = try office.configuration.operatorBrokerSettings()
        // It stays idle while commands run.
        settings.heartbeatSeconds = 0
        administrator = try AMQP.Connection(settings)
        channel = try administrator.openChannel()
        virtualHost = office.configuration.broker.virtualHost
    }

    func close() {
        for party in [web, letter, c01, c02] { party.close() }
        administrator.close()
    }

    var all: [Party] { sample.units.map { .unit($0.id) } + sample.sources.map { .source($0.id) } }

    func depth(_ queue: String) throws -> Int {
        try administrator.declareQueue(QueueName(rawValue: queue), passive: true, on: channel).messageCount
    }

    /// The first step of `apply`.
    func addQueues(inboundBytesMax: Int) throws {
        let file = OfficeTopology(
            virtualHost: virtualHost, units: sample.units.map(\.id), sources: sample.sources.map(\.id), persons: [],
            monitors: [], inboundBytesMax: inboundBytesMax
        ).file()
        for queue in file.queues where Topology.Queue.inboundKind(of: queue.name) != nil {
            let name = QueueName(rawValue: queue.name)
            try administrator.declareQueue(name, arguments: queue.arguments.mapValues(FieldValue.init), on: channel)
            for binding in file.bindings where binding.destination == queue.name {
                try administrator.bindQueue(
                    name, to: ExchangeName(rawValue: binding.source), key: RoutingKey(rawValue: binding.routing_key),
                    on: channel)
            }
        }
    }
}

/// A party that speaks the contract: publishes with confirms, one message at a time, and keeps what it gets.
private final class MovedParty {
    struct Received {
        let id, type, subject, digest: String
        let inReplyTo: String?
        let isPaperPending: Bool
    }

    let party: Party
    private(set) var received: [Received] = []
    /// The ids of what it sent, in order.
    private(set) var sent: [String] = []
    private let connection: AMQP.Connection
    private let publisher: Publisher
    private let channel: ChannelNumber
    private var consumed: Set<String> = []

    init(_ party: Party, _ settings: AMQP.ConnectionSettings) throws {
        var settings = settings
        settings.heartbeatSeconds = 0
        self.party = party
        connection = try AMQP.Connection(settings)
        publisher = try Publisher(on: connection)
        channel = try connection.openChannel()
    }

    func close() { connection.close() }

    func send<Data: Codable & Sendable>(
        _ type: MessageType, id: String = UUID().uuidString, _ subject: String, _ data: Data
    ) throws {
        let event = CloudEvent(
            id: id, source: party, type: type, subject: subject,
            time: Instant(microsecondsSinceEpoch: 1_772_438_400_000_000), data: data)
        let exchange = if case .unit = party { Topology.Exchange.feedback } else { Topology.Exchange.intake }
        _ = try publisher.publish(
            Wire.encode(event), to: ExchangeName(rawValue: exchange),
            key: RoutingKey(rawValue: type.routingKey(from: party)),
            properties: Properties(
                contentType: MediaType.cloudEvents, messageID: UUID().uuidString, type: type.rawValue,
                correlationID: subject, userID: party.description), token: 0, deadline: 5)
        #expect(try publisher.settle(within: 10).map(\.outcome) == [.confirmed])
        sent.append(id)
    }

    func submit(_ numbers: ClosedRange<Int>) throws {
        for number in numbers {
            let digits = String(number)
            try submit("web-" + String(repeating: "0", count: 4 - digits.count) + digits, region: "p-c04")
        }
    }

    func submit(_ id: String, region: String, paper: [UInt8] = []) throws {
        let attachment = Casework.Attachment(
            name: "转账记录.pdf", mediaType: "application/pdf", bytes: paper.count,
            sha256: Array(SHA256.hash(data: paper)).hexadecimal)
        let submission = Submission(
            matterKind: "accusation", title: "举报", text: "反映某镇副镇长在危房改造资金中虚报冒领，卷宗\(UUID().uuidString)。",
            region: region,
            accused: [
                Accused(name: "张三", organ: "某镇政府", position: "副镇长", level: "township", region: region)
            ], allegations: [Allegation(category: "corruption", act: "贪污危房改造资金")],
            attachments: paper.isEmpty ? [] : [attachment])
        try send(.reportSubmitted, id: id, id, submission)
    }

    /// Everything that has come to it so far, with what is at hand in its queue of this kind.
    func receive(_ kind: String) throws -> [Received] {
        let queue = "\(party).\(kind)"
        if consumed.insert(queue).inserted { try connection.consume(QueueName(rawValue: queue), on: channel) }
        while let event = try connection.nextEvent(within: 0.1) {
            guard case .delivery(let delivery) = event else { continue }
            received.append(try read(delivery))
            try connection.acknowledge(upTo: delivery.deliveryTag, multiple: false, on: channel)
        }
        return received
    }

    private func read(_ delivery: Delivery) throws -> Received {
        let json = try #require(
            try JSONSerialization.jsonObject(with: Foundation.Data(delivery.body)) as? [String: Any])
        func text(_ key: String) -> String { json[key] as? String ?? "" }
        return Received(
            id: text("id"), type: text("type"), subject: text("subject"),
            digest: Array(SHA256.hash(data: delivery.body)).hexadecimal, inReplyTo: json["inreplyto"] as? String,
            isPaperPending: (json["data"] as? [String: Any])?["papersPending"] != nil)
    }
}

private struct CountReports: Statement {
    static let sql = "SELECT count(*)::text FROM report"
    var parameters: [Parameter] { [] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

private struct ReadOrder: Statement {
    static let sql = "SELECT source_id FROM report_status WHERE source = 'web' ORDER BY number"
    var parameters: [Parameter] { [] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

private struct ReadEvents: Statement {
    let handoff: String
    static let sql = """
        SELECT convert_from(bytes, 'UTF8')::jsonb->>'event' FROM ledger_entry
        WHERE convert_from(bytes, 'UTF8')::jsonb->>'handoff' = $1 ORDER BY sequence
        """
    var parameters: [Parameter] { [.text(handoff)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}

private struct ReadLeftovers: Statement {
    static let sql = """
        SELECT count(*)::text FROM dead_letter UNION ALL SELECT count(*)::text FROM held_message
        """
    var parameters: [Parameter] { [] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}
