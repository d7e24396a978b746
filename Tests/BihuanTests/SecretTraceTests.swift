import Basics
import Contract
import Foundation
import LocalServers
import Synchronization
import TestOffice
import Testing

@testable import bihuan

@Suite("Where secrets could be seen")
struct SecretTraceTests {
    @Test("no password and no key is in the list of processes, in an environment, in any log, page or output")
    func leavesNoTrace() throws {
        // The database's server logs all that it may.
        let servers = try SetupServers(settings: [
            "log_statement": "all", "log_min_duration_statement": "0", "log_min_error_statement": "debug5",
            "log_connections": "on",
        ])
        defer { servers.close() }
        let processes = WatchedProcesses()
        let canary = "canary-\(UUID().uuidString)"
        _ = try Program.run("/bin/sh", ["-c", "sleep 0.3; : \(canary)"])

        let office = try servers.office("traced")
        var seen: [(place: String, text: String)] = []
        func run(_ words: String..., broker: Bool = false) throws {
            let result = try Program.run(
                Program.bihuan, words + ["--config", office.path("bihuan.yaml")] + (broker ? office.broker : []))
            seen.append((words.joined(separator: " "), result.output + result.errors))
        }
        for _ in 1...2 {
            let made = try office.setup()
            #expect(made.status == 0, "\(made.output)\(made.errors)")
            seen.append(("setup", made.output + made.errors))
        }
        let settings = try office.text("bihuan.yaml").replacing("level: info", with: "level: trace")
        try office.write(settings, to: "bihuan.yaml")
        let workers = WatchedWorkers(settings: office.path("bihuan.yaml"))
        try workers.startAll()
        try office.submit()
        // Refusals are logged too.
        try office.write("not this\n", to: "secrets/users-office-feedback", mode: 0o600)
        try workers.reload(.feedback)
        _ = try servers.servers.rabbitmqctl(["close_all_user_connections", "office.feedback", "test"])
        try eventually("the refusal is logged") { workers.log(of: .feedback).contains("authenticationFailed") }
        try run("status")
        try run("status", "--json")
        try run("doctor", "--worker", "intake", broker: true)
        try run("doctor", "--json", broker: true)
        try run("config", "show")
        try run("config", "check")
        try run("topology", "show")
        try run("topology", "diff", broker: true)
        try run("outbox")
        try run("dead", "list")
        try run("ledger", "verify")
        for worker in Worker.allCases {
            let log = workers.log(of: worker)
            seen.append(("log of \(worker.rawValue)", log))
            let port = try #require(log.firstMatch(of: /monitor listens host=\S+ port=(\d+)/)?.1)
            for page in ["", "metrics", "healthz", "readyz"] {
                seen.append(("\(worker.rawValue)'s /\(page)", try Self.get("/\(page)", port: String(port))))
            }
            let process = try #require(workers.processID(of: worker))
            seen.append(("environment of \(worker.rawValue)", try Self.proc("\(process)/environ")))
        }
        let logs = servers.directory.appending(path: "log")
        for name in try #require(FileManager.default.enumerator(atPath: logs.path)).compactMap({ $0 as? String }) {
            guard let text = try? String(contentsOf: logs.appending(path: name), encoding: .utf8) else { continue }
            seen.append(("log \(name)", text))
        }
        let lines = processes.stop()
        seen.append(("list of processes", lines.joined(separator: "\n")))

        // What is looked through holds what must be there, so that an empty text is no proof.
        #expect(lines.contains { $0.contains(canary) }, "a short process is seen")
        for (place, word) in [
            ("list of processes", "bihuan\0intake"), ("log of intake", "debug"), ("intake's /metrics", "bihuan_"),
            ("deadlines's /", "<html"), ("log postgresql.log", "bihuan_intake@traced"),
            ("config show", "users.office-intake"),
        ] {
            #expect(seen.contains { $0.place == place && $0.text.contains(word) }, "\(place) holds \(word)")
        }
        var count = 0
        for folder in ["secrets", "keys"] {
            for name in try FileManager.default.contentsOfDirectory(atPath: office.path(folder)) {
                guard let secret = try? office.text("\(folder)/\(name)").trimmed, secret.count >= 8 else { continue }
                count += 1
                #expect(seen.filter { $0.text.contains(secret) }.map(\.place) == [], "\(folder)/\(name)")
            }
        }
        #expect(count >= 20, "\(count) secrets were looked for")
    }

    /// The answer with its head, whatever its status.
    private static func get(_ path: String, port: String) throws -> String {
        let script = """
            exec 3<>/dev/tcp/127.0.0.1/\(port)
            printf 'GET \(path) HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3
            cat <&3
            """
        return try Program.run("/bin/bash", ["-c", script]).output
    }

    fileprivate static func proc(_ path: String) throws -> String {
        let bytes = FileManager.default.contents(atPath: "/proc/\(path)") ?? Data()
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The command lines of all processes of the machine, read again and again.
private final class WatchedProcesses: Sendable {
    private let lines = Mutex<Set<String>>([])
    private let isOver = Atomic<Bool>(false)
    private let thread = Mutex<WorkThread?>(nil)

    init() {
        thread.withLock { $0 = WorkThread(named: "processes") { [self] in look() } }
    }

    private func look() {
        while !isOver.load(ordering: .acquiring) {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
            let found = names.filter { Int($0) != nil }.compactMap { try? SecretTraceTests.proc("\($0)/cmdline") }
            lines.withLock { $0.formUnion(found) }
            Wall.pause(seconds: 0.005)
        }
    }

    /// Ends it; returns what it saw.
    func stop() -> Set<String> {
        isOver.store(true, ordering: .releasing)
        thread.withLock { $0?.join() }
        return lines.withLock(\.self)
    }
}
