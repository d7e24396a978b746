import AMQP
import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import Logging
import PostgreSQL
import Testing
import TestOffice

@testable import Workers

/// One office for one test: a database and a virtual host of its own, real servers, lanes started and stopped at will.
final class OfficeUnderTest {
    let servers: TestServers
    private let pooled: PooledOffice
    let databaseName: String
    let vaultKey = VaultKey(Curve25519.KeyAgreement.PrivateKey())
    let boxes: BoxKeys
    let mailKey = Curve25519.KeyAgreement.PrivateKey()
    /// 32 bytes, kept for workers that run as processes.
    let boxKeys = Dictionary(
        uniqueKeysWithValues: BoxKind.allCases.map { ($0, (0..<32).map { _ in UInt8.random(in: 0...255) }) })
    let digestKeyBytes = (0..<32).map { _ in UInt8.random(in: 0...255) }
    let digestKey: DigestKey
    /// All log lines of this office's lanes, at every level.
    let log = LogSink()
    private var lanes: [RunningLane] = []
    private var isClosed = false

    /// Requires the announced servers, unless others are given; suites are disabled without them.
    init(on given: TestServers? = nil) throws {
        servers = try given ?? #require(TestServers.announced)
        pooled = try PooledOffice(of: servers)
        databaseName = "bihuan_test_\(UInt64.random(in: 0 ... .max))"
        boxes = try BoxKeys(boxKeys)
        digestKey = try DigestKey(keyBytes: digestKeyBytes)
        let superuser = try Database(ConnectionSettings(url: servers.databaseURL))
        try superuser.execute("CREATE DATABASE \(databaseName) TEMPLATE \(TestServers.template)")
        superuser.close()
        let database = try database()
        try ActivePolicy.activate(
            OfficeUnderTest.policyText(), named: "policy", by: "a test", at: .wall(), on: database)
        try database.execute(OfficeUnderTest.copyOfOutbox)
        database.close()
    }

    var virtualHost: String { pooled.virtualHost }

    /// Cleans up after a failed test: running lanes, and the database.
    deinit {
        guard !isClosed else { return }
        try? stopLanes()
        try? dropDatabase()
    }

    /// Stops all lanes, checks all sent messages, and drops the database; a lane that does not stop fails the test.
    func close(sourceLocation: SourceLocation = #_sourceLocation) throws {
        try stopLanes()
        try expectPublishedForm(sourceLocation)
        try dropDatabase()
        pooled.giveBack()
        isClosed = true
    }

    private func dropDatabase() throws {
        let superuser = try Database(ConnectionSettings(url: servers.databaseURL))
        try superuser.execute("DROP DATABASE \(databaseName) WITH (FORCE)")
        superuser.close()
    }

    /// Keeps the bytes of every message to any party, except those that a test itself inserts.
    private static let copyOfOutbox = """
        CREATE SCHEMA sent;
        CREATE TABLE sent.message (body bytea, body_of uuid);
        CREATE FUNCTION sent.keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            INSERT INTO sent.message SELECT body, body_of FROM written WHERE lane <> 'hand';
            RETURN NULL;
        END $$;
        CREATE TRIGGER kept AFTER INSERT ON outbox REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE \
        FUNCTION sent.keep();
        """

