import Contract
import Foundation
import FoundationNetworking
import Synchronization
import Testing

/// A real Prometheus that watches an office by the shipped rules, in quick motion: every duration and every bound of
/// time in them is divided by `pace`. Expressions, labels and bounds of amounts stay as they are.
final class QuickPrometheus {
    static let pace = 20.0
    static let absent: Comment =
        "needs prometheus and promtool: apt-get install --no-install-recommends prometheus"
    /// The program; `nil` if it is not installed.
    static let program = found("prometheus")
    /// The folder with the rules and the scripts.
    static let shipped = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../../deploy/monitoring"
    ).standardizedFileURL

    struct Alert: CustomStringConvertible {
        let labels: [String: String]
        let isFiring: Bool
        var description: String { "\(labels)\(isFiring ? "" : " (pending)")" }

        func fits(_ name: String, _ wanted: [String: String]) -> Bool {
            labels["alertname"] == name && wanted.allSatisfy { labels[$0.key] == $0.value }
        }
    }

    private let directory: URL
    private let address: String
    private let process = Process()
    private let session = URLSession(configuration: .ephemeral)
    /// Alerts are asked for a few times a second, however often they are looked at.
    private var seen: (at: ContinuousClock.Instant, alerts: [Alert])?

    /// - Parameter directory: for its configuration and its data; it is made.
    init(in directory: URL) throws {
        self.directory = directory
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        address = "127.0.0.1:\(try freePort())"
        try Data(Self.quickened(try Self.rules()).utf8).write(to: directory.appending(path: "bihuan.rules.yml"))
        try Data(Self.configuration.utf8).write(to: directory.appending(path: "prometheus.yml"))
        let log = directory.appending(path: "log")
        try Data().write(to: log)
        let output = try FileHandle(forWritingTo: log)
        process.executableURL = URL(filePath: try #require(Self.program))
        process.arguments = [
            "--config.file=\(directory.appending(path: "prometheus.yml").path)",
            "--storage.tsdb.path=\(directory.appending(path: "data").path)", "--web.listen-address=\(address)",
            "--log.level=warn",
        ]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
    }

    func start() throws { try process.run() }

    func stop() {
        guard process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }

    var isReady: Bool { (try? get("/-/ready", [:])) != nil }
    var log: String { (try? String(contentsOf: directory.appending(path: "log"), encoding: .utf8)) ?? "" }

    /// The processes of a worker; Prometheus sees a change within a second or two.
    func watch(_ worker: Worker, ports: [Int]) throws {
        let groups = ports.isEmpty ? [] : [Targets(targets: ports.map { "127.0.0.1:\($0)" })]
        try JSONEncoder().encode(groups).write(
            to: directory.appending(path: "\(worker.rawValue).json"), options: .atomic)
    }

    // MARK: Asking

    func alerts() throws -> [Alert] {
        if let seen, ContinuousClock.now - seen.at < .milliseconds(300) { return seen.alerts }
        let data = try get("/api/v1/alerts", [:])["alerts"] as? [[String: Any]]
        let alerts = try #require(data).map { alert in
            Alert(
                labels: alert["labels"] as? [String: String] ?? [:], isFiring: alert["state"] as? String == "firing")
        }
        seen = (.now, alerts)
        return alerts
    }

    /// The number of series that an expression has now.
    func seriesCount(of expression: String) throws -> Int {
        let result = try get("/api/v1/query", ["query": expression])["result"] as? [Any]
        return try #require(result).count
    }

    /// The `data` of an answer.
    private func get(_ path: String, _ query: [String: String]) throws -> [String: Any] {
        var components = try #require(URLComponents(string: "http://\(address)\(path)"))
        if !query.isEmpty {
            components.queryItems = query.map { URLQueryItem(name: $0.key, value: $0.value) }
            // A plus sign in a query would be read as a blank.
            components.percentEncodedQuery = components.percentEncodedQuery?.replacing("+", with: "%2B")
        }
        let (status, body) = try exchange(try #require(components.url))
        guard status == 200 else {
            throw Refused(path: path, query: query, answer: String(decoding: body, as: UTF8.self))
        }
        let answer = try? JSONSerialization.jsonObject(with: body) as? [String: Any]
        return answer?["data"] as? [String: Any] ?? [:]
    }

    private func exchange(_ url: URL) throws -> (status: Int, body: Data) {
        let answer = Answer()
        let task = session.dataTask(with: url) { data, response, _ in
            answer.result.withLock { $0 = ((response as? HTTPURLResponse)?.statusCode ?? 0, data ?? Data()) }
            answer.hasCome.signal()
        }
        task.resume()
        if answer.hasCome.wait(timeout: .now() + 10) == .timedOut { task.cancel() }
        return answer.result.withLock { $0 }
    }

    private final class Answer: Sendable {
        let hasCome = DispatchSemaphore(value: 0)
        let result = Mutex<(status: Int, body: Data)>((0, Data()))
    }

    struct Refused: Error, CustomStringConvertible {
        let path: String
        let query: [String: String]
        let answer: String
        var description: String { "Prometheus refuses \(path) \(query): \(answer)" }
    }

    // MARK: Its configuration

    private struct Targets: Encodable {
        let targets: [String]
        var labels = ["office": "quick"]
    }

    static func rules() throws -> String {
        try String(contentsOf: shipped.appending(path: "rules/bihuan.rules.yml"), encoding: .utf8)
    }

    /// The rules in quick motion. A bound of time stands right behind a name that contains `_seconds`.
    static func quickened(_ rules: String) -> String {
        let unitSeconds: [Substring: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        let durations = /(for: |interval: |\[|offset )(\d+)([smhd])/
        let bounds = /(_seconds(?::min)?(?:\{[^}]*\})?\)* [<>] )(\d+)/
        return rules.replacing(durations) { match in
            let seconds = (Double(match.2) ?? 0) * (unitSeconds[match.3] ?? 0) / pace
            return "\(match.1)\(Int((seconds * 1000).rounded()))ms"
        }.replacing(bounds) { match in "\(match.1)\((Double(match.2) ?? 0) / pace)" }
    }

    private static var configuration: String {
        let jobs = Worker.allCases.map { worker in
            """
              - job_name: bihuan-\(worker.rawValue)
                file_sd_configs: [{files: [\(worker.rawValue).json], refresh_interval: 1s}]
            """
        }
        return """
            global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
            rule_files: [bihuan.rules.yml]
            scrape_configs:
            \(jobs.joined(separator: "\n"))

            """
    }

    static func found(_ program: String) -> String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return folders.map { "\($0)/\(program)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
