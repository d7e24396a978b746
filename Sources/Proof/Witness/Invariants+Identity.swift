import AuditStore
import Basics
import CaseStore
import Casework
import Foundation
import PartyClient
import PostgreSQL

extension Inquiry {
    /// Invariant 6: nothing that identifies a reporter is stored in clear in a table, in an answer, beside a dead
    /// letter or in a log.
    ///
    /// The words to look for come from the submissions that the sources sent, whatever the office made of them: a
    /// refused report has a reporter too. The rows of a report are searched for its own reporters, the logs for
    /// all reporters.
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

    /// The words that identify a reporter, by submission; none for anonymous submissions.
    private func needles() -> [SubmissionKey: [String]] {
        var needles: [SubmissionKey: [String]] = [:]
        for key in Set(journals.submissions.keys).union(tables.reportsBySubmission.keys) {
            let words = facts.truth(key.source, key.id)?.reporters.flatMap(\.tellingWords) ?? []
            if !words.isEmpty { needles[key] = words }
        }
        return needles
    }

    /// Searches each run of digits, of letters beyond ASCII and of the X that ends some identity numbers. Only in
    /// such a run can a number, a name or an address occur.
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
    /// The values that identify a person anywhere. Shorter values occur in many texts by chance.
    fileprivate var tellingWords: [String] {
        [name, phone, idNumber, address].compactMap(\.self).filter { $0.count >= 2 }
    }
}
