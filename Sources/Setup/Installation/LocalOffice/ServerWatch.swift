import AMQP
import Basics
import BrokerTopology
import CaseStore
import Foundation
import LocalServers
import PostgreSQL
import Synchronization
import Terminal

/// Watches the private servers of an office. What ends by itself is started again, and a queue whose process died is
/// brought back by a restart of its broker; both are told. What does not come back is given up, with the reason.
final class ServerWatch: Sendable {
    struct Settings: Sendable {
        let servers: LocalServers
        let configuration: OfficeConfiguration
        /// Told what happens, one line each.
        var report: @Sendable (String) -> Void
        /// Told once why the office cannot go on.
        var giveUp: @Sendable (UserError) -> Void
    }

    private static let lookMicroseconds: UInt32 = 200_000
    private static let surveySeconds = 5.0
    /// When something was down at the last look.
    private static let secondLookSeconds = 1.0
    /// Queues of parties are often empty and unread, and are then asked for a message: more seldom, for that costs the
    /// broker a write.
    private static let partiesEvery = 12
    /// A server that ended so often within ten minutes is ill.
    private static let endingsMax = 5
    private static let endingsWithin = Duration.seconds(600)

    private let settings: Settings
    private let isStopping = Atomic<Bool>(false)
    private let thread: Mutex<WorkThread?> = Mutex(nil)

    init(_ settings: Settings) { self.settings = settings }

    func start() {
        thread.withLock { $0 = WorkThread(named: "watch-servers") { [self] in watch() } }
    }

    /// Returns when nothing is started any more. Calling it again does nothing.
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

/// What is to be done about queues that are down. Pure, so that it can be told as a story.
struct QueueWatch {
    enum Step: Equatable {
        case restart([String])
        case giveUp([String])
    }

    /// How often it was looked.
    var looks = 0
    /// Down at the last look: a queue that is only being started is not so twice.
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
