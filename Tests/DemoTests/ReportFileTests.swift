import Casework
import Foundation
import Testing
@testable import Basics
@testable import Submitting

/// Files as people have them: their kind is recognised once, and nothing of a partly read file is submitted.
@Suite("Files of reports")
struct ReportFileTests {
    static func read(
        _ bytes: [UInt8], map: String? = nil, encoding: TextEncoding? = nil
    ) throws -> [Result<ReportLine, LineProblem>] {
        let file = try ReportFile(bytes: bytes, encoding: encoding)
        let reader = ReportLineReader(
            map: try map.map { try FieldMap(yaml: $0) }, defaultSource: SourceID(unchecked: "web"))
        try reader.check(file)
        return try file.records().compactMap { reader.read($0) }
    }

    static func reports(_ bytes: [UInt8], map: String? = nil) throws -> [ReportLine] {
        try read(bytes, map: map).map { try $0.get() }
    }

    /// Written by another program than the one that reads it: the C library's `iconv`, as a command.
    static func written(_ text: String, in encoding: String) throws -> [UInt8] {
        let (process, input, output) = (Process(), Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = [
            "-c", "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read().decode('utf-8').encode('\(encoding)'))",
        ]
        (process.standardInput, process.standardOutput) = (input, output)
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
        try input.fileHandleForWriting.close()
        let bytes = [UInt8](output.fileHandleForReading.readDataToEndOfFile())
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return bytes
    }

    static let lines = """
        {"id": "a-0", "text": "反映村干部受贿"}
        {"id": "a-1", "text": "street light broken"}

        {"id": "a-2", "text": "路灯不亮，𠮷野家㐀𪚥䶮", "reporters": [{"name": "王䶮"}]}
        """

    // MARK: Encodings

    @Test(
        "JSON lines are read in every encoding, with and without a byte order mark, with every line end",
        arguments: ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"], ["\n", "\r\n", "\r"])
    func readsEveryEncoding(encoding: String, lineEnd: String) throws {
        let bytes = try Self.written(Self.lines.replacing("\n", with: lineEnd), in: encoding)
        let reports = try Self.reports(bytes)
        #expect(reports.map(\.id) == ["a-0", "a-1", "a-2"])
        #expect(reports.map(\.number) == [1, 2, 4])
        #expect(reports.map(\.submission.text) == ["反映村干部受贿", "street light broken", "路灯不亮，𠮷野家㐀𪚥䶮"])
        #expect(reports[2].submission.reporters.first?.name == "王䶮")
    }

    @Test("GBK as Windows writes it is read, and so is UTF-16 that begins with a Chinese character")
    func readsGBKAndUTF16OfWindows() throws {
        let csv = "内容,编号\r\n路灯不亮一一一,7\r\n"
        let map = "fields:\n  id: 编号\n  text: 内容\n"
        for encoding in ["gbk", "utf-16-le", "utf-16-be", "gb18030"] {
            let reports = try Self.reports(try Self.written(csv, in: encoding), map: map)
            #expect(reports.map(\.submission.text) == ["路灯不亮一一一"], "\(encoding)")
        }
    }

    @Test("a change of encoding, and bytes of none, are reported by line, and nothing is submitted")
    func reportsMixedEncodings() throws {
        let utf8 = Array("{\"id\":\"a\",\"text\":\"路灯不亮\"}\n".utf8)
        let ascii = Array("{\"id\":\"b\",\"text\":\"lamp\"}\n".utf8)
        let gb = try Self.written("{\"id\":\"c\",\"text\":\"水管破裂，请派人来修\"}\n", in: "gb18030")
        let cut = Array("{\"id\":\"d\",\"text\":\"路灯不亮".utf8.dropLast()) + Array("\"}\n".utf8)
        for (bytes, words) in [
            (utf8 + ascii + gb, "line 1 is UTF-8, line 3 is not"),
            (gb + ascii + utf8, "line 3 is UTF-8, line 1 is not"),
            (ascii + utf8 + cut, "line 2 is UTF-8, line 3 is not"), (cut, "line 1"),
            (gb + [0xFF, 0xFF, 0x0A], "line 2 not the other"),
            (ascii + [0x80, 0x0A], "neither UTF-8 nor GB18030"), (Array("{\"a\":\"\0\"}".utf8), "no text"),
        ] {
            let refusal = #expect(throws: FileRefusal.self) { try Self.read(bytes) }
            #expect(refusal?.reason.contains(words) == true, "\(refusal?.reason ?? "")")
        }
        let truncated = Array(try Self.written(Self.lines, in: "utf-16").dropLast())
        #expect(throws: FileRefusal.self) { try Self.read(truncated) }
        #expect(
            try #require(throws: FileRefusal.self) { try Self.read(gb, encoding: .utf8) }.reason.contains(
                "not UTF-8 throughout: line 1"))
        let big5 = try Self.written("{\"text\":\"一個人在這裡不是中文的大小問題，我們不能這樣下去\"}\n", in: "big5")
        #expect(throws: FileRefusal.self) { try Self.read(big5) }
    }

