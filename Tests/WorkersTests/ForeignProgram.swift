import Foundation
import TestOffice
import Testing

/// A client that we did not write in Swift, as a process: the examples of the contract's documentation.
final class ForeignProgram {
    private let process = Process()
    private let output = Pipe()
    private let ended = DispatchSemaphore(value: 0)

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../..").standardizedFileURL

    /// The examples of today, and those of each version that was released, which run unchanged for ever.
    enum Release: CustomTestStringConvertible {
        case today
        case version(String)

        static let all: [Release] = {
            let found = try? FileManager.default.contentsOfDirectory(
                atPath: root.appending(path: "Tests/Released").path)
            return [.today] + (found ?? []).filter { $0.hasPrefix("v") }.sorted().map { .version($0) }
        }()

        var testDescription: String { folder.path }

        var folder: URL {
            switch self {
            case .today: root.appending(path: "docs/contract/examples")
            case .version(let name): root.appending(path: "Tests/Released/\(name)/clients")
            }
        }
    }

    /// What the examples need of Debian. Their absence fails a test in plain words.
    static func requireTools(_ tools: String...) throws {
        for tool in tools {
            try #require(
                FileManager.default.isExecutableFile(atPath: "/usr/bin/\(tool)"),
                "/usr/bin/\(tool) is missing: run deploy/packages")
        }
        try #require(
            FileManager.default.fileExists(atPath: "/usr/lib/python3/dist-packages/pika"),
            "python3-pika is missing: run deploy/packages")
    }

    /// - Parameters:
    ///   - program: a file among the examples, or a program of the system by its path.
    ///   - release: whose examples.
    ///   - environment: variables beside its arguments.
    ///   - errors: a file for its error output; the terminal by default.
    init(
        _ program: String, _ arguments: [String], as user: String, of office: OfficeUnderTest,
        environment: [String: String] = [:], errors: URL? = nil, release: Release = .today
    ) throws {
        var broker = try #require(URLComponents(string: office.servers.brokerURL))
        broker.user = user
        broker.password = TestServers.password
        broker.path = "/" + office.virtualHost
        process.executableURL =
            program.hasPrefix("/") ? URL(fileURLWithPath: program) : release.folder.appending(path: program)
        process.arguments = arguments
        // Debian's own Python, whatever is first on the path of the test runner.
        process.environment = environment.merging([
            "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "AMQP_URL": try #require(broker.string),
            "PYTHONDONTWRITEBYTECODE": "1",
        ]) { given, _ in given }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        if let errors {
            try Data().write(to: errors)
            process.standardError = try FileHandle(forWritingTo: errors)
        } else {
            process.standardError = FileHandle.standardError
        }
        let ended = ended
        process.terminationHandler = { _ in ended.signal() }
        try process.runHearingSignals()
    }

    /// Waits for its end; one that does not end fails the test.
    func status(within seconds: Double = 60, sourceLocation: SourceLocation = #_sourceLocation) throws -> Int32 {
        let inTime = ended.wait(timeout: .now() + seconds) == .success
        if !inTime { kill() }
        try #require(inTime, "it did not end", sourceLocation: sourceLocation)
        return process.terminationStatus
    }

    /// What it printed, once it has ended.
    var printed: String { String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self) }

    func terminate() { process.terminate() }

    func kill() {
        guard process.isRunning else { return }
        _ = Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    deinit { kill() }
}

extension Process {
    /// A child inherits the signal mask of the thread that starts it, and the threads of tests block SIGTERM.
    func runHearingSignals() throws {
        var (none, before) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try run()
    }
}