    /// Every message that was sent fits the contract, also the office's own and those that no test read.
    private func expectPublishedForm(_ sourceLocation: SourceLocation) throws {
        let database = try database()
        defer { database.close() }
        for sent in try database.run(ReadSentMessages()).rows {
            let body = try sent.body ?? boxes.open(sent.stored.box, of: .handoff(sent.stored.handoff))
            let problems = SchemaJudge.shared.problems(in: body)
            #expect(
                problems == [], "\(String(decoding: body.prefix(300), as: UTF8.self))", sourceLocation: sourceLocation)
        }
    }

    /// The folder of the project.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../..")

    static let policyFile = root.appending(
        path: "Sources/Setup/Installation/Resources/policy_cn_discipline.yaml")

    static func policyText() throws -> String { try String(contentsOf: policyFile, encoding: .utf8) }

    /// Changes queues and bindings; the next test of this virtual host finds them as they should be.
    func asAdministrator(_ body: (AMQP.Connection, ChannelNumber) throws -> Void) throws {
        let broker = try AMQP.Connection(try servers.broker(user: "admin", virtualHost: virtualHost))
        defer { broker.close() }
        try body(broker, try broker.openChannel())
    }

    /// Takes the queue of what a party sends away from its exchange, as for a party that the office does not know, or
    /// gives it back.
    func bindInbound(_ party: Party, _ isBound: Bool) throws {
        let queue = QueueName(rawValue: try #require(Topology.Queue.inbound(from: party)))
        let definitions = SmallOffice.definitions(virtualHost: virtualHost).file()
        try asAdministrator { broker, channel in
            for binding in definitions.bindings where binding.destination == queue.rawValue {
                let (exchange, key) = (
                    ExchangeName(rawValue: binding.source), RoutingKey(rawValue: binding.routing_key)
                )
                if isBound {
                    try broker.bindQueue(queue, to: exchange, key: key, on: channel)
                } else {
                    try broker.unbindQueue(queue, from: exchange, key: key, on: channel)
                }
            }
        }
    }

    /// The source is not registered, and has no queue.
    func unregister(source id: String) throws {
        try change("DELETE FROM source WHERE id = '\(id)'")
        try bindInbound(.source(SourceID(unchecked: id)), false)
    }

    /// Delivers the acts of a unit also through the queues of three others, so that two lanes really work on them at
    /// once: their correctness must not depend on the topology. The queues of six units are shared by two lanes, so
    /// each lane holds at least one of these four.
    /// - Parameter isShared: `false` at the end of the test.
    func letLanesShareActs(of unit: UnitID, _ isShared: Bool = true) throws {
        try asAdministrator { broker, channel in
            for other in SmallOffice.units.map(\.id).filter({ $0 != unit }).prefix(3) {
                let (queue, exchange) = (
                    QueueName(rawValue: Topology.Queue.acts(other)), ExchangeName(rawValue: Topology.Exchange.feedback)
                )
                let key = RoutingKey(rawValue: "\(Party.unit(unit)).#")
                if isShared {
                    try broker.bindQueue(queue, to: exchange, key: key, on: channel)
                } else {
                    try broker.unbindQueue(queue, from: exchange, key: key, on: channel)
                }
            }
        }
    }

    // MARK: Lanes

    var settings: LaneSettings {
        get throws { try settings(for: .intake) }
    }

    func settings(for worker: Worker, clock: BusinessClock = .real) throws -> LaneSettings {
        var settings = LaneSettings(
            broker: try servers.broker(user: Party.office(worker).description, virtualHost: virtualHost),
            database: ConnectionSettings(
                url: servers.databaseURL(user: DatabaseRole(worker).name, database: databaseName)),
            clock: clock, vault: Vault(recipient: vaultKey.recipient), boxes: boxes, digestKey: digestKey,
            sealedMailKey: SealingKey(mailKey.publicKey))
        settings.batchSizeMax = 50
        return settings
    }

    @discardableResult
    func start(
        _ worker: Worker, clock: BusinessClock = .real, earlyMessageHoldSeconds: Double = 60, name: String? = nil,
        relays: Bool = true, change: (inout LaneSettings) throws -> Void = { _ in }
    ) throws -> RunningLane {
        var settings = try settings(for: worker, clock: clock)
        settings.earlyMessageHoldSeconds = earlyMessageHoldSeconds
        try change(&settings)
        let lane = RunningLane(
            WorkerService.desk(worker, settings), settings: settings,
            name: name ?? "\(worker.rawValue)-test-\(UInt32.random(in: 0 ... .max))", relays: relays, log: log)
        lanes.append(lane)
        return lane
    }

    func startAll() throws { for worker in Worker.allCases { try start(worker) } }

    func stopLanes() throws {
        for lane in lanes { try lane.stop() }
        lanes = []
    }

    // MARK: Parties

    func client(_ party: Party) throws -> PartyClient {
        try PartyClient(party, try servers.broker(user: party.description, virtualHost: virtualHost))
    }

    func source(_ id: String = "letter") throws -> PartyClient { try client(.source(SourceID(unchecked: id))) }
    func unit(_ id: String) throws -> PartyClient { try client(.unit(UnitID(unchecked: id))) }
    func person(_ id: String) throws -> PartyClient { try client(.person(PersonID(unchecked: id))) }

    // MARK: Looking into the tables

    /// As a superuser, so that a test may also do what no worker may.
    func database() throws -> Database {
        try Database(ConnectionSettings(url: servers.databaseURL(database: databaseName)))
    }

    /// The first column of a query, as text.
    func texts(_ sql: String) throws -> [String] {
        let database = try database()
        defer { database.close() }
        return try database.texts(sql)
    }

    func count(_ sql: String) throws -> Int { Int(try texts("SELECT (\(sql))::text").first ?? "") ?? -1 }

    /// Waits until a query's first column is what is expected, looking again as soon as the last look is over.
    func wait(
        for expected: [String], _ sql: String, within seconds: Double = 15,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let database = try database()
        defer { database.close() }
        let end = ContinuousClock.now + .seconds(seconds)
        var seen: [String] = []
        while ContinuousClock.now < end {
            seen = try database.texts(sql)
            if seen == expected { return }
            // Yields to the lanes by a slow statement on the server.
            try database.execute("SELECT pg_sleep(0.02)")
        }
        Issue.record("expected \(expected), saw \(seen): \(sql)", sourceLocation: sourceLocation)
    }
}

