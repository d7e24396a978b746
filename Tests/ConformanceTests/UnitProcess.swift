import AMQP
import Basics
import Casework
import Contract
import Foundation
import Testing
import TestOffice
import Workers

@testable import Conformance

/// A unit under test as a process: the documentation's example, or one with a flaw.
final class UnitProcess {
    static let unit = UnitID(unchecked: "c01")
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    private static let examples = folder.appending(path: "../../docs/contract/examples").standardizedFileURL

    private let process = Process()
    private let state = FileManager.default.temporaryDirectory.appending(path: "conformance-\(UUID().uuidString)")

    init(flaw: String, at broker: URLComponents) throws {
        try start(
            "/usr/bin/python3",
            [Self.folder.appending(path: "Units/wrong.py").path, flaw, "--state", state.path, "--run"], at: broker)
    }

    init(example: String, at broker: URLComponents) throws {
        try start(Self.examples.appending(path: example).path, [state.path], at: broker)
    }

    private func start(_ program: String, _ arguments: [String], at broker: URLComponents) throws {
        for needed in ["/usr/lib/python3/dist-packages/pika", "/usr/bin/amqp-consume", "/usr/bin/jq"] {
            try #require(FileManager.default.fileExists(atPath: needed), "\(needed) is missing: run deploy/packages")
        }
        var broker = broker
        broker.user = Party.unit(Self.unit).description
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        // Debian's own Python, whatever is first on the path of the test runner.
        process.environment = [
            "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "AMQP_URL": try #require(broker.string),
            "EXAMPLES": Self.examples.path,
            "PYTHONDONTWRITEBYTECODE": "1",
        ]
        process.standardInput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        // A child inherits the signal mask of the thread that starts it, and the threads of tests block SIGTERM.
        var (none, before) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
    }

    func stop() {
        if process.isRunning {
            process.terminate()
            process.waitUntilExit()
        }
        for file in [state.path, state.path + "-wal", state.path + "-shm"] {
            try? FileManager.default.removeItem(atPath: file)
        }
    }
}

/// The shipped policy.
func shippedRulebook() throws -> Rulebook {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(
        path: "../../Sources/Setup/Installation/Resources/policy_cn_discipline.yaml")
    return try Rulebook(try PolicyFile.read(try String(contentsOf: file, encoding: .utf8), named: "policy"))
}

/// A virtual host without workers, until `giveBack`.
struct TestHost {
    let servers: TestServers
    private let pooled: PooledOffice
    var name: String { pooled.virtualHost }

    init() throws {
        servers = try #require(TestServers.announced)
        pooled = try PooledOffice(of: servers)
    }

    func giveBack() { pooled.giveBack() }

    var broker: URLComponents {
        get throws {
            var url = try #require(URLComponents(string: servers.brokerURL))
            (url.password, url.path) = (TestServers.password, "/" + name)
            return url
        }
    }

    func options() throws -> Check.Options {
        var options = Check.Options(
            unit: UnitProcess.unit, rulebook: try shippedRulebook(),
            routing: try servers.broker(user: "office.routing", virtualHost: name),
            feedback: try servers.broker(user: "office.feedback", virtualHost: name))
        options.connectSeconds = 20
        options.patienceSeconds = 5
        options.listenSeconds = 0.8
        return options
    }
}
