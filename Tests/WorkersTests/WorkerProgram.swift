import Basics
import BrokerTopology
import CaseStore
import Contract
import Crypto
import Foundation
import TestOffice
import Testing

@testable import Workers

/// `bihuan WORKER` as a service manager runs it: with settings that anybody may read, credentials in a folder, and a
/// socket on which it tells what it does.
final class WorkerProgram {
    let folder: URL
    let configurationFile: URL
    private let process = Process()
    private let ended = DispatchSemaphore(value: 0)
    let manager: NotifySocket
    private let log: URL

    struct Settings {
        var brokerPassword = TestServers.password
        var databasePassword = TestServers.password
        var databasePort: Int?
        var watchdogSeconds = 4.0
        var lines = "lane: {lanes: 2}"
        var monitorPort = 0
    }

    init(_ worker: Worker, of office: OfficeUnderTest, _ settings: Settings = Settings()) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "bihuan-service-\(UUID().uuidString.prefix(8))")
        let credentials = folder.appending(path: "credentials")
        try FileManager.default.createDirectory(at: credentials, withIntermediateDirectories: true)
        configurationFile = folder.appending(path: "bihuan.yaml")
        log = folder.appending(path: "log")
        manager = try NotifySocket(folder.appending(path: "notify").path)

        var broker = try #require(URLComponents(string: office.servers.brokerURL))
        (broker.user, broker.password, broker.path) = (nil, nil, "/" + office.virtualHost)
        var database = try #require(
            URLComponents(string: office.servers.databaseURL(database: office.databaseName)))
        (database.user, database.password) = (nil, nil)
        if let port = settings.databasePort { database.port = port }
        func base64(_ key: SealingKey) -> String { key.publicKey.rawRepresentation.base64EncodedString() }
        try Data(
            """
            amqp: {url: "\(broker.string ?? "")"}
            database: {url: "\(database.string ?? "")"}
            vault: {publicKey: "\(base64(office.vaultKey.recipient))"}
            sealedMail: {publicKey: "\(office.mailKey.publicKey.rawRepresentation.base64EncodedString())"}
            \(settings.lines.contains("monitor:") ? "" : "monitor: {port: \(settings.monitorPort)}")
            \(settings.lines)

            """.utf8
        ).write(to: configurationFile)
        var secrets = [
            "users-office-\(worker.rawValue)": settings.brokerPassword,
            "roles-\(worker.rawValue)": settings.databasePassword, "digest.key": office.digestKeyBytes.hexadecimal,
        ]
        for kind in worker.boxes { secrets["\(kind.rawValue).key"] = office.boxKeys[kind]?.hexadecimal }
        for (name, secret) in secrets {
            let file = credentials.appending(path: name)
            try Data((secret + "\n").utf8).write(to: file)
            // As systemd makes them where access lists are used: the group of the mode is the list's mask.
            chmod(file.path, 0o440)
        }
        chmod(configurationFile.path, 0o644)

        let bundle = URL(fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        process.executableURL = bundle.deletingLastPathComponent().appending(path: "bihuan")
        process.arguments = [worker.rawValue, "--config", configurationFile.path]
        process.environment = [
            "PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": manager.path, "CREDENTIALS_DIRECTORY": credentials.path,
            "WATCHDOG_USEC": "\(Int(settings.watchdogSeconds * 1e6))", "SWIFT_BACKTRACE": "enable=no",
        ]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        process.standardError = try FileHandle(forWritingTo: log)
        let ended = ended
        process.terminationHandler = { _ in ended.signal() }
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(at: folder)
    }

    var isRunning: Bool { process.isRunning }
    var processID: Int32 { process.processIdentifier }
    var errors: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// The exit status, once it has ended.
    func status(within seconds: Double = 20) throws -> Int32 {
        try #require(ended.wait(timeout: .now() + seconds) == .success, "it did not end: \(errors)")
        ended.signal()
        return process.terminationStatus
    }

    func errors(contain text: String) throws { try eventually("\(text) in: \(errors)") { errors.contains(text) } }

    /// The port that the log names.
    func monitorPort() throws -> Int {
        try errors(contain: "the monitor listens")
        return try #require(errors.firstMatch(of: /the monitor listens.* port=(\d+)/).flatMap { Int($0.1) })
    }
}

/// A service manager's socket, which receives what a service tells.
final class NotifySocket {
    let path: String
    private let descriptor: Int32
    /// Everything that was told, as lines.
    private(set) var lines: [String] = []

    init(_ path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        try #require(isBound)
    }

    deinit { close(descriptor) }

    /// The lines of the next message; `nil` if none comes in time.
    func next(within seconds: Double) -> [String]? {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, Int32(seconds * 1000)) == 1 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        let new = String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: "\n").map(String.init)
        lines += new
        return new
    }

    /// Waits until a line is told for which this holds.
    @discardableResult
    func wait(_ what: String, within seconds: Double = 20, _ isIt: (String) -> Bool) throws -> String {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            if let found = next(within: 0.5)?.first(where: isIt) { return found }
        }
        throw NotTold(what: what, lines: lines)
    }

    /// Hears all that is told in this time.
    func listen(for seconds: Double) {
        let end = ContinuousClock.now + .seconds(seconds)
        while case let left = (end - .now).inSeconds, left > 0 { _ = next(within: left) }
    }

    /// Whether the service is silent for so long about being alive.
    func isSilent(about word: String, for seconds: Double) -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        while case let left = (end - .now).inSeconds, left > 0 {
            if next(within: left)?.contains(word) ?? false { return false }
        }
        return true
    }

    struct NotTold: Error, CustomStringConvertible {
        let what: String
        let lines: [String]
        var description: String { "never told: \(what); told: \(lines)" }
    }
}
