import Basics
import Casework
import Corpus
import Foundation
import Submitting
import Testing

@Suite("Reading reports from JSON lines")
struct ReportLinesTests {
    private let reader = ReportLineReader(map: nil, defaultSource: SourceID(unchecked: "web"))

    @Test("a native line gives the submission, its id and its source")
    func readsNativeLine() throws {
        let line = try read(#"{"id":"a-1","source":"letter","title":"标题","text":"正文","accused":[{"name":"甲"}]}"#)
        #expect(line.id == "a-1")
        #expect(line.source == SourceID(unchecked: "letter"))
        #expect(line.submission == Submission(title: "标题", text: "正文", accused: [Accused(name: "甲")]))
        #expect(line.number == 1)
    }

    @Test("every report of the corpus can be written as a line and read back")
    func roundTripsCorpus() throws {
        let encoder = JSONEncoder()
        var corpus = Corpus(seed: 3, receivedAround: Instant(microsecondsSinceEpoch: 1_772_438_400_000_000))
        for number in 1...100 {
            let report = corpus.next()
            let line = try #require(reader.read([UInt8](try encoder.encode(report.submission)), number: number)).get()
            #expect(line.submission == report.submission)
        }
    }

    @Test("a line without an id gets one from its content, whatever its white space and key order")
    func derivesIdFromContent() throws {
        let first = try read(#"{"title":"a","text":"b"}"#)
        #expect(first.id.hasPrefix("line-") && first.id.utf8.count == 37)
        #expect(try read(#" { "text" : "b", "title" : "a" } "# + "\r\n").id == first.id)
        #expect(try read(#"{"title":"a","text":"c"}"#).id != first.id)
        #expect(first.source == SourceID(unchecked: "web"))
    }

    @Test("blank lines are no reports and no problems", arguments: ["", "   ", "\t\r\n"])
    func skipsBlankLines(_ line: String) {
        #expect(reader.read(line, number: 4) == nil)
    }

    @Test("a byte order mark before the first line is no part of it")
    func skipsByteOrderMark() throws {
        #expect(try read("\u{FEFF}" + #"{"text":"b"}"#).submission.text == "b")
    }

    @Test("unknown fields are tolerated")
    func toleratesUnknownFields() throws {
        #expect(try read(#"{"text":"b","colour":{"r":1}}"#).submission.text == "b")
    }

    @Test(
        "a bad line is reported with its number and the reason in plain words, without its content",
        arguments: [
            (#"{"text":"secret"#, "the line cannot be read as JSON: at byte 15, it ends too early"),
            (#"["secret"]"#, "not a JSON object"),
            (#""secret""#, "not a JSON object"),
            (#"{"title":"secret"}"#, #"the field "text" is missing"#),
            (#"{"text":"  "}"#, "the text is empty"),
            (#"{"text":7}"#, #"the field "text" must be a text"#),
            (#"{"text":null}"#, #"the field "text" is null, but must be a text"#),
            (#"{"text":"b","accused":{"name":"secret"}}"#, #"the field "accused" must be a list"#),
            (
                #"{"text":"b","accused":[{"name":"secret"},{"position":"secret"}]}"#,
                #"the field "accused[1].name" is missing"#
            ),
            (
                #"{"text":"b","reporters":[{"name":"a","consent":"secret"}]}"#,
                #"the field "reporters[0].consent" cannot be read: none of anonymous, inside, handler"#
            ),
            (
                #"{"text":"b","attachments":[{"name":"a","mediaType":"image/png","sha256":"","bytes":1.5}]}"#,
                #"""
                the field "attachments[0].bytes" must be a whole number, but one with a fraction, or beyond all \#
                measure, begins at byte 83 of the line, counted from 0
                """#
            ),
            (
                #"{"text":"b","receivedAt":"2026-02-30T08:00:00Z"}"#,
                #"the field "receivedAt" cannot be read: there is no such day: look at month and day"#
            ),
            (#"{"text":"b","source":"Secret"}"#, #"the field "source" cannot be read: an id matches [a-z0-9-]{1,40}"#),
            (#"{"text":"b","id":"secret id"}"#, "the id is not 1 to 128 printable ASCII characters without spaces"),
            (#"{"text":"b","id":""}"#, "the id is not 1 to 128 printable ASCII characters without spaces"),
        ])
    func namesLineAndReason(_ line: String, _ reason: String) {
        #expect(reader.read(line, number: 12) == .failure(LineProblem(number: 12, reason: reason)))
        #expect(LineProblem(number: 12, reason: reason).description == "line 12: \(reason)")
    }

    @Test("a line that is too long, too deep or not UTF-8 is refused before it is parsed")
    func refusesLinesOverTheLimits() {
        let long = #"{"text":""# + String(repeating: "a", count: 1_048_576) + #""}"#
        #expect(reason(long) == "longer than 1048576 bytes")
        #expect(
            reason(#"{"text":"b","x":"# + String(repeating: "[", count: 100_000))
                == "the JSON is nested more than 32 deep")
        #expect(reason(#"{"text":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[ \" [","title":"a"}"#) == nil)
        #expect(
            reader.read([0x7B, 0x22, 0xC3, 0x28, 0x22], number: 1)
                == .failure(LineProblem(number: 1, reason: "not UTF-8")))
    }

    private func read(_ line: String) throws -> ReportLine { try #require(reader.read(line, number: 1)).get() }

    private func reason(_ line: String) -> String? {
        guard case .failure(let problem) = reader.read(line, number: 1) else { return nil }
        return problem.reason
    }
}

@Suite("Field maps for foreign JSON lines")
struct ReportLinesFieldMapTests {
    @Test("a map names the fields, adds prefixes, translates values and reads times in their zone")
    func appliesMap() throws {
        let map = try FieldMap(
            yaml: """
                source: { from: channel, table: { "1": letter, "2": web }, default: phone }
                fields:
                  id: { from: no, prefix: "x-" }
                  title: head.subject
                  text: body.parts.1
                  receivedAt: { from: when, format: "yyyy-MM-dd HH:mm:ss", zone: "+08:00" }
                  matterKind: { value: accusation }
                  region: place
                  reporter.name: who.name
                  reporter.phone: who.tel
                  reporter.consent: { value: inside }
                  accused.name: against
                  allegation.act: act
                ignored: [answer]
                """)
        let line = try read(
            #"""
            {"channel":1,"no":7,"head":{"subject":"s"},"body":{"parts":["a","b"]},"when":"2019-04-25 \#
            09:32:09","place":"p-c01",
            "who":{"name":"甲","tel":13},"against":"乙","act":"丙","answer":"-"}
            """#.replacing("\n", with: ""), map)
        #expect(line.id == "x-7")
        #expect(line.source.rawValue == "letter")
        let expected = Submission(
            receivedAt: Instant("2019-04-25T01:32:09Z"), matterKind: "accusation", title: "s", text: "b",
            region: "p-c01", reporters: [Reporter(name: "甲", phone: "13", consent: .inside)],
            accused: [Accused(name: "乙")], allegations: [Allegation(act: "丙")])
        #expect(line.submission == expected)
        #expect(try read(#"{"channel":9,"body":{"parts":["a","b"]}}"#, map).source.rawValue == "phone")
    }

    @Test(
        "times are read as seconds, milliseconds, RFC 3339 or by a pattern",
        arguments: [
            ("{ from: t, format: unix }", "1556155929"), ("{ from: t, format: unix-ms }", "1556155929000"),
            ("t", "\"2019-04-25T09:32:09+08:00\""),
            ("{ from: t, format: \"dd.MM.yyyy HH:mm:ss\", zone: \"+08:00\" }", "\"25.04.2019 09:32:09\""),
        ])
    func readsTimesOfEveryFormat(_ rule: String, _ value: String) throws {
        let map = try FieldMap(yaml: "fields:\n  text: x\n  receivedAt: \(rule)\n")
        #expect(try read("{\"x\":\"b\",\"t\":\(value)}", map).submission.receivedAt == Instant("2019-04-25T01:32:09Z"))
    }

    @Test(
        "a missing or malformed field is reported in the foreign file's words",
        arguments: [
            (#"{"t":"2019-04-25"}"#, #"the field "body.x" is missing"#),
            (#"{"body":{"x":["b"]}}"#, #"the field "body.x" is neither text nor a number"#),
            (
                #"{"body":{"x":"b"},"t":"2019-02-30"}"#,
                #"the date in "t" does not exist, or is not written as expected: yyyy-MM-dd in zone Z"#
            ),
            (
                #"{"body":{"x":"b"},"t":"25.4.19"}"#,
                #"the date in "t" does not exist, or is not written as expected: yyyy-MM-dd in zone Z"#
            ),
            (#"{"body":{"x":"b"},"k":"other"}"#, #"the field "k" holds a value that the map's table does not"#),
            (#"{"body":{"x":"b"},"u":"Unit 1","n":"甲"}"#, #"the unit "u" is no id: [a-z0-9-]{1,40}"#),
            (#"[1]"#, "not a JSON object"),
        ])
    func usesWordsOfForeignFile(_ line: String, _ reason: String) throws {
        let map = try FieldMap(
            yaml: """
                fields:
                  text: body.x
                  receivedAt: { from: t, format: yyyy-MM-dd, zone: Z }
                  matterKind: { from: k, table: { a: accusation } }
                  accused.name: n
                  accused.unit: u
                """)
        let reader = ReportLineReader(map: map, defaultSource: SourceID(unchecked: "web"))
        #expect(reader.read(line, number: 3) == .failure(LineProblem(number: 3, reason: reason)))
    }

    @Test("all problems of a bad map are reported at once, with suggestions")
    func reportsAllProblemsOfMap() {
        let error = #expect(throws: FieldMapError.self) {
            try FieldMap(
                yaml: """
                    sorce: web
                    fields:
                      titel: title
                      id: { frm: id }
                      title: { from: title, format: unix }
                      receivedAt: { from: at, format: "yyyy-MM-ddTHH:mm:ss" }
                      region: { from: place, value: p }
                      accused.name: a..b
                    ignored: [title]
                    """)
        }
        #expect(
            error?.problems == [
                #""sorce" is no key; did you mean "source"?"#,
                #""titel" is no part of a report in fields; did you mean "title"?"#,
                #""frm" is no key in fields.id; did you mean "from"?"#,
                "fields.id needs either from or value",
                "fields.title: only receivedAt has a format and a zone",
                #"fields.receivedAt.zone is missing or not as in "+08:00" or "Z""#,
                "fields.region needs either from or value",
                #"fields.accused.name: "a..b" is no path such as body.text"#,
                "fields.text is missing: a report needs its text",
                #""title" is ignored and gives title: only one can be"#,
            ])
    }

    @Test(
        "a file that is no YAML or no mapping is refused, and the error says so",
        arguments: ["", "- a", "a: [", "fields: 3"])
    func refusesOtherYAML(_ yaml: String) {
        let error = #expect(throws: FieldMapError.self) { try FieldMap(yaml: yaml) }
        #expect(error?.problems.isEmpty == false)
    }

    private func read(_ line: String, _ map: FieldMap) throws -> ReportLine {
        try #require(ReportLineReader(map: map, defaultSource: SourceID(unchecked: "web")).read(line, number: 1)).get()
    }
}

@Suite("The shipped map for petitions")
struct ReportLinesPetitionsTests {
    private static let path = ProcessInfo.processInfo.environment["TEST_BIHUAN_PETITIONS"]

    @Test("a petition of the board is read without its account and answer")
    func readsOnePetition() throws {
        let line = try #require(
            try Self.reader().read(
                #"""
                {"id":"17","user":"A01","title":"t","at":"2019-04-25T09:32:09","text":"b","repliedAt":"-",\#
                "reply":"r"}
                """#,
                number: 1)
        ).get()
        #expect(line.id == "petition-17")
        #expect(line.source.rawValue == "web")
        #expect(line.submission == Submission(receivedAt: Instant("2019-04-25T01:32:09Z"), title: "t", text: "b"))
    }

    @Test(
        "all petitions of the file are read, each under its own id",
        .enabled(if: path != nil, "TEST_BIHUAN_PETITIONS names no petitions.jsonl"))
    func readsAllPetitions() throws {
        let path = try #require(Self.path)
        let reader = try Self.reader()
        var ids: Set<String> = []
        var number = 0
        for line in try Data(contentsOf: URL(filePath: path)).split(separator: 0x0A) {
            number += 1
            guard let result = reader.read([UInt8](line), number: number) else { continue }
            ids.insert(try result.get().id)
        }
        #expect(number > 0 && ids.count == number)
    }

    private static func reader() throws -> ReportLineReader {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../deploy/maps/petitions.yaml")
        let map = try FieldMap(yaml: String(contentsOf: file.standardizedFileURL, encoding: .utf8))
        return ReportLineReader(map: map, defaultSource: SourceID(unchecked: "letter"))
    }
}
