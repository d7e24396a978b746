import AMQP
import AuditStore
import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Foundation
import Installation
import PostgreSQL
import Synchronization

/// What one party waits for the office while all is quiet, and while other parties flood it.
struct FloodedParty: Sendable {
    let party: Party
    let quiet: Latencies
    let flooded: Latencies
    /// Messages that had no answer at the end of the measurement. Each counts as having waited until then.
    let unanswered: Int

    /// How many times longer the slowest hundredth of its messages took.
    var ratio: Double {
        let before = quiet.milliseconds(percentile: 99)
        return before > 0 ? flooded.milliseconds(percentile: 99) / before : 0
    }
}

/// What became of the messages of the parties that flood the office.
struct FloodFigures: Sendable {
    var parties: [FloodedParty] = []
    var seconds = 0.0
    var published = 0
    var confirmed = 0
    /// Refused by the broker, because the queue of their party is full.
    var refused = 0
}

extension Bench {
    /// Two units flood their queues, mostly with rubbish, while all other parties work at a steady rate.
    func flood(_ result: inout BenchResult) throws {
        let rate = settings.rate ?? BenchSettings.floodRate
        result.latencyRate = rate
        let flooders = Array(sample.units.map(\.id).prefix(2))
        let log = ArrivalLog(keepsSubjects: true)
        // They only flood: waiting for their confirms would delay the other units of the bench.
        let running = try everything(log, silent: flooders)
        defer { running.end() }
        try warmUp(running, share: 0.5)
        let feeder = Feeder(office.configuration)
        defer { feeder.close() }
        try feeder.open(sample.sources.map(\.id))

        note("flood: quiet")
        let quiet = try phase(feeder, running, perSecond: rate, seconds: BenchSettings.floodSeconds)
        note("flood: two units send \(BenchSettings.floodMessages) messages")
        let began = Monotonic.now
        let floods = try flooders.map {
            try Flood($0, office.configuration, messages: BenchSettings.floodMessages / flooders.count)
        }
        let flooded = try phase(feeder, running, perSecond: rate, seconds: BenchSettings.floodSeconds)
        for flood in floods { try flood.stop() }
        var figures = FloodFigures()
        figures.seconds = Monotonic.seconds(from: began, to: Monotonic.now)
        for flood in floods {
            figures.published += flood.published
            figures.confirmed += flood.confirmed
            figures.refused += flood.refused
        }
        let concluded = running.concludedAt
        let before = try byParty(log, quiet, concluded, except: flooders)
        var after = try byParty(log, flooded, concluded, except: flooders)
        // Those who do not flood wait for what they sent last. What has no answer then was not delayed but forgotten.
        let patience = Monotonic.now + Int64(BenchSettings.floodPatienceSeconds * 1e9)
        while after.values.contains(where: { $0.unanswered > 0 }), Monotonic.now < patience {
            Monotonic.sleep(seconds: 1)
            after = try byParty(log, flooded, concluded, except: flooders)
        }
        figures.parties = after.keys.sorted { $0.description < $1.description }.compactMap { party in
            guard let quiet = before[party], let flooded = after[party] else { return nil }
            return FloodedParty(
                party: party, quiet: quiet.latencies, flooded: flooded.latencies,
                unanswered: quiet.unanswered + flooded.unanswered)
        }
        result.flood = figures
        // The rest of the flood is not waited for.
    }

    /// Sends reports at a steady rate and waits for the ends of their loops.
    /// - Returns: when each report should have been sent, and by whom.
    private func phase(
        _ feeder: Feeder, _ running: Running, perSecond rate: Double, seconds: Double
    ) throws -> [String: (due: Int64, source: SourceID)] {
        let letters = corpus.takeHandedOff(Int(rate * seconds))
        let before = running.log.count(of: [.conclusionAccepted])
        let due = try feeder.send(letters, perSecond: rate, from: Monotonic.now + 50_000_000)
        try feeder.finish()
        // The units that flood wait behind their own flood: what the others owe is waited for.
        try wait(for: before + letters.count / 2, of: before + letters.count, [.conclusionAccepted], running)
        Monotonic.sleep(seconds: 2)
        return Dictionary(
            uniqueKeysWithValues: letters.compactMap { letter in
                due[letter.id].map { (letter.id, ($0, letter.source)) }
            })
    }

    /// The answers that one party waited for.
    private struct Waits {
        var latencies = Latencies()
        var unanswered = 0

