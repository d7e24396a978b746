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
    /// It works at most this part of the time, so that counting a large office does not burden it.
    private static let shareMax = 0.05

    private struct Content {
        var view: OfficeView?
        var history = OfficeHistory()
    }

    private let configuration: OfficeConfiguration
    private let content = Mutex(Content())

    init(_ configuration: OfficeConfiguration) { self.configuration = configuration }

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

    private func sample(until stop: StopSignal) {
        // The operator may read queues, and so tells an empty one from a dead one. A service does not have its
        // password.
        let broker =
            (try? configuration.operatorBrokerSettings())
            ?? (try? configuration.brokerSettings(for: .office(.deadlines)))
        let reader = OfficeReader(
            configuration, as: .deadlines, broker: broker, name: "bihuan sampler", isStopped: { stop.isStopped })
        defer { reader.close() }
        while !stop.isStopped {
            let begun = ContinuousClock.now
            let isTheOne = try? reader.isTheOne()
            if isTheOne != false {
                // Without a database it still looks at the queues.
                let view = reader.read()
                content.withLock { content in
                    content.view = view
                    content.history.add(view)
                }
            } else {
                content.withLock { $0.view = nil }
            }
            let spent = (ContinuousClock.now - begun).inSeconds
            let end =
                ContinuousClock.now + .seconds(max(configuration.monitor.sampleSeconds - spent, spent / Self.shareMax))
            while !stop.isStopped, ContinuousClock.now < end { Thread.sleep(forTimeInterval: 0.05) }
        }
    }
}