/// A lane on a thread of its own.
final class RunningLane {
    private let flag = StopSignal()
    private let thread: WorkThread
    private var hasEnded = false
    let name: String

    init(_ desk: any Desk, settings: LaneSettings, name: String, relays: Bool, log: LogSink) {
        self.name = name
        let flag = flag
        let logger = Logger(label: name) { _ in log }
        thread = WorkThread(named: name) {
            Lane(desk, settings: settings, name: name, relays: relays, stop: flag, logger: logger).run()
        }
    }

    func stop() throws {
        flag.stop()
        if hasEnded { return }
        hasEnded = true
        try #require(thread.join(within: 20), "lane \(name) did not end")
    }
}

/// A unit, a source or a person: speaks the contract over AMQP and nothing else.
final class PartyClient {
    let party: Party
    private let connection: AMQP.Connection
    private let publisher: Publisher
    private let channel: ChannelNumber
    private var consumed: [String: [Delivery]] = [:]
    private var queueOf: [String: String] = [:]

    init(_ party: Party, _ settings: AMQP.ConnectionSettings) throws {
        self.party = party
        connection = try AMQP.Connection(settings)
        publisher = try Publisher(on: connection)
        channel = try connection.openChannel()
        try connection.setPrefetch(1000, on: channel)
    }

    func close() { connection.close() }

    /// Publishes bytes as they are.
    /// - Parameter waits: whether it waits for the confirm; otherwise `awaitConfirms` does.
    func publish(
        _ body: [UInt8], to exchange: String, key: String, properties: Properties, waits: Bool = true
    ) throws {
        _ = try publisher.publish(
            body, to: ExchangeName(rawValue: exchange), key: RoutingKey(rawValue: key), properties: properties,
            token: 0, deadline: 5)
        guard waits else { return }
        let outcomes = try publisher.settle(within: 10).map(\.outcome)
        #expect(outcomes == [.confirmed])
    }

    func awaitConfirms() throws {
        #expect(try publisher.settle(within: 10).allSatisfy { $0.outcome == .confirmed })
    }

    /// Publishes an act under this party's name, as the contract wants it.
    ///
    /// Returns its id. The bytes of an act are the same whenever it is made.
    @discardableResult
    func send<Payload: Codable & Sendable>(
        _ type: MessageType, id: String = UUID().uuidString, subject: String, _ data: Payload, waits: Bool = true
    ) throws -> String {
        let event = CloudEvent(
            id: id, source: party, type: type, subject: subject,
            time: Instant(microsecondsSinceEpoch: 1_772_438_400_000_000), data: data)
        try publish(
            Wire.encode(event), to: exchange, key: type.routingKey(from: party), properties: properties(type, subject),
            waits: waits)
        return id
    }

    @discardableResult
    func submit(_ submission: Submission, id: String = UUID().uuidString) throws -> String {
        try send(.reportSubmitted, id: id, subject: id, submission)
    }

    func properties(_ type: MessageType, _ subject: String) -> Properties {
        Properties(
            contentType: MediaType.cloudEvents, messageID: UUID().uuidString, type: type.rawValue,
            correlationID: subject, userID: party.description)
    }

    var exchange: String {
        switch party {
        case .unit: Topology.Exchange.feedback
        case .source: Topology.Exchange.intake
        case .person: Topology.Exchange.command
        case .office: Topology.Exchange.work
        }
    }

