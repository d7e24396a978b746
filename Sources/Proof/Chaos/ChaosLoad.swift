import AMQP
import Basics
import Casework
import Contract
import Corpus
import Foundation
import PartyClient
import Rehearsal
import Submitting
import Synchronization

/// An endless stream of invented reports from its own thread, at a steady rate or as fast as the office closes
/// them, until it is stopped.
final class ChaosLoad: Sendable {
    private let broker: AMQP.ConnectionSettings
    private let passwords: [SourceID: String]
    private let journal: Journal
    private let corpus: ChaosCorpus
    private let rate: Double?
    private let watcher: AMQP.ConnectionSettings
    private let read = Atomic<Int>(0)
    private let stopped = Atomic<Bool>(false)
    private let problems: Mutex<[String]> = Mutex([])
    private let thread: Mutex<WorkThread?> = Mutex(nil)

    /// How many reports the stream goes back when the broker ended it: none is lost, since the ids are the same.
    private static let reachBack = 2_000

    /// - Parameters:
    ///   - rate: reports a second; `nil`: as many as the office closes.
    ///   - watcher: settings of a user who may see the messages of every queue.
    init(
        broker: AMQP.ConnectionSettings, passwords: [SourceID: String], journal: Journal, corpus: ChaosCorpus,
        rate: Double?, watcher: AMQP.ConnectionSettings
    ) {
        (self.broker, self.passwords, self.journal, self.corpus) = (broker, passwords, journal, corpus)
        (self.rate, self.watcher) = (rate, watcher)
        thread.withLock { $0 = WorkThread(named: "load") { [self] in run() } }
    }

    /// The reports taken from the stream so far.
    var count: Int { read.load(ordering: .relaxed) }
    /// Why the stream had to restart.
    var interruptions: [String] { problems.withLock { $0 } }

    /// Ends the stream and waits until all taken reports are confirmed.
    func stop() {
        stopped.store(true, ordering: .releasing)
        thread.withLock { $0?.join() }
    }

    /// Sends earlier reports again, with the same ids and bytes; false if there are none yet.
    func sendAgain(_ count: Int, seed: UInt64) throws -> Bool {
        var random = SeededRandom(seed: seed)
        let sent = self.count
        guard sent > 0 else { return false }
        let lines = (0..<count).map { _ in corpus.line(at: random.below(sent)) }
        _ = try submitter().submit(reports: lines)
        return true
    }

    private func submitter() -> Submitter {
        var submitter = Submitter(broker: broker, passwords: passwords, journal: journal)
        submitter.patienceSeconds = 300
        return submitter
    }

    private func run() {
        var from = 0
        var pace = rate == nil ? LoadPace(Backlog(watcher)) : nil
        defer { pace?.close() }
        while true {
            var submitter = submitter()
            submitter.reportsPerSecond = rate
            let stream = sequence(state: from) { [self] (index: inout Int) -> ReportLine? in
                let isStopped = { self.stopped.load(ordering: .acquiring) }
                guard pace?.wait(unless: isStopped) ?? !isStopped() else { return nil }
                defer { index += 1 }
                if index >= read.load(ordering: .relaxed) { read.store(index + 1, ordering: .relaxed) }
                return corpus.line(at: index)
            }
            do {
                let summary = try submitter.submit(reports: stream)
                return problems.withLock { $0 += summary.problems.map(\.description) }
            } catch {
                problems.withLock { $0.append("\(error)") }
                if stopped.load(ordering: .acquiring) { return }
                from = max(0, count - Self.reachBack)
                usleep(200_000)
            }
        }
    }
}

/// The reports of a run by index, so that each can be written again from the seed and the time.
struct ChaosCorpus: Sendable {
    let seed: UInt64
    private let corpus: Corpus

    /// One in this many reports is one that the office must refuse.
    private static let badEvery = 100

    /// - Parameter receivedAround: the business time at the start.
    init(seed: UInt64, receivedAround: Instant) {
        self.seed = seed
        corpus = Corpus(seed: seed, receivedAround: receivedAround)
    }

    func line(at index: Int) -> ReportLine {
        let sample = corpus.report(at: index)
        var submission = sample.submission
        if index % Self.badEvery == Self.badEvery - 1 { submission.matterKind = "no-such-kind" }
        return ReportLine(number: index + 1, source: sample.source, id: sample.id, submission: submission)
    }

    /// The submission sent under an id; `nil` for an id that is not of this corpus.
    func submission(source: String, id: String) -> Submission? {
        guard let index = id.split(separator: "-").last.flatMap({ Int($0) }) else { return nil }
        let line = line(at: index)
        return line.id == id && line.source.rawValue == source ? line.submission : nil
    }
}
