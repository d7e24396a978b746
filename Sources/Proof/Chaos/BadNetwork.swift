import Basics
import Foundation
import LocalServers
import Rehearsal
import Synchronization

/// A TCP proxy on a free port of 127.0.0.1 for one server. Its connections can be reset, blocked and slowed.
///
/// One thread moves all bytes. Slowed bytes stay in order; cut connections are reset, so that both ends see an
/// error and not an end of data.
final class BadNetwork: @unchecked Sendable {
    enum Weather: Sendable, Equatable {
        case clear
        /// New connections are reset at once.
        case cut
        /// Nothing is read from either end: each sees the other as slow.
        case silent
        case slow(delaySeconds: Double, bytesPerSecond: Int)
    }

    private struct Orders {
        var weather = Weather.clear
        var resetsAll = false
        var ends = false
        var targetPort = 0
    }

    let port: Int
    private let listener: Int32
    private let wake: (read: Int32, write: Int32)
    private let orders = Mutex(Orders())
    /// Used only by the proxy's thread.
    private var links: [Link] = []
    private var thread: WorkThread?

    init() throws(UserError) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var ends: [Int32] = [-1, -1]
        guard listener >= 0, Loopback.withAddress(port: 0, { bind(listener, $0, $1) }) == 0, listen(listener, 128) == 0,
            pipe(&ends) == 0
        else {
            throw UserError("no port for a proxy can be had: \(String(cString: strerror(errno)))")
        }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        self.listener = listener
        wake = (ends[0], ends[1])
        port = Loopback.port(of: listener)
        thread = WorkThread(named: "network") { [unowned self] in run() }
    }

    /// Sets the port of 127.0.0.1 for new connections.
    func lead(to targetPort: Int) { order { $0.targetPort = targetPort } }

    func set(_ weather: Weather) {
        order {
            $0.weather = weather
            if weather == .cut { $0.resetsAll = true }
        }
    }

    /// Ends the thread and every connection; the last call.
    func close() {
        order { $0.ends = true }
        thread?.join()
        for descriptor in [listener, wake.read, wake.write] { _ = Foundation.close(descriptor) }
    }

    private func order(_ change: (inout Orders) -> Void) {
        orders.withLock { change(&$0) }
        var byte: UInt8 = 1
        _ = write(wake.write, &byte, 1)
    }

    // MARK: The thread

    private func run() {
        while true {
            let now = ContinuousClock.now
            let orders = orders.withLock { orders in
                defer { orders.resetsAll = false }
                return orders
            }
            if orders.resetsAll || orders.ends {
                for link in links { link.reset() }
                links = []
            }
            if orders.ends { return }
            var polled = [
                pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
                pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0),
            ]
            for link in links { polled += link.wishes(orders.weather, at: now) }
            _ = poll(&polled, nfds_t(polled.count), links.contains { $0.hasWaiting } ? 5 : 500)
            if polled[1].revents != 0 {
                var bytes = [UInt8](repeating: 0, count: 64)
                _ = read(wake.read, &bytes, bytes.count)
                // New orders apply to the bytes moved from now on.
                continue
            }
            for (index, link) in links.enumerated() {
                link.move(polled[2 + 2 * index].revents, polled[3 + 2 * index].revents, orders.weather)
            }
            links.removeAll(where: \.isOver)
            if polled[0].revents != 0 { accept() }
        }
    }

    private func accept() {
        while true {
            let client = Foundation.accept(listener, nil, nil)
            guard client >= 0 else { return }
            // A connection made after an order gets the state of that order, though this round began before it.
            let orders = orders.withLock(\.self)
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            guard orders.weather != .cut,
                Loopback.withAddress(port: orders.targetPort, { connect(server, $0, $1) }) == 0
            else {
                Link(client: client, server: server).reset()
                continue
            }
            links.append(Link(client: client, server: server))
        }
    }
}

/// One connection of a client, and the proxy's connection to the server for it.
private final class Link {
    private let client: Int32
    private let server: Int32
    private var up = Flow()
    private var down = Flow()
    private(set) var isOver = false