    /// The next message of a queue, acknowledged; fails the test when none comes.
    func next(
        _ queue: String, within seconds: Double = 15, settling: Bool = true,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Delivery {
        if !queueOf.values.contains(queue) {
            queueOf[try connection.consume(QueueName(rawValue: queue), on: channel)] = queue
        }
        let end = ContinuousClock.now + .seconds(seconds)
        while consumed[queue, default: []].isEmpty, ContinuousClock.now < end {
            guard let event = try connection.nextEvent(within: 0.2) else { continue }
            if case .delivery(let delivery) = event, let from = queueOf[delivery.consumerTag] {
                consumed[from, default: []].append(delivery)
            }
        }
        guard let delivery = consumed[queue, default: []].first else {
            Issue.record("nothing came to \(queue)", sourceLocation: sourceLocation)
            throw NothingCame()
        }
        consumed[queue]?.removeFirst()
        if settling { try connection.acknowledge(upTo: delivery.deliveryTag, multiple: false, on: delivery.channel) }
        return delivery
    }

    /// The next message of a queue, rejected finally: `basic.reject` without requeue.
    func reject(_ queue: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> Delivery {
        let delivery = try next(queue, settling: false, sourceLocation: sourceLocation)
        try connection.reject(deliveryTag: delivery.deliveryTag, multiple: false, requeue: false, on: delivery.channel)
        return delivery
    }

    /// The next message of a queue that is read already, acknowledged; `nil` when the broker has none at hand.
    func nextIfAny(_ queue: String) throws -> Delivery? {
        while consumed[queue, default: []].isEmpty, let event = try connection.nextEvent(within: 0.3) {
            if case .delivery(let delivery) = event, let from = queueOf[delivery.consumerTag] {
                consumed[from, default: []].append(delivery)
            }
        }
        return consumed[queue, default: []].isEmpty ? nil : try next(queue)
    }

    func event<Payload: Codable & Sendable>(
        _ queue: String, as payload: Payload.Type, within seconds: Double = 15,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> CloudEvent<Payload> {
        let delivery = try next(queue, within: seconds, sourceLocation: sourceLocation)
        return try JSONDecoder().decode(CloudEvent<Payload>.self, from: Data(delivery.body))
    }

    var inbox: String {
        guard case .unit(let id) = party else { return "" }
        return Topology.Queue.inbox(id)
    }

    var notices: String { Topology.Queue.notice(for: party) ?? "" }
}

struct NothingCame: Error {}

extension Database {
    func texts(_ sql: String) throws -> [String] {
        try run(TextQuery.make(sql)).rows
    }
}

private struct ReadSentMessages: Statement {
    struct Row {
        let body: [UInt8]?
        let stored: (handoff: HandoffID, box: SealedBox)
    }

    static let sql = """
        SELECT DISTINCT body, coalesce(body_of, gen_random_uuid()), coalesce(key_id, ''), coalesce(sealed, '')
        FROM sent.message LEFT JOIN handoff_body ON handoff_id = body_of
        """
    var parameters: [Parameter] { [] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Row {
        let (body, handoff) = (try row.byteaOrNil(), HandoffID(try row.uuid()))
        return Row(
            body: body, stored: (handoff, SealedBox(keyID: try row.text(), sealed: try row.bytea())))
    }
}

/// Any query whose first column is text. Prepared statements are per type, so this one wraps the SQL in a function of
/// its own.
private enum TextQuery {
    struct Rows: Statement {
        let query: String
        static let sql = "SELECT unnest(xpath('//v/text()', query_to_xml($1, true, false, '')))::text"
        var parameters: [Parameter] { [.text(query)] }
        func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
    }

    static func make(_ sql: String) -> Rows { Rows(query: "SELECT t.v FROM (\(sql)) AS t (v)") }
}

/// Reports for tests.
enum Sample {
    /// An accusation that the shipped policy accepts and sends to the city unit c01.
    static func accusation(
        _ text: String = "反映甲市某镇副镇长张三在危房改造资金中虚报冒领，贪污公款二十万元，用于个人购房。", name: String = "张三",
        unit: String? = nil, level: String = "township", reporters: [Reporter] = []
    ) -> Submission {
        Submission(
            matterKind: "accusation", title: "举报张三贪污", text: text, region: "p-c01", reporters: reporters,
            accused: [
                Accused(
                    name: name, organ: "某镇政府", position: "副镇长", level: level, region: "p-c01",
                    unit: unit.map { UnitID(unchecked: $0) })
            ], allegations: [Allegation(category: "corruption", act: "贪污危房改造资金")])
    }
}
