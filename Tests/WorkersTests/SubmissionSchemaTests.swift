import Basics
import CaseStore
import Casework
import Contract
import Foundation
import Testing
import TestOffice

@testable import Workers

/// What a report may hold is said twice: by the published schema and by the desk that takes it.
@Suite("Reports, by their schema and by the desk")
struct SubmissionSchemaTests {
    private static func report(_ change: (inout Submission) -> Void) -> Submission {
        var submission = Sample.accusation(unit: "c01", reporters: [Reporter(name: "王五", phone: "13800000000")])
        submission.attachments = [
            Attachment(name: "账页.jpg", mediaType: "image/jpeg", bytes: 1, sha256: String(repeating: "0b", count: 32))
        ]
        change(&submission)
        return submission
    }

    private static let long = String(repeating: "长", count: 201)

    static let reports: [(name: String, submission: Submission, fits: Bool)] = [
        ("a whole one", report { _ in }, true),
        ("an empty text", report { $0.text = "" }, false),
        ("a blank text", report { $0.text = " \u{3000}\t\u{2003}\n" }, false),
        ("a text at the limit", report { $0.text = String(repeating: "x", count: 200_000) }, true),
        ("a text over the limit", report { $0.text = String(repeating: "x", count: 200_001) }, false),
        ("a title over the limit", report { $0.title = String(repeating: "题", count: 667) }, false),
        ("an empty title", report { $0.title = "" }, true),
        ("a region that is no code", report { $0.region = "p/c01" }, false),
        ("an accused with a blank name", report { $0.accused[0].name = " " }, false),
        ("an accused with a long name", report { $0.accused[0].name = long }, false),
        ("an accused of a long organ", report { $0.accused[0].organ = long }, false),
        ("an accused in a long position", report { $0.accused[0].position = long }, false),
        ("an accused in an empty region", report { $0.accused[0].region = "" }, false),
        ("fifty-one accused", report { $0.accused = Array(repeating: $0.accused[0], count: 51) }, false),
        ("fifty accused", report { $0.accused = Array(repeating: $0.accused[0], count: 50) }, true),
        ("a blank act", report { $0.allegations[0].act = "\u{A0}" }, false),
        ("a long act", report { $0.allegations[0].act = long }, false),
        ("fifty-one allegations", report { $0.allegations = Array(repeating: $0.allegations[0], count: 51) }, false),
        ("a reporter with a long name", report { $0.reporters[0].name = long }, false),
        ("a reporter with a long address", report { $0.reporters[0].address = long }, false),
        ("twenty-one reporters", report { $0.reporters = Array(repeating: $0.reporters[0], count: 21) }, false),
        ("a paper with a blank name", report { $0.attachments[0].name = " " }, false),
        ("a paper of a long media type", report { $0.attachments[0].mediaType = long }, false),
        ("a paper of no bytes", report { $0.attachments[0].bytes = 0 }, true),
        ("a paper of minus one byte", report { $0.attachments[0].bytes = -1 }, false),
        ("a paper of more than 64 MiB", report { $0.attachments[0].bytes = 64 << 20 + 1 }, false),
        (
            "one digest with two sizes",
            report {
                $0.attachments.append($0.attachments[0])
                $0.attachments[1].bytes = 2
                $0.attachments[1].sha256 = $0.attachments[1].sha256.uppercased()
            }, false
        ),
        ("one paper announced twice", report { $0.attachments.append($0.attachments[0]) }, true),
        ("a receipt at the end of 1899", report { $0.receivedAt = Instant("1900-01-01T00:00:00+08:05") }, false),
        ("a receipt at the beginning of 1900", report { $0.receivedAt = Instant("1900-01-01T00:00:00Z") }, true),
        ("a paper whose digest is short", report { $0.attachments[0].sha256 = "0b" }, false),
    ]

    @Test("schema and desk accept or refuse the same reports", arguments: reports.indices)
    func schemaAndDeskAgree(row: Int) throws {
        let (name, submission, fits) = Self.reports[row]
        let source = SourceID(unchecked: "letter")
        let body = Wire.encode(
            CloudEvent(
                id: "r-1", source: .source(source), type: .reportSubmitted, subject: "r-1",
                time: Instant(microsecondsSinceEpoch: 1_772_438_400_000_000), data: submission))
        let rulebook = try Rulebook(try PolicyFile.read(OfficeUnderTest.policyText(), named: "policy"))
        let directory = OfficeDirectory(units: SmallOffice.units, closure: [], sources: [], persons: [])
        let found = SubmissionCheck.problems(
            in: submission, rulebook: rulebook, directory: directory, now: Instant(Date()))
        #expect(found.isEmpty == fits, "\(name): \(found)")
        let problems = SchemaJudge.shared.problems(in: body)
        #expect(problems.isEmpty == fits, "\(name): \(problems)")
    }
}
