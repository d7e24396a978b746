import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import LocalServers
import TestOffice
import Testing

@testable import Workers

/// A worker as a process of its own, which can be killed.
final class WorkerProcess {
    private let process = Process()
    private let ended = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - trap: the id of a message at which the process aborts.
    ///   - point: where the process kills itself.
    ///   - stop: where it stops itself (SIGSTOP), once.
    ///   - network: where it runs; the servers must listen on its host's end.
    ///   - memory: what it may use.
    ///   - heartbeat: in seconds; the broker gives a silent peer up after two of these.
    init(
        _ worker: Worker, of office: OfficeUnderTest, trap: String? = nil, killedAt point: LanePoint? = nil,
        stoppedAt stop: LanePoint? = nil, leaseSeconds: Double? = nil, in network: NetworkNamespace? = nil,
        within memory: MemoryLimit? = nil, heartbeat: Int? = nil
    ) throws {
        // The test bundle's neighbour, built with it.
        let bundle = URL(fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        let program = bundle.deletingLastPathComponent().appending(path: "TestWorker").path
        let words = network?.words(running: program) ?? memory?.words(running: program) ?? [program]
        process.executableURL = URL(fileURLWithPath: words[0])
        process.arguments = Array(words.dropFirst())
        var database = try #require(
            URLComponents(
                string: office.servers.databaseURL(user: DatabaseRole(worker).name, database: office.databaseName)))
        var broker = try #require(URLComponents(string: office.servers.brokerURL))
        broker.user = Party.office(worker).description
        broker.password = TestServers.password
        broker.path = "/" + office.virtualHost
        if let network { (broker.host, database.host) = (network.hostAddress, network.hostAddress) }
        if let heartbeat { broker.query = "heartbeat=\(heartbeat)" }
        var environment = ProcessInfo.processInfo.environment
        environment["TEST_WORKER"] = worker.rawValue
        environment["TEST_BROKER_URL"] = broker.string
        environment["TEST_DATABASE_URL"] = database.string
        environment["TEST_VAULT_KEY"] = office.vaultKey.recipient.publicKey.rawRepresentation.base64EncodedString()
        for (kind, bytes) in office.boxKeys where worker.boxes.contains(kind) {
            // The name of the case, which has no hyphen: a shell on the way would drop such a variable.
            environment["TEST_BOX_KEY_\(kind)"] = Data(bytes).base64EncodedString()
        }
        environment["TEST_DIGEST_KEY"] = Data(office.digestKeyBytes).base64EncodedString()
        environment["TEST_MAIL_KEY"] = office.mailKey.publicKey.rawRepresentation.base64EncodedString()
        environment["TEST_TRAP"] = trap
        environment["TEST_KILL_AT"] = point?.rawValue
        environment["TEST_STOP_AT"] = stop?.rawValue
        environment["TEST_LEASE_SECONDS"] = leaseSeconds.map { "\($0)" }
        // A wanted crash needs no backtrace, which takes longer than the crash.
        environment["SWIFT_BACKTRACE"] = "enable=no"
        process.environment = environment
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        let ended = ended
        process.terminationHandler = { _ in ended.signal() }
        try process.run()
    }

    var isRunning: Bool { process.isRunning }

    /// The most memory that it had at once, less the files that it maps now: about its own data.
    func peakBytes() throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
        func bytes(_ name: String) throws -> Int {
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix(name) })
            return try #require(Int(line.filter(\.isNumber))) * 1_024
        }
        return try bytes("VmHWM:") - bytes("RssFile:")
    }

    /// Whether the process ended by itself within the time.
    func endsByItself(within seconds: Double = 20) -> Bool { ended.wait(timeout: .now() + seconds) == .success }

    /// Waits until the process stands still.
    func stopsItself(within seconds: Double = 20) throws {
        try eventually("the process stands still", within: seconds) {
            try String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8).contains(") T ")
        }
    }

    func goOn() { _ = Foundation.kill(process.processIdentifier, SIGCONT) }

    func kill() {
        guard process.isRunning else { return }
        _ = Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
