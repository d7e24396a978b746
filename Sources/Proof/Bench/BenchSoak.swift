import Casework
import Contract
import Foundation

/// The memory of each worker after a number of closed loops.
package struct SoakSample: Sendable, Encodable {
    let closed: Int
    let seconds: Double
    /// By worker, in MiB.
    let anonymousMiB: [String: Double]

    enum CodingKeys: String, CodingKey { case closed, seconds, anonymousMiB = "rss_anon_mib" }

    /// The messages that each worker handles per loop: for feedback a signature, a disposition and a conclusion.
    static let messagesPerLoop = ["intake": 1, "routing": 1, "feedback": 3]

    /// A worker's memory after its first messages and at the end.
    package struct Growth: Sendable {
        package let worker: String
        let early, late: (messages: Int, mebibytes: Double)

        /// Whether the growth exceeds the normal variation of an allocator: a leak of ten bytes a message shows
        /// after a million.
        var isGrowth: Bool { late.mebibytes > early.mebibytes * 1.15 + 2 }
    }

    private static let earlyMessages = 50_000

    /// The growth of each worker that has handled enough messages to be warm; sorted by name.
    static func growth(_ samples: [SoakSample]) -> [Growth] {
        messagesPerLoop.sorted { $0.key < $1.key }.compactMap { worker, perLoop in
            guard let last = samples.last, let early = samples.first(where: { $0.closed * perLoop >= earlyMessages }),
                early.closed < last.closed,
                let before = early.anonymousMiB[worker], let after = last.anonymousMiB[worker]
            else { return nil }
            return Growth(worker: worker, early: (early.closed * perLoop, before), late: (last.closed * perLoop, after))
        }
    }
}

extension Bench {
    /// The maximum number of open loops: enough for full batches, too few to fill queues.
    private static let soakLeadMax = 4_000
    private static let soakChunk = 1_000
    private static let soakSampleEvery = 5_000

    /// One long run of the whole office, in which the workers must not grow.
    func soak(_ result: inout BenchResult) throws {
        let log = ArrivalLog()
        let running = try everything(log)
        defer { running.end() }
        let feeder = Feeder(office.configuration)
        defer { feeder.close() }
        let began = Monotonic.now
        var sent = 0
        func sample() {
            let closed = log.count(of: [.conclusionAccepted])
            guard closed >= (result.soak.last?.closed ?? 0) + Bench.soakSampleEvery || closed == settings.count else {
                return
            }
            result.soak.append(
                SoakSample(
                    closed: closed, seconds: Monotonic.seconds(from: began, to: Monotonic.now),
                    anonymousMiB: running.processes?.anonymousMiB ?? [:]))
        }
        while sent < settings.count {
            let letters = corpus.takeHandedOff(min(Bench.soakChunk, settings.count - sent))
            try wait(
                for: max(0, sent + letters.count - Bench.soakLeadMax), of: settings.count, [.conclusionAccepted],
                running)
            for letter in letters { try feeder.send(letter) }
            try feeder.finish()
            sent += letters.count
            sample()
        }
        try wait(for: settings.count, of: settings.count, [.conclusionAccepted], running)
        sample()
        try finish(running)
    }
}
