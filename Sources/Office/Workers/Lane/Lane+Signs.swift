import AMQP
import Basics
import Logging
import Observability
import PostgreSQL

/// What the lane tells others about itself: that it reads its queues, that the broker takes no messages, and that the
/// process must end.
extension Lane {
    /// The lane reads its queues.
    func listens() {
        hasListened = true
        refusals = 0
        logger.log(.laneReady)
        sign.listens()
    }

    /// Whether the process must end, since waiting does not repair this: a server refuses the user, again and again,
    /// from the start; or the lane may not work with this database. A lane that has worked before waits: a password is
    /// being changed.
    func refuses(_ error: any Error) -> Bool {
        if !hasListened, isRefusal(error) { refusals += 1 } else { refusals = 0 }
        guard refusals >= LaneSettings.refusalsMax || (!hasListened && error is WrongSecret) else { return false }
        sign.refuse(error)
        return true
    }

    private func isRefusal(_ error: any Error) -> Bool {
        switch error {
        case let error as AMQPError: error.code == .authenticationFailed
        case let error as PostgreSQLError:
            error.code == .unsuitable || error.isLoginRefused
        default: false
        }
    }

    func noteBlocked() {
        if let blockedSince { metrics.wasBlocked((ContinuousClock.now - blockedSince).inSeconds) }
        blockedSince = .now
        sign.waits(for: .brokerBlocked, "what was sent is not confirmed")
    }

    func noteUnblocked() {
        guard let blockedSince else { return }
        metrics.wasBlocked((ContinuousClock.now - blockedSince).inSeconds)
        self.blockedSince = nil
        sign.isOver([.brokerBlocked])
    }
}
