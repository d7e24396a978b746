import Casework
import CaseStore
import Foundation
import PostgreSQL

extension Inquiry {
    /// 6: nothing that would tell who reported stands in clear in a table, in an answer or in a worker's log.
    ///
    /// What to look for comes from what the sources really wrote. Within the rows of a report its own reporters are looked for;
    /// in the logs, all of them.
    func identityKept(_ connection: Connection) throws -> InvariantLine {
        var line = InvariantLine(number: 6, name: "the identity stays in the vault", objects: "reports of named reporters, lines of logs")
        var needles: [ReportID: [String]] = [:]
        for (id, report) in books.reportByID {
            guard let truth = facts.truth(report.source.rawValue, report.submissionID) else { continue }
            let words = truth.reporters.flatMap(\.tellingWords)
            if !words.isEmpty { needles[id] = words }
        }
        var after: ReportID?
        while true {
            let page = try connection.run(ReadClearTextPage(after: after)).rows
            for row in page {
                guard let words = needles[row.reportID] else { continue }
                line.checked += 1
                if words.contains(where: row.text.contains) { line.breaches.append(Finding(about: "report \(row.reportID)", what: "its reporter stands in clear in a table")) }
            }
            guard page.count == ReadClearTextPage.rowsMax else { break }
            after = page.last?.reportID
        }
        for row in records.answers {
            guard let report = row.reportID, let reply = row.reply, let words = needles[report] else { continue }
            line.checked += 1
            if words.contains(where: reply.contains) { line.breaches.append(Finding(about: "report \(report)", what: "its reporter stands in clear in an answer")) }
        }
        let lines = try searchLogs(for: Set(needles.values.flatMap(\.self)), into: &line)
        line.checked += lines
        return line
    }

    /// Looks at every run of digits and every run of letters beyond ASCII, in which alone a number or a name can stand.
    private func searchLogs(for words: Set<String>, into line: inout InvariantLine) throws -> Int {
        var count = 0
        let lengths = Set(words.map(\.count))
        for log in facts.logs {
            let text = String(decoding: try Data(contentsOf: log), as: UTF8.self)
            for (number, logged) in text.split(separator: "\n").enumerated() {
                count += 1
                let runs = logged.split { !($0.isNumber || $0.unicodeScalars.contains { $0.value > 0x2E80 }) }
                let isTelling = runs.contains { run in
                    let characters = Array(run)
                    return lengths.contains { length in
                        characters.count >= length
                            && (0...(characters.count - length)).contains { words.contains(String(characters[$0..<$0 + length])) }
                    }
                }
                if isTelling { line.breaches.append(Finding(about: "log \(log.lastPathComponent)", what: "line \(number + 1) tells who reported")) }
            }
        }
        return count
    }
}

extension Reporter {
    /// What tells who somebody is, wherever it stands. Shorter words stand in many texts by chance.
    fileprivate var tellingWords: [String] {
        [name, phone, idNumber].compactMap(\.self).filter { $0.count >= 2 }
    }
}