    @Test("long files in GB18030 are read alike wherever chunks split a character")
    func readsAcrossChunks() throws {
        let text = String(repeating: "路𠮷灯不亮a", count: 3_000)
        let lines = (0..<20).map { "{\"id\":\"l-\($0)\",\"text\":\"\(String(repeating: "x", count: $0))\(text)\"}" }
            .joined(separator: "\n")
        let reports = try Self.reports(try Self.written(lines, in: "gb18030"))
        #expect(reports.count == 20 && reports.allSatisfy { $0.submission.text.hasSuffix(text) })
    }

    // MARK: What no report can be read from

    static let strange: [(bytes: [UInt8], words: String)] = [
        ([], "empty"), (Array(" \n\r\n\t ".utf8), "empty"), ([0xEF, 0xBB, 0xBF], "empty"),
        ([0x50, 0x4B, 0x03, 0x04, 0x14, 0x00], "save it as CSV"),
        ([0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1], "save it as CSV"),
        ([0x1F, 0x8B, 0x08], "gunzip"), (Array("%PDF-1.7".utf8), "PDF"), (Array("<html><body>".utf8), "HTML"),
        (Array("\n <?xml version='1.0'?>".utf8), "HTML or XML"), ([0xFF, 0xFE, 0, 0, 0x7B, 0, 0, 0], "UTF-32"),
        (Array("Dear office,\nthe lamp is broken.\n".utf8), "no column \"text\""),
        (Array("编号;内容\n1;路灯\n".utf8), "--map"),
        (Array("[{\"text\":\"a\"},".utf8), "not closed"),
        (Array("[{\"text\":\"a\"}]\n[]".utf8), "follows the JSON array at line 2"),
        (Array("[\n{\"text\":\"a},\n{\"text\":\"b\"}]".utf8), "broken at line 2"),
        (Array("[{\"text\":[\"a\"}]".utf8), "broken at line 1"),
        (Array("id,text\n1,\"a\n2,b\n".utf8), "never closed"),
        (Array("id,text\n1,\"a\"b\n2,b\n".utf8), "broken at line 2"),
        (Array("text,text\na,b\n".utf8), "names a column twice, as column 1 and as column 2"),
        (
            Array("id|text\n1|lamp\n".utf8),
            "first row (it is read as one field: fields are separated by , ; or tabs) names no column"
        ),
    ]

    @Test("a file that holds no reports is refused in one sentence with the remedy", arguments: strange)
    func refusesForeignFiles(bytes: [UInt8], words: String) throws {
        let refusal = try #require(#expect(throws: FileRefusal.self) { try Self.read(bytes) })
        #expect(refusal.reason.contains(words), "\(refusal.reason)")
        #expect(!refusal.reason.contains("\n") && !refusal.reason.contains("lamp"))
    }

    // MARK: Arrays and objects

    @Test("a JSON array is read in any layout, and its elements are reported by position", arguments: ["", "\n  "])
    func readsJSONArrays(_ blank: String) throws {
        let array =
            """
            [\(blank){\(blank)\"id\":\"p0\",\"text\":\"[a] \
            {b}\"\(blank)},\(blank){\"id\":\"p1\"},{\"id\":\"p2\",\"text\":\"c\\\"\"\(blank)}\(blank)]\n
            """
        let results = try Self.read(Array(array.utf8))
        #expect(results.compactMap { try? $0.get().id } == ["p0", "p2"])
        #expect(try results[0].get().submission.text == "[a] {b}")
        #expect(results[1] == .failure(LineProblem(number: 2, reason: "the field \"text\" is missing")))
        #expect(try ReportFile(bytes: Array(array.utf8)).noun == "element")
        #expect(try Self.read(Array("[]".utf8)).isEmpty)
    }

    @Test("objects over several lines are read one by one, also after a broken first line")
    func readsObjectsOverSeveralLines() throws {
        let pretty = "{\n  \"id\": \"a\",\n  \"text\": \"x\"\n}\n{\n  \"id\": \"b\",\n  \"text\": \"y\"\n}\n"
        #expect(try Self.reports(Array(pretty.utf8)).map(\.id) == ["a", "b"])
        for first in ["{\"id\": \"a\", \"text\": \"x", "no report", "{\"id\": \"a\",", "# export"] {
            let results = try Self.read(
                Array("\(first)\n{\"id\":\"b\",\"text\":\"y\"}\n{\"id\":\"c\",\"text\":\"z\"}".utf8))
            #expect(results.compactMap { try? $0.get().id } == ["b", "c"], "\(first)")
            #expect(results.count == 3)
        }
    }

