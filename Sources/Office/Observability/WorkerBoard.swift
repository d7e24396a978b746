import Basics
import Synchronization

/// What the lanes of one process are doing. Lanes write it; the service manager and the monitors read it.
public final class WorkerBoard: Sendable {
    /// Why a lane does not work. The raw value is a label of a metric.
    public enum Wait: String, CaseIterable, Sendable {
        case database, broker, installation
        /// The broker takes no messages: it is short of memory or disk, or does not confirm.
        case brokerBlocked = "broker_blocked"
    }

    public enum LaneState: Hashable, Sendable {
        case starting
        /// It reads its queues.
        case listening
        /// - Parameter cause: codes and texts of the program; no text of a message.
        case waiting(Wait, cause: String)
    }

    private struct Lane {
        var state = LaneState.starting
        /// Its last sign of life. A lane that waits for a server gives signs too.
        var lastSign = ContinuousClock.now
    }

    private struct Content {
        var lanes: [Lane] = []
        var wasReady = false
        var refusal: (any Error)?
    }

    private let content = Mutex(Content())

    public init() {}

    /// Adds a lane.
    /// - Returns: through which the lane tells what it is doing.
    public func addLane() -> LaneSign {
        content.withLock { content in
            content.lanes.append(Lane())
            return LaneSign(board: self, index: content.lanes.count - 1)
        }
    }

    public var states: [LaneState] { content.withLock { $0.lanes.map(\.state) } }

    /// Whether every lane listened at some time, if it waits for a server now or not.
    public var wasReady: Bool { content.withLock(\.wasReady) }

    /// Whether every lane listens now.
    public var isReady: Bool {
        content.withLock { !$0.lanes.isEmpty && $0.lanes.allSatisfy { $0.state == .listening } }
    }

    /// Whether every lane gave a sign of life within this time. A lane that is stuck gives none.
    public func isAlive(within seconds: Double) -> Bool {
        let since = ContinuousClock.now - .seconds(seconds)
        return content.withLock { $0.lanes.allSatisfy { $0.lastSign >= since } }
    }

    /// Why the process must end: what waiting does not repair, such as a wrong password.
    public var refusal: (any Error)? { content.withLock(\.refusal) }

    /// One line for people, such as `2 of 2 lanes listen` or `1 of 2 lanes listens; waiting for the database: …`.
    public var status: String {
        let states = states
        let listening = states.count { $0 == .listening }
        var text = "\(listening) of \(states.count) lanes \(listening == 1 ? "listens" : "listen")"
        let waits = states.compactMap { if case .waiting(let wait, let cause) = $0 { (wait, cause) } else { nil } }
        if let (wait, cause) = waits.first { text += "; waiting for \(wait.words): \(cause)" }
        return text
    }

    /// How many lanes are in each state; every state has a row, so that a monitor sees zeros.
    public func samples(_ worker: String) -> [MetricsRegistry.Sample] {
        let labels = states.map(\.label)
        return (["starting", "listening"] + Wait.allCases.map { "waiting_\($0.rawValue)" }).map { label in
            MetricsRegistry.Sample(.lanes, [worker, label], Double(labels.count { $0 == label }))
        }
    }

    fileprivate func set(_ index: Int, _ state: LaneState?) {
        content.withLock { content in
            content.lanes[index].lastSign = .now
            guard let state else { return }
            content.lanes[index].state = state
            if content.lanes.allSatisfy({ $0.state == .listening }) { content.wasReady = true }
        }
    }

    fileprivate func state(of index: Int) -> LaneState { content.withLock { $0.lanes[index].state } }

    fileprivate func refuse(_ error: any Error) { content.withLock { $0.refusal = $0.refusal ?? error } }
}

/// A lane's side of the board.
public struct LaneSign: Sendable {
    fileprivate let board: WorkerBoard
    fileprivate let index: Int

    /// A sign of life: the lane's thread runs.
    public func alive() { board.set(index, nil) }
    public func listens() { board.set(index, .listening) }
    public func waits(for wait: WorkerBoard.Wait, _ cause: String) { board.set(index, .waiting(wait, cause: cause)) }

    /// The lane works again after a wait of this kind.
    public func isOver(_ waits: Set<WorkerBoard.Wait>) {
        guard case .waiting(let wait, _) = board.state(of: index), waits.contains(wait) else { return alive() }
        listens()
    }

    /// Ends the process: waiting does not repair this.
    public func refuse(_ error: any Error) { board.refuse(error) }
}

extension WorkerBoard.Wait {
    fileprivate var words: String {
        switch self {
        case .database: "the database"
        case .broker: "the broker"
        case .installation: "the installation to be repaired"
        case .brokerBlocked: "the broker, which takes no messages"
        }
    }
}

extension WorkerBoard.LaneState {
    fileprivate var label: String {
        switch self {
        case .starting: "starting"
        case .listening: "listening"
        case .waiting(let wait, _): "waiting_\(wait.rawValue)"
        }
    }
}
