import CRabbitMQ
import Glibc
import Synchronization

/// Resolves host names within a timeout: the C library's own look-up can take half a minute when name servers do not
/// answer.
enum Resolver {
    static func isAddress(_ host: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1
    }

    /// The addresses of `host` as text, in the system's order of preference. The look-up runs on its own thread; one
    /// that takes longer than `seconds` is left to end by itself, and its answer is lost.
    static func addresses(of host: String, within seconds: Double) throws(AMQPError) -> [String] {
        if isAddress(host) { return [host] }
        guard let lookUp = LookUp(host) else {
            throw AMQPError(.connectFailed, "no descriptor or thread to look up the host with")
        }
        guard let addresses = lookUp.answer(within: seconds) else {
            throw AMQPError(.timedOut, "the host name was not resolved in time", isConnectionFatal: true)
        }
        guard !addresses.isEmpty else { throw AMQPError(.connectFailed, "the host name has no address") }
        return addresses
    }
}

/// One call to the C library's resolver. Both threads hold it; the last one to release it closes the descriptor.
private final class LookUp: Sendable {
    private let host: String
    private let addresses = Mutex<[String]>([])
    /// Becomes readable when the answer is ready.
    private let done: Int32

    init?(_ host: String) {
        self.host = host
        done = eventfd(0, Int32(EFD_CLOEXEC))
        guard done >= 0 else { return nil }
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        // A look-up that outlives its caller must not receive the signals meant for the program's own threads.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var thread = pthread_t()
        let shared = Unmanaged.passRetained(self)
        let status = pthread_create(
            &thread, &attributes,
            { pointer in
                guard let pointer else { return nil }
                Unmanaged<LookUp>.fromOpaque(pointer).takeRetainedValue().run()
                return nil
            }, shared.toOpaque())
        if status != 0 {
            shared.release()
            return nil
        }
    }

    deinit {
        if done >= 0 { close(done) }
    }

    func answer(within seconds: Double) -> [String]? {
        let deadline = Deadline(in: seconds)
        var descriptor = pollfd(fd: done, events: Int16(POLLIN), revents: 0)
        repeat {
            let ready = poll(&descriptor, 1, deadline.millisecondsLeft)
            if ready > 0 { return addresses.withLock(\.self) }
            // A signal ends a poll early.
            guard ready < 0, errno == EINTR else { return nil }
        } while deadline.secondsLeft > 0
        return nil
    }

    private func run() {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        var found: [String] = []
        if getaddrinfo(host, nil, &hints, &first) == 0 {
            var next = first
            while let entry = next?.pointee {
                if let text = Self.text(entry), !found.contains(text) { found.append(text) }
                next = entry.ai_next
            }
            freeaddrinfo(first)
        }
        addresses.withLock { $0 = found }
        eventfd_write(done, 1)
    }

    private static func text(_ entry: addrinfo) -> String? {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
        else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
