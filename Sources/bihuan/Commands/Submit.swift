import AMQP
import ArgumentParser
import Casework
import Contract
import Demo
import Foundation
import Text

/// Publishes the reports of a JSON-lines file.
struct Submit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Publish the reports of a JSON-lines file to an office.",
        discussion: """
            Each line is one report: {"id": …, "source": …, "text": …, …}. A line without an id gets one from its content, so \
            that running the command again submits nothing twice. Bad lines are named, the good ones go in. Exit 0 if all went \
            in, 1 if some did not.
            """)

    @Option(help: ArgumentHelp("The file, or - for standard input.", valueName: "file"))
    var file: String

    @Option(help: ArgumentHelp("A field map (YAML) for lines of a foreign shape.", valueName: "file"))
    var map: String?

    @Option(help: ArgumentHelp("The source of lines that name none. Default: web, or the user of --url.", valueName: "id"))
    var source: String?

    @OptionGroup var installation: InstallationOptions

    @Option(help: ArgumentHelp("The broker, as a source without an installation: amqp://source.ID:PASSWORD@HOST:PORT/VHOST.", valueName: "url"))
    var url: String?

    func validate() throws {
        if let source, SourceID(source) == nil { throw ValidationError("a source's id is 1 to 40 of a-z, 0-9 and -, not '\(source)'") }
        if url != nil, installation.data != nil || installation.config != nil {
            throw ValidationError("give --url, or --data or --config, not both")
        }
    }

    func run() async throws {
        try await plainly {
            let (submitter, defaultSource) = try await submitter()
            let reader = ReportLineReader(map: try fieldMap(), defaultSource: source.flatMap { SourceID($0) } ?? defaultSource)
            let lines = try LineReader(path: file, bytesMax: ReportLineReader.lineBytesMax)
            let isComplete = try await onThread {
                var submission = FileSubmission(lines: lines, reader: reader)
                return try submission.run(submitter)
            }
            if !isComplete { throw ExitCode(1) }
        }
    }

    // MARK: Steps

    private func submitter() async throws -> (Submitter, SourceID) {
        if let url {
            let broker: AMQP.ConnectionSettings
            do { broker = try AMQP.ConnectionSettings(url: url) } catch {
                throw UserError("--url must be amqp://source.ID:PASSWORD@HOST:PORT/VHOST")
            }
            guard case .source(let id) = Party(broker.user) else {
                throw UserError("--url must name a source's user, such as source.web")
            }
            return (Submitter(broker: broker, passwords: [id: broker.password]), id)
        }
        let configuration = try await installation.configuration()
        let prefix = "source-"
        let passwords = configuration.users.compactMap { key, password in
            SourceID(key.dropFirst(prefix.count)).flatMap { key.hasPrefix(prefix) ? ($0, password) : nil }
        }
        guard !passwords.isEmpty else { throw UserError("bihuan.yaml has no password of a source: add users.source-ID") }
        // User and password are put in for each source.
        return (Submitter(broker: configuration.broker, passwords: Dictionary(uniqueKeysWithValues: passwords)), SourceID(unchecked: "web"))
    }

    private func fieldMap() throws -> FieldMap? {
        guard let map else { return nil }
        guard let yaml = try? String(contentsOfFile: map, encoding: .utf8) else { throw UserError("the map \(map) cannot be read") }
        do { return try FieldMap(yaml: yaml) } catch {
            throw UserError("the map \(map) is not right:\n" + error.problems.map { "  " + $0 }.joined(separator: "\n"))
        }
    }
}

/// One file on its way in.
private struct FileSubmission {
    private let lines: LineReader
    private let reader: ReportLineReader
    private var progress = ProgressLine()

    init(lines: LineReader, reader: ReportLineReader) {
        self.lines = lines
        self.reader = reader
    }

    /// Whether everything went in. Says what did not, and how many did.
    mutating func run(_ submitter: Submitter) throws -> Bool {
        let (lines, reader) = (lines, reader)
        let total = lines.size
        let tally = Tally()
        let reports = lines.enumerated().lazy.compactMap { offset, line -> ReportLine? in
            tally.bytesRead += line.count + 1
            switch reader.read(line, number: offset + 1) {
            case nil: return nil
            case .success(let report): return report
            case .failure(let problem):
                tally.note(problem)
                return nil
            }
        }
        var progress = progress
        let summary = try submitter.submit(reports: reports) { state in
            if !tally.unsaid.isEmpty { progress.clear() }
            tally.sayProblems()
            progress.draw("\(state.confirmed) confirmed", share: total.map { Double(tally.bytesRead) / Double(max($0, 1)) })
        }
        progress.clear()
        for problem in summary.problems { tally.note(problem) }
        tally.sayProblems()
        let rate = Int(Double(summary.confirmed) / max(summary.seconds, 0.001))
        Output.line("\(summary.confirmed) submitted, \(tally.problemCount) not (\(rate)/s)")
        return tally.problemCount == 0
    }
}

/// What was seen while reading. A class, because the sequence that reads and the progress that shows share it; one thread uses it.
private final class Tally {
    var bytesRead = 0
    private(set) var problemCount = 0
    private(set) var unsaid: [LineProblem] = []

    func note(_ problem: LineProblem) {
        problemCount += 1
        unsaid.append(problem)
    }

    func sayProblems() {
        for problem in unsaid { Output.note(printable("\(problem)")) }
        unsaid = []
    }
}