    init(client: Int32, server: Int32) {
        (self.client, self.server) = (client, server)
        var on: Int32 = 1
        for descriptor in [client, server] {
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    var hasWaiting: Bool { !up.isEmpty || !down.isEmpty }

    /// The events to poll on both ends. An end without wanted events is left out, since its hang-up would be
    /// reported again and again.
    func wishes(_ weather: BadNetwork.Weather, at now: ContinuousClock.Instant) -> [pollfd] {
        func wish(_ descriptor: Int32, reads: Flow, writes: Flow) -> pollfd {
            var events: Int16 = 0
            if weather != .silent {
                if reads.hasRoom { events |= Int16(POLLIN) }
                if writes.isReady(at: now) { events |= Int16(POLLOUT) }
            }
            return pollfd(fd: events == 0 ? -1 : descriptor, events: events, revents: 0)
        }
        return [wish(client, reads: up, writes: down), wish(server, reads: down, writes: up)]
    }

    func move(_ clientEvents: Int16, _ serverEvents: Int16, _ weather: BadNetwork.Weather) {
        let now = ContinuousClock.now
        let readable = Int16(POLLIN | POLLHUP | POLLERR)
        var broke = false
        if clientEvents & readable != 0, up.hasRoom { broke = !up.fill(from: client, weather, now) || broke }
        if serverEvents & readable != 0, down.hasRoom { broke = !down.fill(from: server, weather, now) || broke }
        if serverEvents & Int16(POLLOUT) != 0 { broke = !up.drain(to: server, weather, now) || broke }
        if clientEvents & Int16(POLLOUT) != 0 { broke = !down.drain(to: client, weather, now) || broke }
        if broke { return reset() }
        if (up.hasEnded && up.isEmpty) || (down.hasEnded && down.isEmpty) { end() }
    }

    /// Resets both connections, so that both ends see an error.
    func reset() {
        var now = linger(l_onoff: 1, l_linger: 0)
        for descriptor in [client, server] where descriptor >= 0 {
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
        }
        end()
    }

    private func end() {
        if isOver { return }
        isOver = true
        for descriptor in [client, server] where descriptor >= 0 { close(descriptor) }
    }
}

/// The bytes under way in one direction.
private struct Flow {
    private static let bytesMax = 256 * 1024
    private var chunks: ArraySlice<(releasedAt: ContinuousClock.Instant, bytes: ArraySlice<UInt8>)> = []
    private var size = 0
    /// In a slow network: until when earlier bytes occupy the line.
    private var busyUntil = ContinuousClock.now
    private(set) var hasEnded = false

    var isEmpty: Bool { chunks.isEmpty }
    var hasRoom: Bool { !hasEnded && size < Flow.bytesMax }

    func isReady(at now: ContinuousClock.Instant) -> Bool {
        chunks.first.map { $0.releasedAt <= now && busyUntil <= now } ?? false
    }

    /// Reads bytes; false if the connection broke.
    mutating func fill(from descriptor: Int32, _ weather: BadNetwork.Weather, _ now: ContinuousClock.Instant) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 64 * 1024)
        let count = read(descriptor, &bytes, bytes.count)
        if count < 0 { return errno == EAGAIN || errno == EINTR }
        if count == 0 {
            hasEnded = true
            return true
        }
        var releasedAt = now
        if case .slow(let delay, _) = weather { releasedAt = now + .seconds(delay) }
        chunks.append((releasedAt, bytes[..<count]))
        size += count
        return true
    }

    mutating func drain(to descriptor: Int32, _ weather: BadNetwork.Weather, _ now: ContinuousClock.Instant) -> Bool {
        while isReady(at: now), let first = chunks.first {
            // On a slow line at most the bytes of a twentieth of a second are sent at once.
            var some = first.bytes
            if case .slow(_, let rate) = weather { some = some.prefix(max(512, rate / 20)) }
            let count = some.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0 { return errno == EAGAIN || errno == EINTR }
            size -= count
            chunks[chunks.startIndex].bytes = first.bytes.dropFirst(count)
            if chunks.first?.bytes.isEmpty == true { chunks.removeFirst() }
            if case .slow(_, let rate) = weather { busyUntil = now + .seconds(Double(count) / Double(rate)) }
        }
        if chunks.isEmpty { chunks = [] }
        return true
    }
}