    @Test("several objects on a line are read; anything else after an object is a problem, and so is a nested list")
    func readsSeveralObjectsOnALine() throws {
        for between in ["", " ", "\n", "\t"] {
            let glued = #"{"id":"a","text":"}{"}"# + between + #"{"id":"b","text":"y"}"#
            #expect(try Self.reports(Array(glued.utf8)).map(\.id) == ["a", "b"])
        }
        func reason(_ text: String) throws -> String {
            guard case .failure(let problem)? = try Self.read(Array(text.utf8)).first else { return "" }
            return problem.reason
        }
        #expect(
            try reason("{\"id\":\"a\",\"text\":\"x\"},\n{\"id\":\"b\",\"text\":\"y\"},\n").hasSuffix(
                "at byte 21, something follows behind its end"))
        for wrapped in [#"{"data":[{"id":"a","text":"x"}]}"#, "{\n\"rows\": [\n{\"id\":\"a\",\"text\":\"x\"}\n]}"] {
            #expect(try reason(wrapped).hasSuffix("give that list alone"))
        }
    }

    @Test("a file that is cut while it is sent, or whose bytes are unreadable, is not taken as complete")
    func noticesFileCutWhileReading() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "bihuan-cut-\(UUID().uuidString).jsonl")
        defer { try? FileManager.default.removeItem(at: path) }
        let line = #"{"text":"\#(String(repeating: "a", count: 1000))"}"# + "\n"
        try Data(String(repeating: line, count: 1000).utf8).write(to: path)
        let file = try ReportFile(path: path.path)
        #expect(file.recordCount == 1000)
        #expect(truncate(path.path, 500_000) == 0)
        #expect(try file.records().reduce(0) { count, _ in count + 1 } < file.recordCount)
    }

    @Test("what is not JSON is a problem of its line, and a doubled name is refused as on the wire")
    func refusesNonJSONAndDoubledNames() throws {
        let lines = """
            {"id":"nan-1","text":"好的一行"}
            {"id":"nan-2","text":"坏的一行","phone":NaN}
            {"id":"nan-3","text":"又一行","n":Infinity}
            {"id":"nan-4","text":"最后一行","text":"同名再来"}
            {"id":"nan-5","text":"a","x":{"b":1,"\\u0062":2}}
            {"id":"nan-6","text":"a\\u0000"}
            """
        let reasons = try Self.read(Array(lines.utf8)).map { result in
            if case .failure(let problem) = result { "\(problem)" } else { "" }
        }
        #expect(reasons[0].isEmpty)
        #expect(reasons[1].contains("line 2: the line cannot be read as JSON: at byte"))
        #expect(
            reasons[2].contains("line 3: ") && reasons[3].contains("a name twice")
                && reasons[4].contains("a name twice"))
        #expect(reasons[5].contains("U+0000"))
    }

    // MARK: CSV

    @Test(
        "CSV is read with commas, semicolons and tabs, with quotes and line breaks in them, and every line end",
        arguments: [",", ";", "\t"], ["\n", "\r\n", "\r"])
    func readsCSV(separator: String, lineEnd: String) throws {
        let rows =
            [
                ["id", "title", "text", "reporter.name", "reporter.phone", "receivedAt"],
                [
                    "c-1", "\"a \"\"b\"\"\(separator) c\"", "\"one\(lineEnd)two\"", " 张三\u{3000}", "13800138000",
                    "2026-03-02T08:00:00+08:00",
                ],
                ["c-2", "", "plain", "null", "", ""], ["", "", "", "", "", ""],
                ["20230101123456780001", "t", "\"\"\"quoted\"\"\"", "", "", "", ""],
            ].map { $0.joined(separator: separator) }.joined(separator: lineEnd) + lineEnd
        let reports = try Self.reports(Array(rows.utf8))
        #expect(reports.map(\.id) == ["c-1", "c-2", "20230101123456780001"])
        #expect(reports.map(\.number) == [2, 4, 6])
        #expect(reports[0].submission.title == "a \"b\"\(separator) c")
        #expect(reports[0].submission.text == "one\(lineEnd)two" && reports[2].submission.text == "\"quoted\"")
        #expect(reports[0].submission.reporters == [Reporter(name: "张三", phone: "13800138000")])
        #expect(reports[0].submission.receivedAt == Instant("2026-03-02T00:00:00Z"))
        #expect(reports[1].submission.reporters.isEmpty && reports[1].submission.receivedAt == nil)
    }

    @Test("a row with too few or too many fields, or a stray quote, is a problem of its own")
    func reportsRaggedRows() throws {
        let results = try Self.read(Array("id,text\n1,a\n2\n3,b,c\n4,12\" pipe\n5,d,,\n".utf8))
        let problems = results.compactMap { result in if case .failure(let problem) = result { problem } else { nil } }
        #expect(problems.map(\.number) == [3, 4, 5])
        #expect(
            problems[0].reason.contains("has 1 fields, the first row names 2")
                && problems[2].reason.contains("a quote stands"))
        #expect(results.compactMap { try? $0.get().id } == ["1", "5"])
    }

    @Test("a first line that names the separator is no row, and the map's columns must exist")
    func readsSeparatorLine() throws {
        let rows = Array("sep=;\n编号;内容;a,b\nx-1;路灯, 不亮;1\n".utf8)
        #expect(try Self.reports(rows, map: "fields:\n  id: 编号\n  text: 内容\n").map(\.submission.text) == ["路灯, 不亮"])
        for first in ["SEP=;", "\"sep=;\"", "\u{FEFF}Sep=;\r"] {
            #expect(
                try Self.reports(Array("\(first)\nid;text\nx;a,b\n".utf8)).map(\.submission.text) == ["a,b"], "\(first)"
            )
        }
        let refusal = #expect(throws: FileRefusal.self) {
            try Self.read(rows, map: "fields:\n  id: 号\n  text: 内容\n  title: { from: 题, default: \"\" }\n")
        }
        #expect(refusal?.reason.hasSuffix(": 号") == true)
    }

    @Test("a line break that a spreadsheet wrote as _x000D_ is a line break")
    func readsSpreadsheetLineBreaks() throws {
        let reports = try Self.reports(Array("id,text\n1,\"a_x000D_\nb_x000D_c_x000d__x000a_d\"\n".utf8))
        #expect(reports.first?.submission.text == "a\nb\nc\nd")
    }

    @Test(
        "a text that is written as a formula, to keep its digits in a spreadsheet, is read as that text",
        arguments: [
            (#"="00123""#, "00123"), (#""=""00123""""#, "00123"), (#"="""#, ""), (#"=A1"#, "=A1"),
            (#""=""a""b""""#, #"="a"b""#),
        ])
    func readsFormulasAsText(field: String, text: String) throws {
        let reports = try Self.reports(Array("text,title\nx,\(field)\n".utf8))
        #expect(reports.map(\.submission.title) == [text])
    }

    // MARK: Numbers

    @Test(
        "numbers keep their digits; a line whose digits may be lost is a problem",
        arguments: [
            (
                #"{"no":20230101123456780001,"text":"a","idno":11010119900307123456789}"#, "wo-20230101123456780001",
                "11010119900307123456789"
            ),
            (#"{"no":20230101123456780002,"text":"a"}"#, "wo-20230101123456780002", nil),
            (#"{"no":"1.0","text":"a"}"#, "wo-1.0", nil), (#"{"no":1,"text":"a"}"#, "wo-1", nil),
            (#"{"no":1.0,"text":"a"}"#, nil, nil), (#"{"no":2e19,"text":"a"}"#, nil, nil),
            (#"{"no":"2.023E+19","text":"a"}"#, nil, nil),
            (#"{"no":3,"text":"a","idno":1.1010119900307E17}"#, nil, nil),
            (#"{"no":3,"text":"a","idno":"110101199003071234.0"}"#, nil, nil),
        ] as [(String, String?, String?)])
    func keepsDigits(line: String, id: String?, idNumber: String?) throws {
        let map = """
            fields:
              id: { from: no, prefix: "wo-" }
              text: text
              reporter.idNumber: { from: idno, default: "" }
            """
        let result = try #require(try Self.read(Array(line.utf8), map: map).first)
        #expect((try? result.get())?.id == id)
        if let idNumber { #expect(try result.get().submission.reporters.first?.idNumber == idNumber) }
        if id == nil, case .failure(let problem) = result {
            #expect(problem.reason.contains("digits") || problem.reason.contains("fraction"))
        }
    }

    @Test("lines that differ in a digit beyond 2^53 have different ids, and native JSON fields keep their type")
    func derivesDistinctIds() throws {
        let lines = #"{"no":20230101123456780001,"text":"同一句话"}"# + "\n" + #"{"no":20230101123456780002,"text":"同一句话"}"#
        let ids = try Self.reports(Array(lines.utf8), map: "fields:\n  text: text\n").map(\.id)
        #expect(Set(ids).count == 2)
    }
}
