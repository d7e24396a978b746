import AMQP
import Basics
import BrokerTopology
import CaseStore
import Foundation
import LocalServers
import PostgreSQL
import Synchronization
import Terminal

/// Watches the private servers of an office. It restarts a server that ended, and restarts the broker if a queue's
/// process died; it reports both. A server or queue that does not recover is given up, with the reason.
final class ServerWatch: Sendable {
    struct Settings: Sendable {
        let servers: LocalServers
        let configuration: OfficeConfiguration
        /// Called with each event, one line each.
        var report: @Sendable (String) -> Void
        /// Called once with the reason why the office cannot continue.
        var giveUp: @Sendable (UserError) -> Void
    }

    private static let lookMicroseconds: UInt32 = 200_000
    private static let surveySeconds = 5.0
    /// The interval if a queue was down in the last survey.
    private static let secondLookSeconds = 1.0
    /// The queues of parties are asked only in every twelfth survey, unless a queue was down in the last one. They
    /// are often empty and without a consumer, and are then asked for a message, which costs the broker a write.
    private static let partiesEvery = 12
    /// The endings of servers within ten minutes that are restarted; one more, and the office is given up.
    private static let endingsMax = 5
    private static let endingsWithin = Duration.seconds(600)

    private let settings: Settings
    private let isStopping = Atomic<Bool>(false)
    private let thread: Mutex<WorkThread?> = Mutex(nil)

    init(_ settings: Settings) { self.settings = settings }

    func start() {
        thread.withLock { $0 = WorkThread(named: "watch-servers") { [self] in watch() } }
    }

    /// Returns when no server will be started any more. A second call does nothing.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        thread.withLock { $0 }?.join()
    }

    private var goesOn: Bool { !isStopping.load(ordering: .acquiring) }

    // MARK: Watching

    private func watch() {
        var endings: [ContinuousClock.Instant] = []
        var queues = QueueWatch()
        var surveyAt = ContinuousClock.now + .seconds(Self.surveySeconds)
        while goesOn {
            usleep(Self.lookMicroseconds)
            do {
                for server in settings.servers.ended where goesOn {
                    endings = endings.filter { ContinuousClock.now - $0 < Self.endingsWithin } + [.now]
                    if endings.count > Self.endingsMax {
                        throw UserError(
                            """
                            \(server), once more after \(endings.count - 1) endings within ten minutes: read \
                            \(server.logFile)
                            """
                        )
                    }
                    try revive(server)
                    surveyAt = .now + .seconds(Self.surveySeconds)
                }
                if ContinuousClock.now >= surveyAt {
                    try look(at: &queues)
                    surveyAt = .now + .seconds(queues.suspects.isEmpty ? Self.surveySeconds : Self.secondLookSeconds)
                }
            } catch {
                if goesOn { settings.giveUp(UserError(error)) }
                return
            }
        }
    }

    private func revive(_ server: LocalServers.EndedServer) throws {
        settings.report("\(server); it is started again, its log is \(server.logFile)")
        do {
            try settings.servers.revive(server.name)
        } catch {
            throw UserError("\(server) and does not start again: \(UserError(error))")
        }
        settings.report("\(server.name.rawValue) runs again")
    }

    private func look(at queues: inout QueueWatch) throws {
        queues.looks += 1
        let withParties = queues.looks % Self.partiesEvery == 0
        guard let down = try? downQueues(withParties: withParties || !queues.suspects.isEmpty) else { return }
        switch queues.take(down) {
        case nil: return
        case .restart(let names):
            settings.report("down on the broker: \(names.joined(separator: ", ")); RabbitMQ is restarted")
            try settings.servers.restartRabbitMQ()
            settings.report("RabbitMQ runs again")
        case .giveUp(let names):
            throw UserError(
                "down on the broker, also after its restart: \(names.joined(separator: ", ")): \(QueueSurvey.advice)")
        }
    }

    private func downQueues(withParties: Bool) throws -> [String] {
        var broker = try settings.configuration.operatorBrokerSettings()
        broker.rpcTimeoutSeconds = 3
        let queues = Topology.Queue.office + (withParties ? try OfficeQueues.parties(of: settings.configuration) : [])
        let survey = try QueueSurvey(broker)
        defer { survey.close() }
        return try queues.filter { try survey.state(of: $0) == .down }
    }
}

/// Decides what to do about queues that are down. Pure, so that tests can replay a sequence.
struct QueueWatch {
    enum Step: Equatable {
        case restart([String])
        case giveUp([String])
    }

    /// The number of surveys.
    var looks = 0
    /// The queues that were down in the last survey. A queue that is only starting is not down twice.
    private(set) var suspects: Set<String> = []
    private var wasRestarted = false

    mutating func take(_ down: [String]) -> Step? {
        let twice = down.filter { suspects.contains($0) }
        suspects = Set(down)
        if down.isEmpty { wasRestarted = false }
        guard !twice.isEmpty else { return nil }
        suspects = []
        defer { wasRestarted = true }
        return wasRestarted ? .giveUp(twice) : .restart(twice)
    }
}
