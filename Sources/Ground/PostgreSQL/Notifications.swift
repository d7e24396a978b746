import CPostgreSQL
import Foundation

/// A notification of `NOTIFY`, for a session that ran `LISTEN`.
public struct ServerNotification: Sendable {
    public let channel: String
    public let payload: String
    /// The process id of the sender's backend.
    public let processID: Int32
}

extension Connection {
    /// Waits until a notification comes, at most `limit` milliseconds; returns all received ones, in order. Run
    /// `LISTEN` by `execute`. Notifications are hints, not a queue: a session that was not connected misses them.
    public func notifications(withinMilliseconds limit: Int) throws(PostgreSQLError) -> [ServerNotification] {
        let handle = try openHandle()
        let deadline = ContinuousClock.now + .milliseconds(limit)
        while true {
            try consumeInput(because: nil)
            var found: [ServerNotification] = []
            while let notification = PQnotifies(handle) {
                found.append(
                    ServerNotification(
                        channel: String(cString: notification.pointee.relname),
                        payload: String(cString: notification.pointee.extra), processID: notification.pointee.be_pid))
                PQfreemem(notification)
            }
            let remaining = (ContinuousClock.now.duration(to: deadline) / .milliseconds(1)).rounded(.up)
            if !found.isEmpty || remaining <= 0 { return found }
            _ = try pollSocket(POLLIN, withinMilliseconds: Int(remaining))
        }
    }
}
