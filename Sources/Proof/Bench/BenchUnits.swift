import AMQP
import Basics
import BrokerTopology
import Casework
import Contract
import Crypto
import Foundation
import Installation
import SimulatedUnits
import Synchronization

/// All units of the sample, as fast and cheap as possible: each handoff is signed, gets its disposition and is
/// concluded at once. A delivery is acknowledged after the broker has confirmed the unit's acts.
final class BenchUnits: Listener {
    private let answers = Answers()
    private let drain: Drain

    init(_ office: BenchOffice, _ units: [UnitID], into log: ArrivalLog) throws {
        drain = Drain(
            try office.operatorBroker("units"), queues: units.flatMap { Topology.Queue.all(of: .unit($0)) }, into: log,
            batchMax: 300, handler: { [answers] in try Desks(office, units, answers) })
    }

    /// The acts that the broker has confirmed.
    var actsConfirmed: Int { answers.confirmed.load(ordering: .acquiring) }
    /// The time at which each handoff's conclusion was sent to the broker.
    var concludedAt: [String: Int64] { answers.concludedAt.withLock { $0 } }

    func check() throws { try drain.check() }
    func waitUntilReady() throws { try drain.waitUntilReady() }
    func stop() throws { try drain.stop() }

    private final class Answers: Sendable {
        let confirmed = Atomic<Int>(0)
        let concludedAt: Mutex<[String: Int64]> = Mutex([:])
    }

    private final class Desks: DrainHandler {
        private let answers: Answers
        private var desks: [UnitID: Desk] = [:]
        private var served = ContinuousClock.now

        init(_ office: BenchOffice, _ units: [UnitID], _ answers: Answers) throws {
            self.answers = answers
            for unit in units { desks[unit] = try Desk(try office.configuration.brokerSettings(for: .unit(unit))) }
        }

        func handle(_ deliveries: [Delivery]) throws {
            var busy: Set<UnitID> = []
            var times: [String: Int64] = [:]
            for delivery in deliveries where delivery.properties.type == MessageType.handoffDispatched.rawValue {
                guard case .unit(let unit) = Party(ownerOf: delivery.routingKey), let desk = desks[unit] else {
                    continue
                }
                let handoff = delivery.properties.correlationID ?? ""
                try desk.answer(handoff, body: delivery.body, as: unit)
                times[handoff] = Monotonic.now
                busy.insert(unit)
            }
            answers.concludedAt.withLock { $0.merge(times) { $1 } }
            for unit in busy {
                if let desk = desks[unit] { answers.confirmed.add(try desk.settle(), ordering: .acquiringAndReleasing) }
            }
        }

        /// Keeps the heartbeat of units that get no message for long.
        func rest() throws {
            if ContinuousClock.now - served < .seconds(5) { return }
            for desk in desks.values { try desk.serve() }
            served = .now
        }

        func close() {
            for desk in desks.values { desk.connection.close() }
        }
    }

    /// One unit's connection to the office.
    private final class Desk {
        let connection: AMQP.Connection
        private let publisher: Publisher
        private var token: Int64 = 0
        private let words = UnitBehaviour.Words()

        init(_ settings: AMQP.ConnectionSettings) throws {
            connection = try AMQP.Connection(settings)
            publisher = try Publisher(on: connection, messagesInFlightMax: 2_000, bytesInFlightMax: 4 << 20)
        }

        func answer(_ handoff: String, body: [UInt8], as unit: UnitID) throws {
            let digest = Array(SHA256.hash(data: body)).hexadecimal
            let (disposition, outcome) = ("talk_inquiry", words.dispositions["talk_inquiry"]?.first ?? "clarified")
            try send(.handoffSigned, HandoffSigned(digest: digest, signedBy: "收发员"), "signed", handoff, unit)
            try send(.dispositionDecided, DispositionDecided(disposition: disposition), "disposition", handoff, unit)
            let conclusion = HandoffConcluded(
                outcome: outcome, summary: "经谈话函询和走访核实，反映问题查无实据，予以了结并作出澄清。", reporterAnswered: true)
            try send(.handoffConcluded, conclusion, "concluded", handoff, unit)
        }

        /// Waits for the confirms.
        /// - Returns: the number of confirms.
        func settle() throws -> Int {
            let outcomes = try publisher.settle(within: 30)
            for (_, outcome) in outcomes where outcome != .confirmed {
                throw UserError("the broker did not take an act of a unit: \(outcome)")
            }
            if publisher.inFlightCount > 0 {
                throw UserError("the broker owes a unit \(publisher.inFlightCount) confirms after 30 s")
            }
            return outcomes.count
        }

        func serve() throws { _ = try publisher.settle(within: 0) }

        private func send<Payload: Codable & Sendable>(
            _ type: MessageType, _ data: Payload, _ suffix: String, _ handoff: String, _ unit: UnitID
        ) throws {
            let now = Instant(Date())
            let party = Party.unit(unit)
            let event = CloudEvent(
                id: "\(handoff)-\(suffix)", source: party, type: type, subject: handoff, time: now, data: data)
            let properties = Properties(
                contentType: MediaType.cloudEvents, messageID: UUID.version7(at: now).lowercased, type: type.rawValue,
                correlationID: handoff, userID: party.description,
                timestamp: UInt64(max(0, now.microsecondsSinceEpoch / 1_000_000)))
            token += 1
            guard
                try publisher.publish(
                    Wire.encode(event), to: ExchangeName(rawValue: Topology.Exchange.feedback),
                    key: RoutingKey(rawValue: type.routingKey(from: party)), properties: properties, mandatory: true,
                    token: token, deadline: 30)
            else { throw UserError("the broker took no act of a unit for 30 s") }
        }
    }
}
