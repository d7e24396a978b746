public import AMQP
public import Basics
import BrokerTopology
import Casework
import Contract
public import Foundation
import PartyClient
import Synchronization

/// Consumes the office's answers to sources (`source.<id>.notice`), one thread per source, and writes each delivery
/// to the source's journal before it is acknowledged.
public final class ReceiptReader: Sendable {
    private let stopSignal = StopSignal()
    private let threads: [WorkThread]
    private let tally: Tally

    /// Starts to consume.
    /// - Parameter journals: an existing folder; each source's journal is `source.<id>.jsonl` in it.
    public init(broker: AMQP.ConnectionSettings, passwords: [SourceID: String], journals: URL) throws {
        let stopSignal = stopSignal
        let tally = Tally()
        self.tally = tally
        threads = try passwords.sorted { $0.key < $1.key }.map { source, password in
            let party = Party.source(source)
            let journal = try Journal(file: JournalFolder.file(of: party.description, in: journals))
            return WorkThread(named: party.description) {
                let line = PartyLine(party, password: password, broker: broker, queues: [Topology.Queue.notice(source)])
                defer { line.close() }
                while !stopSignal.isStopped {
                    let arrivals = line.receive(within: 0.25)
                    do {
                        try journal.append(arrivals.map(\.entry))
                    } catch {
                        // A delivery that cannot be written down is not acknowledged: it is redelivered to the next
                        // reader.
                        return tally.fail(error)
                    }
                    line.acknowledge(arrivals)
                    tally.add(arrivals.count)
                }
            }
        }
    }

    /// The number of deliveries so far.
    public var count: Int { tally.count }

    /// Ends the threads.
    /// - Throws: the error that ended one of them.
    public func stop() throws {
        stopSignal.stop()
        for thread in threads { thread.join() }
        try tally.check()
    }
}

/// A counter shared by several threads, with the first error of any of them.
package final class Tally: Sendable {
    private let state = Mutex<(count: Int, failure: (any Error)?)>((0, nil))

    package var count: Int { state.withLock { $0.count } }

    package func add(_ number: Int) { state.withLock { $0.count += number } }

    package func fail(_ error: any Error) { state.withLock { $0.failure = $0.failure ?? error } }

    package func check() throws { if let failure = state.withLock({ $0.failure }) { throw failure } }
}
