import BrokerTopology
package import Contract
import Corpus
import Foundation
import Installation

extension Bench {
    /// The answers to sources: one for each submission.
    package static let answers: [MessageType] = [.reportAccepted, .reportRejected, .reportReceived, .messageRefused]

    var submitQueues: [String] { sample.sources.map { Topology.Queue.submit($0.id) } }
    var sourceQueues: [String] { sample.sources.map { Topology.Queue.notice($0.id) } }
    var workQueues: [String] { [Topology.Queue.routing, Topology.Queue.routingExpress] }

    /// Measures from the intake queue to the answer in the source's queue. The reports are queued before the
    /// workers start: feeding them meanwhile would use the same two processors.
    package func intake(_ result: inout BenchResult) throws {
        try rounds(of: &result) { count in
            try preload(corpus.take(count))
            return try measure([.intake], until: count, of: Bench.answers, at: [sourceQueues, workQueues])
        }
        let rate = settings.rate ?? (result.perSecond?.median ?? 0) / 2
        try pacedRounds(of: &result, perSecond: rate) { (try intakeLatencies($0, perSecond: rate), nil) }
    }

    /// Puts reports into the intake queue while it has no consumer.
    func preload(_ letters: [Feeder.Letter]) throws {
        let feeder = Feeder(office.configuration)
        defer { feeder.close() }
        for letter in letters { try feeder.send(letter) }
        try feeder.finish()
    }

    /// The latencies from the moment at which each report should have been sent to its answer.
    private func intakeLatencies(_ count: Int, perSecond rate: Double) throws -> Latencies {
        let letters = corpus.take(count)
        try writeOut()
        let log = ArrivalLog(keepsSubjects: true)
        var running = Running(
            log: log,
            listeners: try [sourceQueues, workQueues].map {
                Drain(try office.operatorBroker("drain"), queues: $0, into: log)
            })
        defer { running.end() }
        running.processes = try start([.intake])
        try waitForConsumers(of: submitQueues)
        let feeder = Feeder(office.configuration)
        defer { feeder.close() }
        try feeder.open(sample.sources.map(\.id))
        let intended = try feeder.send(letters, perSecond: rate, from: Monotonic.now + 50_000_000)
        try feeder.finish()
        try wait(for: letters.count, of: letters.count, Bench.answers, running)
        try finish(running)
        var latencies = Latencies()
        for type in Bench.answers {
            let marks = log.marks(of: type)
            for (subject, at) in zip(marks.subjects, marks.times) {
                if let due = intended[subject] { latencies.record(nanoseconds: at - due) }
            }
        }
        return latencies
    }
}
