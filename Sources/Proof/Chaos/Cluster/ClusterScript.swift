import Basics
import Foundation

/// `deploy/cluster/local` for one directory: it starts, disturbs and ends a cluster on this machine.
struct ClusterScript: Sendable {
    /// A queue as its broker tells of it.
    struct Queue: Decodable, Sendable {
        let name: String
        let leader: String
        let members: [String]
        let online: [String]
        let messages: Int

        /// Whether three nodes have it, and all of them run.
        var isWhole: Bool { members.count == 3 && online.count == 3 }
    }

    let program: String
    let directory: URL
    /// The program that the workers run.
    let bihuan: String

    /// What the script and the programs that it calls say.
    private var log: URL { directory.appending(path: "cluster.log") }

    /// Runs one act and returns what it printed.
    @discardableResult
    func run(_ act: String, _ words: String...) throws(UserError) -> String { try run([act] + words) }

    /// - Parameter words: the act, and what follows the directory.
    @discardableResult
    func run(_ words: [String]) throws(UserError) -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: program)
        process.arguments = [words[0], directory.path] + words.dropFirst()
        process.environment = ProcessInfo.processInfo.environment.merging(["BIHUAN": bihuan]) { _, new in new }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        let printed: Data?
        do {
            if !FileManager.default.fileExists(atPath: log.path) { try Data().write(to: log) }
            let errors = try FileHandle(forWritingTo: log)
            try errors.seekToEnd()
            process.standardError = errors
            try process.run()
            printed = try output.fileHandleForReading.readToEnd()
        } catch {
            throw UserError("\(program) cannot be run: \(error)")
        }
        process.waitUntilExit()
        let text = String(decoding: printed ?? Data(), as: UTF8.self)
        guard process.terminationStatus == 0 else {
            throw UserError("\(program) \(words.joined(separator: " ")) failed: \(text)\nread \(log.path)")
        }
        return text
    }

    func queues() throws -> [Queue] {
        try JSONDecoder().decode([Queue].self, from: Data(run("queues").utf8))
    }
}
