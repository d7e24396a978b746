import AuditStore
import Basics
import CaseStore
import Casework
import Foundation
import PartyClient
import PostgreSQL

extension Inquiry {
    /// 6: nothing that would tell who reported stands in clear in a table, in an answer, beside a dead letter or in a
    /// log.
    ///
    /// What to look for comes from what the sources really wrote, whatever the office made of it: a refused report has
    /// a reporter too. Within the rows of a report its own reporters are looked for; in the logs, all of them.
    func identityKept(_ connection: Connection) throws -> InvariantLine {
        var line = InvariantLine(
            number: 6, name: "the identity stays in the vault",
            objects: "reports and answers of named reporters, lines of logs")
        let needles = needles()
        func look(for words: [String]?, in text: String, _ about: @autoclosure () -> String, _ place: String) {
            guard let words else { return }
            line.checked += 1
            if words.contains(where: text.contains) {
                line.breaches.append(Finding(about: about(), what: "its reporter stands in clear in \(place)"))
            }
        }
        func words(of report: ReportID?) -> [String]? {
            report.flatMap { tables.reportByID[$0] }.flatMap {
                needles[SubmissionKey(source: $0.source.rawValue, id: $0.submissionID)]
            }
        }
        func words(sender: String, _ id: String) -> [String]? {
            sender.sourceID.flatMap { needles[SubmissionKey(source: $0, id: id)] }
        }

        var after: ReportID?
        while true {
            let page = try connection.run(ReadClearTextPage(after: after)).rows
            for row in page {
                look(
                    for: needles[SubmissionKey(source: row.source, id: row.submissionID)], in: row.text,
                    "report \(row.reportID)", "a table")
            }
            guard page.count == ReadClearTextPage.rowsMax else { break }
            after = page.last?.reportID
        }
        for row in records.answers {
            guard let reply = row.reply else { continue }
            look(
                for: words(of: row.reportID) ?? words(sender: row.sender, row.eventID), in: reply,
                "\(row.sender) \(row.eventID)", "an answer")
        }
        for letter in try connection.run(ReadDeadLetterTexts()).rows {
            let all =
                letter.reports.compactMap { words(of: $0) }
                + [words(sender: letter.sender, letter.eventID)].compactMap(\.self)
            look(
                for: all.isEmpty ? nil : all.flatMap(\.self), in: letter.text, "\(letter.sender) \(letter.eventID)",
                "a dead letter")
        }
        try searchLogs(for: Set(needles.values.joined()), into: &line)
        return line
    }

    /// What would tell who reported, by submission; none for anonymous ones.
    private func needles() -> [SubmissionKey: [String]] {
        var needles: [SubmissionKey: [String]] = [:]
        for key in Set(journals.submissions.keys).union(tables.reportsBySubmission.keys) {
            let words = facts.truth(key.source, key.id)?.reporters.flatMap(\.tellingWords) ?? []
            if !words.isEmpty { needles[key] = words }
        }
        return needles
    }

    /// Looks at every run of digits, of the X that ends some identity numbers, and of letters beyond ASCII: in such a
    /// run alone can a number, a name or an address stand.
    private func searchLogs(for words: Set<String>, into line: inout InvariantLine) throws {
        let needles = Set(words.map { Array($0.unicodeScalars) })
        let lengths = Set(needles.map(\.count))
        for log in facts.logs {
            let text = String(decoding: try Data(contentsOf: log), as: UTF8.self)
            for (index, logged) in text.unicodeScalars.split(separator: "\n").enumerated() {
                line.checked += 1
                let isTelling = logged.split { !$0.mayTell }.contains { part in
                    let run = Array(part)
                    return lengths.contains { length in
                        run.count >= length
                            && (0...(run.count - length)).contains { needles.contains(Array(run[$0..<$0 + length])) }
                    }
                }
                if isTelling {
                    line.breaches.append(
                        Finding(about: "log \(log.lastPathComponent)", what: "line \(index + 1) tells who reported"))
                }
            }
        }
    }
}

extension Unicode.Scalar {
    fileprivate var mayTell: Bool { (0x30...0x39).contains(value) || value == 0x58 || value == 0x78 || value > 0x2E80 }
}

extension Reporter {
    /// What tells who somebody is, wherever it stands. Shorter words stand in many texts by chance.
    fileprivate var tellingWords: [String] {
        [name, phone, idNumber, address].compactMap(\.self).filter { $0.count >= 2 }
    }
}
