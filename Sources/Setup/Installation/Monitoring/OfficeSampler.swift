import Basics
import CaseStore
import Contract
import Foundation
import Logging
import Observability
import ServiceLifecycle
import Synchronization

/// Samples the whole office on an interval of its own, in one of all deadline workers: the one that holds the lock in
/// the database. What it saw is kept in memory for scrapes and the page.
final class OfficeSampler: Service {
    /// It asks the database at most this part of the time, so that counting a large office does not burden it.
    private static let shareMax = 0.05
    /// The first samples come faster.
    private static let hastyCount = 6
    private static let hastySeconds = 1.0

    private struct Content {
        var view: OfficeView?
        var history = OfficeHistory()
    }

    private let configuration: Mutex<OfficeConfiguration>
    /// Counts the configurations, so that the thread that reads learns of a new one.
    private let renewals = Mutex(0)
    private let content = Mutex(Content())

    init(_ configuration: OfficeConfiguration) { self.configuration = Mutex(configuration) }

    /// The next sample is taken with other passwords.
    func renew(_ renewed: OfficeConfiguration) {
        configuration.withLock { $0 = renewed }
        renewals.withLock { $0 += 1 }
    }

    /// `nil` while another process samples.
    var view: OfficeView? { content.withLock(\.view) }
    var samples: [MetricsRegistry.Sample] { view?.samples ?? [] }

    func page(_ query: [String: String], _ languages: String) -> String {
        let (view, history) = content.withLock { ($0.view, $0.history) }
        return OfficePage(
            view: view, history: history, now: Double(Wall.now) / 1e6,
            language: .choose(query: query, languages: languages)
        ).html
    }

    func run() async throws {
        let stop = StopSignal()
        await withGracefulShutdownHandler {
            await withTaskCancellationHandler {
                await withCheckedContinuation { (ended: CheckedContinuation<Void, Never>) in
                    _ = WorkThread(named: "sampler") {
                        self.sample(until: stop)
                        ended.resume()
                    }
                }
            } onCancel: {
                stop.stop()
            }
        } onGracefulShutdown: {
            stop.stop()
        }
    }

    private func reader(_ stop: StopSignal) -> OfficeReader {
        let configuration = configuration.withLock(\.self)
        // The operator may read queues, and so tells an empty one from a dead one. A service does not have its
        // password.
        let broker =
            (try? configuration.operatorBrokerSettings())
            ?? (try? configuration.brokerSettings(for: .office(.deadlines)))
        return OfficeReader(
            configuration, as: .deadlines, broker: broker, name: "bihuan sampler", isStopped: { stop.isStopped })
    }

    private func sample(until stop: StopSignal) {
        var (reader, known, taken) = (reader(stop), 0, 0)
        defer { reader.close() }
        while !stop.isStopped {
            let now = renewals.withLock(\.self)
            if now != known {
                reader.close()
                (reader, known) = (self.reader(stop), now)
            }
            let begun = ContinuousClock.now
            var busySeconds = 0.0
            // Without a database it still looks at the queues.
            if (try? reader.isTheOne()) != false {
                let view = reader.read()
                busySeconds = view.databaseSeconds
                taken += 1
                content.withLock { content in
                    content.view = view
                    content.history.add(view)
                }
            } else {
                content.withLock { $0.view = nil }
            }
            // An office that starts is looked at again soon: its workers come one after the other.
            let interval =
                taken < Self.hastyCount
                ? Self.hastySeconds : configuration.withLock(\.monitor.sampleSeconds)
            let pause = max(interval, busySeconds / Self.shareMax)
            while !stop.isStopped, (ContinuousClock.now - begun).inSeconds < pause {
                Thread.sleep(forTimeInterval: 0.05)
            }
        }
    }
}
