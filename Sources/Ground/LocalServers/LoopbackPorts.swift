import Foundation

/// The ports of one directory, kept in its `ports.json` so that the URLs stay the same for all starts.
struct LoopbackPorts: Codable, Sendable {
    var postgresql: Int
    var rabbitmq: Int
    var distribution: Int
    var epmd: Int
}

/// Four ports of 127.0.0.1, reserved while this object lives.
///
/// Each port is held by a bound socket that never listens. The kernel then neither uses the port as an ephemeral one
/// nor chooses it for another `bind` to port 0. A server that sets `SO_REUSEADDR` (all of ours do) can still listen
/// on it.
final class PortReservation {
    let ports: LoopbackPorts
    private var sockets: [Int32]

    /// Takes the preferred ports that are free, and new ones for the others.
    init(preferring preferred: LoopbackPorts?) throws(LocalServersError) {
        var sockets: [Int32] = []
        func reserve(_ preferred: Int?) -> Int {
            if let preferred, isFree(preferred), let socket = boundSocket(port: preferred, reuse: true) {
                sockets.append(socket)
                return preferred
            }
            // Below the ports that the kernel uses for outgoing connections, so that they are free again after a
            // stop.
            for _ in 0..<100 {
                let port = Int.random(in: 20_000..<32_000)
                guard isFree(port), let socket = boundSocket(port: port, reuse: false) else { continue }
                setReuse(socket)
                sockets.append(socket)
                return port
            }
            guard let socket = boundSocket(port: 0, reuse: false) else { return 0 }
            // Set only now: with it set before, the kernel could choose a port that another reservation holds.
            setReuse(socket)
            sockets.append(socket)
            return Loopback.port(of: socket)
        }
        ports = LoopbackPorts(
            postgresql: reserve(preferred?.postgresql), rabbitmq: reserve(preferred?.rabbitmq),
            distribution: reserve(preferred?.distribution), epmd: reserve(preferred?.epmd))
        self.sockets = sockets
        if sockets.count < 4 {
            release()
            throw .init(.startFailed, "no free port of 127.0.0.1 could be bound", cause: systemMessage(errno))
        }
    }

    func release() {
        sockets.forEach { close($0) }
        sockets = []
    }

    deinit { release() }
}

/// True if a server on a port of 127.0.0.1 answers `request` with bytes that begin with `reply`.
func answers(port: Int, request: [UInt8], replyBeginsWith reply: UInt8) -> Bool {
    guard let socket = makeSocket() else { return false }
    defer { close(socket) }
    var patience = timeval(tv_sec: 2, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    guard Loopback.withAddress(port: port, { connect(socket, $0, $1) }) == 0,
        send(socket, request, request.count, Int32(MSG_NOSIGNAL)) == request.count
    else { return false }
    var first: UInt8 = 0
    return recv(socket, &first, 1, 0) == 1 && first == reply
}

/// Tries to listen: this works on a port in TIME_WAIT after a restart, and fails on one that has a listener.
private func isFree(_ port: Int) -> Bool {
    guard (1024...65535).contains(port), let socket = boundSocket(port: port, reuse: true) else { return false }
    defer { close(socket) }
    return listen(socket, 1) == 0
}

private func boundSocket(port: Int, reuse: Bool) -> Int32? {
    guard let socket = makeSocket() else { return nil }
    if reuse { setReuse(socket) }
    if Loopback.withAddress(port: port, { bind(socket, $0, $1) }) == 0 { return socket }
    close(socket)
    return nil
}

private func makeSocket() -> Int32? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    return descriptor < 0 ? nil : descriptor
}

private func setReuse(_ socket: Int32) {
    var on: Int32 = 1
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
}
