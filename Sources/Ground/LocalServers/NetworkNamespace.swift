import Foundation

/// A network namespace joined to the host by one link that can be taken down. A program inside it and the servers
/// outside then no longer reach each other, as after a power failure or a cut cable. Needs root and `ip` (iproute2).
///
/// The link is the only route, and it leads to the host only.
public struct NetworkNamespace: Sendable {
    public let name: String
    /// The host's end of the link, on which servers may listen.
    public let hostAddress: String
    private let ownAddress: String
    private let link: (host: String, own: String)

    /// Makes a namespace with a link that is up. Throws if this account, or the machine, does not allow it.
    public init() throws(LocalServersError) {
        guard geteuid() == 0 else { throw .init(.startFailed, "a network namespace can be made by root only") }
        let number = UInt32.random(in: 0...0xFFFFF)
        name = "bihuan-" + String(number, radix: 16)
        link = ("bh\(String(number, radix: 16))h", "bh\(String(number, radix: 16))n")
        // Uses some of the quarter million networks of four addresses in 10.208.0.0/12.
        let base = number & 0xFFFFC
        let prefix = "10.\(208 + base >> 16).\(base >> 8 & 255)."
        (hostAddress, ownAddress) = (prefix + "\(base & 255 + 1)", prefix + "\(base & 255 + 2)")
        do throws(LocalServersError) {
            try Self.ip("netns add \(name)")
            try Self.ip("link add \(link.host) type veth peer name \(link.own) netns \(name)")
            try Self.ip("address add \(hostAddress)/30 dev \(link.host)")
            try Self.ip("link set \(link.host) up")
            try Self.ip("-netns \(name) address add \(ownAddress)/30 dev \(link.own)")
            try mend()
        } catch {
            remove()
            throw error
        }
    }

    /// Why no namespace can be made here; nil if one can. Found by making one.
    public static let obstacle: String? = {
        do throws(LocalServersError) {
            try NetworkNamespace().remove()
            return nil
        } catch {
            return error.description
                + (error.cause.map { " (\($0.trimmingCharacters(in: .whitespacesAndNewlines)))" } ?? "")
        }
    }()

    /// The words to execute so that a program runs inside the namespace. The process id is the program's.
    public func words(running program: String, _ arguments: [String] = []) -> [String] {
        [Self.program ?? "ip", "netns", "exec", name, program] + arguments
    }

    /// Takes the link down: neither end receives anything from the other, nor a notice of the loss.
    public func cut() throws(LocalServersError) {
        try Self.ip("-netns \(name) link set \(link.own) down")
    }

    public func mend() throws(LocalServersError) {
        try Self.ip("-netns \(name) link set \(link.own) up")
    }

    /// Removes the namespace and its link. Programs inside keep running without a network.
    public func remove() {
        // The namespace exists as long as a program is inside it; the link is removed at once.
        try? Self.ip("link delete \(link.host)")
        try? Self.ip("netns delete \(name)")
    }

    // MARK: Steps

    private static let places: [String] = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"]
    private static let program: String? = places.first { (place: String) -> Bool in access(place, X_OK) == 0 }

    private static func ip(_ arguments: String) throws(LocalServersError) {
        guard let program else { throw .init(.missingProgram, "ip is not installed: apt-get install iproute2") }
        let words = FileManager.default.temporaryDirectory.path + "/bihuan-ip-" + randomHexadecimal(bytes: 8)
        defer { unlink(words) }
        let process = try ChildProcess.start(
            Command(
                program: program, arguments: arguments.split(separator: " ").map(String.init),
                environment: ["PATH": Programs.searchPath, "LC_ALL": "C"], workingDirectory: "/", account: .current),
            output: words)
        guard process.waitForExit(until: .seconds(10)) else {
            process.signal(SIGKILL)
            throw .init(.timedOut, "ip \(arguments) did not end")
        }
        if process.exitStatus != 0 {
            let said = String(decoding: FileManager.default.contents(atPath: words) ?? Data(), as: UTF8.self)
            throw .init(.startFailed, "ip \(arguments) failed", cause: said)
        }
    }
}
