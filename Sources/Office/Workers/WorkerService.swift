import Basics
public import Contract
import Foundation
public import Logging
public import Observability
public import ServiceLifecycle

/// One worker process: `LaneSettings.lanes` lanes, each on its own thread, until the service is stopped.
public struct WorkerService: Service {
    private let worker: Worker
    private let settings: LaneSettings
    private let logger: Logger
    private let board: WorkerBoard
    private let metrics: WorkerMetrics
    private let manager: ServiceManager?

    /// - Parameters:
    ///   - board: where the lanes write what they are doing.
    ///   - manager: the service manager that is told the same.
    public init(
        _ worker: Worker, settings: LaneSettings, logger: Logger, board: WorkerBoard = WorkerBoard(),
        metrics: WorkerMetrics? = nil, manager: ServiceManager? = nil
    ) {
        self.worker = worker
        self.settings = settings
        self.logger = logger
        self.board = board
        self.metrics = metrics ?? .none(worker)
        self.manager = manager
    }

    /// - Throws: what waiting does not repair, such as a wrong password, if it is met before the lanes have worked.
    public func run() async throws {
        let stop = StopSignal()
        let following = manager.map { manager in Task { await manager.follow(board) } }
        defer { following?.cancel() }
        await withGracefulShutdownHandler {
            await withTaskCancellationHandler {
                await withTaskGroup(of: Void.self) { group in
                    for index in 1...max(1, settings.lanes) {
                        let sign = board.addLane()
                        group.addTask { await self.runLane(index, sign, stop: stop) }
                    }
                }
            } onCancel: {
                stop.stop()
            }
        } onGracefulShutdown: {
            manager?.isStopping()
            stop.stop()
        }
        if let refusal = board.refusal { throw refusal }
    }

    /// Runs a lane on its own thread, not in a task: librabbitmq and libpq block and are single-threaded.
    private func runLane(_ index: Int, _ sign: LaneSign, stop: StopSignal) async {
        // Different for each process, so that rows of a dead lane differ from those of a running one.
        let name = "\(LaneName.prefix(worker, getpid()))\(UInt32.random(in: 0 ... .max))-\(index)"
        await withCheckedContinuation { (ended: CheckedContinuation<Void, Never>) in
            _ = WorkThread(named: "lane \(index)") {
                Lane(
                    WorkerService.desk(worker, settings), settings: settings, name: name, relays: index == 1,
                    stop: stop, logger: logger, sign: sign, metrics: metrics
                ).run()
                ended.resume()
            }
        }
    }

    static func desk(_ worker: Worker, _ settings: LaneSettings) -> any Desk {
        switch worker {
        case .intake: IntakeDesk(sealing: Sealing(mailKey: settings.sealedMailKey), limits: settings.limits)
        case .routing: RoutingDesk()
        case .deadlines: DeadlineDesk(batchSizeMax: settings.batchSizeMax)
        case .feedback: FeedbackDesk(earlyMessageHoldSeconds: settings.earlyMessageHoldSeconds)
        }
    }
}
