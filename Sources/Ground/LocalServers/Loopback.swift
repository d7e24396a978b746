public import Foundation

/// Sockets on 127.0.0.1.
public enum Loopback {
    /// Passes an address of 127.0.0.1 to `body`, for `bind` or `connect`.
    public static func withAddress<Result>(port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result
    {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(truncatingIfNeeded: port).bigEndian
        address.sin_addr = in_addr(s_addr: in_addr_t(INADDR_LOOPBACK).bigEndian)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// Different ports that nobody listened on a moment ago.
    public static func freePorts(_ count: Int) throws(LocalServersError) -> [Int] {
        var sockets: [Int32] = []
        defer { for socket in sockets { close(socket) } }
        var ports: [Int] = []
        for _ in 0..<count {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            if descriptor >= 0 { sockets.append(descriptor) }
            guard descriptor >= 0, withAddress(port: 0, { bind(descriptor, $0, $1) }) == 0 else {
                throw LocalServersError(.startFailed, "this machine has no free port on 127.0.0.1")
            }
            ports.append(port(of: descriptor))
        }
        return ports
    }

    /// The port of a bound socket; 0 if it has none.
    public static func port(of socket: Int32) -> Int {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &length) }
        }
        return Int(in_port_t(bigEndian: address.sin_port))
    }
}
