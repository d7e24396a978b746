import CPostgreSQL
import Foundation

/// What a `NOTIFY` brought to a session that said `LISTEN`.
public struct ServerNotification: Sendable {
    public let channel: String
    public let payload: String
    /// The server process of the session that sent it.
    public let processID: Int32
}

extension Connection {
    /// Waits until a notification has come, but not longer than that; returns all that have, in order. `LISTEN` goes by
    /// `execute`. Notifications are a hint and no queue: who was away missed them.
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