        /// - Parameter end: what counts for an answer that did not come.
        mutating func record(from start: Int64, to answer: Int64?, orElse end: Int64) {
            latencies.record(nanoseconds: (answer ?? end) - start)
            if answer == nil { unanswered += 1 }
        }
    }

    /// For a source: from the moment at which the report should have been sent to its answer. For a unit: from its
    /// conclusion to the office's acceptance.
    private func byParty(
        _ log: ArrivalLog, _ sent: [String: (due: Int64, source: SourceID)], _ concluded: [String: Int64],
        except flooders: [UnitID]
    ) throws -> [Party: Waits] {
        let (answered, accepted) = (log.firstTimes(of: .reportAccepted), log.firstTimes(of: .conclusionAccepted))
        let end = Monotonic.now
        var waits: [Party: Waits] = [:]
        for (id, (due, source)) in sent {
            waits[.source(source), default: Waits()].record(from: due, to: answered[id], orElse: end)
        }
        let database = try office.worker()
        defer { database.close() }
        let handoffs = concluded.keys.compactMap { HandoffID($0) }
        for (handoff, unit, submission) in try database.run(ReadSubmissionsOfHandoffs(handoffs: handoffs)).rows {
            let key = handoff.description
            guard sent[submission] != nil, !flooders.contains(unit), let said = concluded[key] else { continue }
            waits[.unit(unit), default: Waits()].record(from: said, to: accepted[key], orElse: end)
        }
        return waits
    }
}

/// One unit that sends as fast as the broker lets it: one act of ten can be read, about a handoff that does not exist;
/// the others are no messages at all. It counts what the broker refuses, and sends nothing again.
private final class Flood: Listener {
    private let stopping = Atomic<Bool>(false)
    private let counts = Mutex((published: 0, confirmed: 0, refused: 0))
    private let failure = Failure()
    private let thread: Mutex<WorkThread?> = Mutex(nil)

    var published: Int { counts.withLock { $0.published } }
    var confirmed: Int { counts.withLock { $0.confirmed } }
    var refused: Int { counts.withLock { $0.refused } }

    init(_ unit: UnitID, _ configuration: OfficeConfiguration, messages: Int) throws {
        let settings = try configuration.brokerSettings(for: .unit(unit))
        thread.withLock {
            $0 = WorkThread(named: "flood") { [self] in
                do { try run(unit, settings, messages) } catch { failure.set(error) }
            }
        }
    }

    func check() throws { try failure.check() }

    func stop() throws {
        stopping.store(true, ordering: .releasing)
        thread.withLock { $0?.join() }
        try check()
    }

    private func run(_ unit: UnitID, _ settings: AMQP.ConnectionSettings, _ messages: Int) throws {
        let connection = try AMQP.Connection(settings)
        defer { connection.abandon() }
        let publisher = try Publisher(on: connection, messagesInFlightMax: 2_000, bytesInFlightMax: 4 << 20)
        let party = Party.unit(unit)
        let rubbish = [UInt8](repeating: UInt8(ascii: "x"), count: 400)
        for number in 0..<messages where !stopping.load(ordering: .acquiring) {
            let type = MessageType.handoffProgress
            let subject = UUID().uuidString.lowercased()
            let body =
                number.isMultiple(of: 10)
                ? Wire.encode(
                    CloudEvent(
                        id: "flood-\(number)", source: party, type: type, subject: subject, time: Instant(Date()),
                        data: HandoffProgress(text: "办理中。")))
                : rubbish + Array("\(number)".utf8)
            let properties = Properties(
                contentType: MediaType.cloudEvents, messageID: subject, type: type.rawValue, correlationID: subject,
                userID: party.description)
            guard
                try publisher.publish(
                    body, to: ExchangeName(rawValue: Topology.Exchange.feedback),
                    key: RoutingKey(rawValue: type.routingKey(from: party)), properties: properties,
                    token: Int64(number), deadline: 5)
            else { continue }
            counts.withLock { $0.published += 1 }
            if number.isMultiple(of: 64) { note(try publisher.settle(within: 0)) }
        }
        note(try publisher.settle(within: 5))
    }

    private func note(_ outcomes: [(token: Int64, outcome: Publisher.Outcome)]) {
        counts.withLock { counts in
            for (_, outcome) in outcomes {
                if outcome == .confirmed { counts.confirmed += 1 } else { counts.refused += 1 }
            }
        }
    }
}
