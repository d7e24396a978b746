package import Basics
import Casework
import Corpus
package import Foundation
import Installation
package import Submitting
import Terminal
import Text

/// The source of a rehearsal's reports: the built-in corpus, or a file.
package struct ReportSupply: Sendable {
    let isBuiltIn: Bool
    package let count: Int
    private let seed: UInt64
    private let lines: [ReportLine]

    /// One in this many reports of the built-in corpus is one that the office must refuse.
    private static let badEvery = 500

    package init(input: String?, map: String?, count: Int, seed: UInt64) throws {
        self.seed = seed
        isBuiltIn = input == nil
        guard let input else {
            self.count = count
            lines = []
            return
        }
        var fieldMap: FieldMap?
        if let map {
            guard let yaml = try? String(contentsOfFile: map, encoding: .utf8) else {
                throw UserError("the map \(map) cannot be read")
            }
            do { fieldMap = try FieldMap(yaml: yaml) } catch {
                throw UserError(
                    "the map \(map) is not right:\n" + error.problems.map { "  " + $0 }.joined(separator: "\n"))
            }
        }
        let reader = ReportLineReader(
            map: fieldMap, defaultSource: SourceID(unchecked: "web"), idKey: UUID().uuidString)
        var good: [ReportLine] = []
        let file = try ReportFile(path: input)
        try reader.check(file)
        for record in try file.records() {
            switch reader.read(record) {
            case .success(let report): good.append(report)
            case .failure(let problem): Output.note(printable("\(file.noun) \(problem.number): \(problem.reason)"))
            case nil: continue
            }
        }
        lines = good
        self.count = good.count
    }

    /// - Parameter now: the business time at which they arrive.
    package func reports(now: Instant) -> [ReportLine] {
        guard isBuiltIn else { return lines }
        var corpus = Corpus(seed: seed, receivedAround: now)
        return (0..<count).map { index in
            let sample = corpus.next()
            var submission = sample.submission
            if index % ReportSupply.badEvery == ReportSupply.badEvery - 1 { submission.matterKind = "no-such-kind" }
            return ReportLine(number: index + 1, source: sample.source, id: sample.id, submission: submission)
        }
    }
}

/// The directory of a rehearsal's office.
package struct RehearsalFolder: Sendable {
    package let url: URL
    private let isTemporary: Bool

    package init(_ data: String?) throws {
        isTemporary = data == nil
        let files = FileManager.default
        if let data {
            url = URL(filePath: data, directoryHint: .isDirectory).absoluteURL.standardizedFileURL
            if files.fileExists(atPath: url.appending(path: "bihuan.yaml").path) {
                // Since the last rehearsal its business time has run on, thousands of times as fast.
                throw UserError("\(url.path) already holds an office: give the demo a directory of its own")
            }
        } else {
            url = files.temporaryDirectory.appending(
                path: "bihuan-demo-\(UInt32.random(in: 0 ... .max))", directoryHint: .isDirectory)
        }
        try OwnDirectory.claim(url, mayFill: OwnDirectory.askOnTerminal)
        try files.createDirectory(at: journals, withIntermediateDirectories: true)
    }

    package var journals: URL { url.appending(path: "journals", directoryHint: .isDirectory) }

    package func removeIfTemporary() {
        guard isTemporary else { return }
        do { try FileManager.default.removeItem(at: url) } catch { Output.note("\(url.path) could not be removed") }
    }
}
