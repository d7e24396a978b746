import CaseStore
import Casework
import Contract
import Demo
import Foundation
import PostgreSQL

/// How long each stretch of the way took, of the same reports.
struct PacedLatencies: Sendable {
    /// From the moment at which the report should have been sent to the answer in the source's queue.
    var intake = Latencies()
    /// From that answer, which leaves intake together with the message to routing, to the handoff in the unit's queue.
    var routing = Latencies()
    /// From the intended sending to the handoff in the unit's queue.
    var delivery = Latencies()
    /// From the unit's conclusion to the office's word that it is accepted.
    var feedback = Latencies()
    /// From the intended sending to that word.
    var loop = Latencies()
}

extension Bench {
    /// Sends reports through the whole office at a fixed rate and keeps the latencies of one stretch.
    func paced(_ result: inout BenchResult, perSecond rate: Double, _ stretch: KeyPath<PacedLatencies, Latencies>) throws {
        let letters = corpus.takeHandedOff(max(1, min(settings.count, Int(rate * BenchSettings.latencySeconds))))
        note(String(format: "%@: latencies at %.0f/s", result.name.rawValue, rate))
        try writeOut()
        let log = ArrivalLog(keepsSubjects: true)
        let running = try everything(log)
        defer { running.end() }
        // Connections and statements are made before the clock runs.
        try warmUp(running)
        let feeder = Feeder(office.configuration)
        defer { feeder.close() }
        try feeder.open(sample.sources.map(\.id))
        let intended = try feeder.send(letters, perSecond: rate, from: Monotonic.now + 50_000_000)
        try feeder.finish()
        let total = letters.count + Bench.pacedWarmUp
        try wait(for: total, of: total, [.conclusionAccepted], running)
        let sizes = running.processes?.anonymousMiB ?? [:]
        try running.finish()
        try Durability.check(log)
        let concluded = running.listeners.compactMap { ($0 as? BenchUnits)?.concludedAt }.first ?? [:]
        result.latencies = try latencies(log, intended, concluded)[keyPath: stretch]
        result.latencyRate = rate
        if result.rounds.isEmpty { result.pacedAnonymousMiB = sizes }
    }

    private static let pacedWarmUp = 50

    private func warmUp(_ running: Running) throws {
        let feeder = Feeder(office.configuration)
        defer { feeder.close() }
        for letter in corpus.takeHandedOff(Bench.pacedWarmUp) { try feeder.send(letter) }
        try feeder.finish()
        try wait(for: Bench.pacedWarmUp, of: Bench.pacedWarmUp, [.conclusionAccepted], running)
    }

    private func latencies(_ log: ArrivalLog, _ intended: [String: Int64], _ concluded: [String: Int64]) throws -> PacedLatencies {
        func times(_ type: MessageType) -> [String: Int64] {
            let marks = log.marks(of: type)
            return Dictionary(zip(marks.subjects, marks.times)) { first, _ in first }
        }
        let (answered, delivered, closed) = (times(.reportAccepted), times(.handoffDispatched), times(.conclusionAccepted))
        let database = try office.worker()
        defer { database.close() }
        let handoffs = delivered.keys.compactMap { HandoffID($0) }
        var latencies = PacedLatencies()
        for (handoff, submission) in try database.run(ReadSubmissionsOfHandoffs(handoffs: handoffs)).rows {
            let key = handoff.description
            // What came before the clock ran is not among the intended.
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
