public import Foundation

/// The service manager that started this process, as systemd does: it is told when the service is ready, what it
/// does, and that it is alive. The protocol is that of `sd_notify(3)`: datagrams of `NAME=value` lines.
public struct ServiceManager: Sendable {
    private let socketName: String
    /// The process is ended if it gives no sign for this long; `nil` if nobody watches.
    let watchdogSeconds: Double?

    /// The manager that the environment names (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`); `nil` if there is
    /// none.
    public init?(environment: [String: String] = ProcessInfo.processInfo.environment) {
        guard let name = environment["NOTIFY_SOCKET"], let first = name.first, "/@".contains(first) else { return nil }
        socketName = name
        let isMeant = environment["WATCHDOG_PID"].map { $0 == "\(getpid())" } ?? true
        let microseconds = environment["WATCHDOG_USEC"].flatMap(Double.init) ?? 0
        watchdogSeconds = isMeant && microseconds > 0 ? microseconds / 1_000_000 : nil
    }

    /// Tells the manager of a worker until the task is cancelled.
    ///
    /// The watchdog is fed while every lane gives signs of life. A lane that waits for a server gives signs; one that
    /// is stuck gives none for half the watchdog's time, and then the manager ends the process.
    public func follow(_ board: WorkerBoard) async {
        var (isReady, status) = (false, "")
        let pause = min(1, (watchdogSeconds ?? 4) / 4)
        while !Task.isCancelled {
            var lines: [String] = []
            if !isReady, board.wasReady {
                isReady = true
                lines.append("READY=1")
            }
            if board.status != status {
                status = board.status
                lines.append("STATUS=\(status)")
            }
            if let watchdogSeconds, board.isAlive(within: watchdogSeconds / 2) { lines.append("WATCHDOG=1") }
            tell(lines)
            try? await Task.sleep(for: .seconds(isReady ? pause : min(0.1, pause)))
        }
    }

    /// The service begins to stop.
    public func isStopping() { tell(["STOPPING=1"]) }

    /// The service ends because of this.
    public func fails(_ reason: String) { tell(["STATUS=\(reason.prefix(500).replacing("\n", with: " "))"]) }

    private func tell(_ lines: [String]) {
        guard !lines.isEmpty else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var path = Array(socketName.utf8)
        // An abstract socket's name begins with a zero byte.
        if path.first == UInt8(ascii: "@") { path[0] = 0 }
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { place in
            guard path.count < place.count else { return false }
            place.copyBytes(from: path)
            return true
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard fits, descriptor >= 0 else { return }
        defer { close(descriptor) }
        let length = MemoryLayout<sa_family_t>.size + path.count + (path.first == 0 ? 0 : 1)
        let text = Array(lines.joined(separator: "\n").utf8)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                _ = sendto(
                    descriptor, text, text.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT), pointer,
                    socklen_t(length))
            }
        }
    }
}
