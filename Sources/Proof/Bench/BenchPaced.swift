import AuditStore
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import Installation
import PostgreSQL

/// The latencies of each part of the way, of the same reports.
struct PacedLatencies: Sendable {
    /// From the moment at which the report should have been sent to the answer in the source's queue.
    var intake = Latencies()
    /// From that answer, which intake sends together with the message to routing, to the handoff in the unit's queue.
    var routing = Latencies()
    /// From the intended sending to the handoff in the unit's queue.
    var delivery = Latencies()
    /// From the unit's conclusion to the office's acceptance of it.
    var feedback = Latencies()
    /// From the intended sending to that acceptance.
    var loop = Latencies()
}

extension Bench {
    /// Sends reports through the whole office at a fixed rate, round by round, and keeps the latencies of one part.
    func paced(
        _ result: inout BenchResult, perSecond rate: Double, _ stretch: KeyPath<PacedLatencies, Latencies>
    ) throws {
        try pacedRounds(of: &result, perSecond: rate) { count in
            let (latencies, round) = try pacedRound(count, perSecond: rate)
            return (latencies[keyPath: stretch], round)
        }
    }

    /// - Parameter round: runs a round with a number of reports; returns the latencies and other figures.
    func pacedRounds(
        of result: inout BenchResult, perSecond rate: Double,
        _ round: (_ count: Int) throws -> (Latencies, RoundResult?)
    ) throws {
        result.latencyRate = rate
        let isAllThereIs = result.rounds.isEmpty
        for number in 1...settings.rounds {
            let (latencies, measured) = try round(max(1, min(settings.count, Int(rate * BenchSettings.latencySeconds))))
            result.latencyRounds.append(latencies)
            if isAllThereIs, let measured { result.rounds.append(measured) }
            note(
                String(
                    format: "%@: latencies at %.0f/s, round %d of %d, p50 %.1f ms, p99 %.1f ms", result.name.rawValue,
                    rate, number, settings.rounds, latencies.milliseconds(percentile: 50),
                    latencies.milliseconds(percentile: 99)))
        }
    }

    private func pacedRound(_ count: Int, perSecond rate: Double) throws -> (PacedLatencies, RoundResult) {
        let letters = corpus.takeHandedOff(count)
        let meter = try WriteMeter(try office.superuser())
        defer { meter.close() }
        let log = ArrivalLog(keepsSubjects: true)
        let running = try everything(log)
        defer { running.end() }
        // Connections and statements are created before the time runs.
        try warmUp(running)
        let feeder = Feeder(office.configuration)
        defer { feeder.close() }
        try feeder.open(sample.sources.map(\.id))
        let times = cpuTimes(running)
        let began = Monotonic.now
        let intended = try feeder.send(letters, perSecond: rate, from: began + 50_000_000)
        try feeder.finish()
        let total = letters.count + Bench.pacedWarmUp
        try wait(for: total, of: total, [.conclusionAccepted], running)
        let used = cpuTimes(running).since(times)
        let sizes = running.processes?.anonymousMiB ?? [:]
        try finish(running)

        let delivered = log.times(of: [.handoffDispatched])
        var round = RoundResult(
            perSecond: Double(letters.count) / Monotonic.seconds(from: began, to: delivered[delivered.count - 1]),
            count: letters.count)
        round.cpuMicroseconds = used.seconds.mapValues { $0 * 1e6 / Double(letters.count) }
        round.anonymousMiB = sizes
        round.costs = try meter.costs(reports: total)
        round.arrived = log.counts
        return (try latencies(log, intended, running.concludedAt), round)
    }

    private static let pacedWarmUp = 50

    /// - Parameter share: the part of the loops that is waited for.
    func warmUp(_ running: Running, share: Double = 1) throws {
        let feeder = Feeder(office.configuration)
        defer { feeder.close() }
        for letter in corpus.takeHandedOff(Bench.pacedWarmUp) { try feeder.send(letter) }
        try feeder.finish()
        let count = Int(share * Double(Bench.pacedWarmUp))
        try wait(for: count, of: Bench.pacedWarmUp, [.conclusionAccepted], running)
    }

    private func latencies(
        _ log: ArrivalLog, _ intended: [String: Int64], _ concluded: [String: Int64]
    ) throws -> PacedLatencies {
        let (answered, delivered, closed) = (
            log.firstTimes(of: .reportAccepted), log.firstTimes(of: .handoffDispatched),
            log.firstTimes(of: .conclusionAccepted)
        )
        let database = try office.worker()
        defer { database.close() }
        let handoffs = delivered.keys.compactMap { HandoffID($0) }
        var latencies = PacedLatencies()
        for (handoff, _, submission) in try database.run(ReadSubmissionsOfHandoffs(handoffs: handoffs)).rows {
            let key = handoff.description
            // Messages from before the time ran are not among the intended ones.
            guard let due = intended[submission], let reached = delivered[key] else { continue }
            latencies.delivery.record(nanoseconds: reached - due)
            if let answer = answered[submission] {
                latencies.intake.record(nanoseconds: answer - due)
                latencies.routing.record(nanoseconds: reached - answer)
            }
            guard let end = closed[key] else { continue }
            latencies.loop.record(nanoseconds: end - due)
            if let said = concluded[key] { latencies.feedback.record(nanoseconds: end - said) }
        }
        return latencies
    }
}
