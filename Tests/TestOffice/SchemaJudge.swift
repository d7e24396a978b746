public import Foundation
import Synchronization

/// Checks message bodies by the published schemas, through `docs/contract/validate.py`: one Python process for a
/// whole test process, one line for each question.
///
/// Where Python or its package is missing, every question is answered with that problem: a test that asks cannot pass.
public final class SchemaJudge: Sendable {
    public static let shared = SchemaJudge()

    public static let script = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "docs/contract/validate.py")

    private let python: Mutex<Python?>

    public init() { python = Mutex(nil) }

    /// What is wrong with a body, in sentences; empty if it fits the schema of its type.
    public func problems(in body: some Sequence<UInt8>) -> [String] {
        python.withLock { python in
            do {
                let running = try python ?? Python()
                python = running
                return try running.ask(Data(body))
            } catch {
                // The next caller gets a new process: a late answer would be taken for the answer about another
                // body.
                python?.stop()
                python = nil
                return ["the schemas cannot be asked: \(error)"]
            }
        }
    }
}

private struct JudgeFailure: Error, CustomStringConvertible {
    let description: String
}

/// The process behind it.
private struct Python {
    private static let answerTimeoutMilliseconds: Int32 = 60_000

    private let process = Process()
    private let questions = Pipe()
    private let answers = Pipe()

    init() throws {
        // A process that went away shall be an error of writing, not the end of the tests.
        signal(SIGPIPE, SIG_IGN)
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = [SchemaJudge.script.path, "--lines"]
        process.standardInput = questions
        process.standardOutput = answers
        do {
            try process.run()
        } catch {
            throw JudgeFailure(description: "/usr/bin/python3 does not start: \(error)")
        }
    }

    func ask(_ body: Data) throws -> [String] {
        do {
            try questions.fileHandleForWriting.write(contentsOf: Data("\"\(body.base64EncodedString())\"\n".utf8))
        } catch {
            throw JudgeFailure(description: gone)
        }
        return try JSONDecoder().decode([String].self, from: try line())
    }

    func stop() {
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
    }

    private var gone: String {
        process.waitUntilExit()
        return "\(SchemaJudge.script.path) ended with \(process.terminationStatus); is python3-jsonschema installed?"
    }

    private func line() throws -> Data {
        let handle = answers.fileHandleForReading
        var line = Data()
        while line.last != UInt8(ascii: "\n") {
            var waiting = pollfd(fd: handle.fileDescriptor, events: Int16(POLLIN), revents: 0)
            let count = poll(&waiting, 1, Python.answerTimeoutMilliseconds)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw JudgeFailure(description: "no answer came in time") }
            let more = handle.availableData
            guard !more.isEmpty else { throw JudgeFailure(description: gone) }
            line += more
        }
        return line
    }
}
