import Casework
import Contract
import Crypto
import Foundation
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
    init(_ worker: Worker, of office: OfficeUnderTest, trap: String? = nil, killedAt point: LanePoint? = nil) throws {
        // The test bundle's neighbour, built with it.
        let bundle = URL(fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        process.executableURL = bundle.deletingLastPathComponent().appending(path: "TestWorker")
        var broker = try #require(URLComponents(string: office.servers.brokerURL))
        broker.user = Party.office(worker).description
        broker.password = TestServers.password
        broker.path = "/" + office.virtualHost
        var environment = ProcessInfo.processInfo.environment
        environment["TEST_WORKER"] = worker.rawValue
        environment["TEST_BROKER_URL"] = broker.string
        environment["TEST_DATABASE_URL"] = office.servers.databaseURL(user: "bihuan_worker", database: office.databaseName)
        environment["TEST_VAULT_KEY"] = Data(office.vaultKey).base64EncodedString()
        environment["TEST_DIGEST_KEY"] = Data(office.digestKeyBytes).base64EncodedString()
        environment["TEST_MAIL_KEY"] = office.mailKey.publicKey.rawRepresentation.base64EncodedString()
        environment["TEST_POLICY"] = OfficeUnderTest.policyFile.path
        environment["TEST_TRAP"] = trap
        environment["TEST_KILL_AT"] = point?.rawValue
        // A death that is wanted need not explain itself, which takes longer than to die.
        environment["SWIFT_BACKTRACE"] = "enable=no"
        process.environment = environment
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        let ended = ended
        process.terminationHandler = { _ in ended.signal() }
        try process.run()
    }

    var isRunning: Bool { process.isRunning }

    /// Whether the process ended by itself within the time.
    func endsByItself(within seconds: Double = 20) -> Bool { ended.wait(timeout: .now() + seconds) == .success }

    func kill() {
        guard process.isRunning else { return }
        _ = Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
