import Contract
import Foundation
import TestOffice
import Testing

/// The judge of all messages must itself be able to refuse.
@Suite("The judge of schemas")
struct SchemaJudgeTests {
    static let bodies: [(body: [UInt8], word: String)] = [
        ([], "not JSON"), ([0xFF], "not JSON"), (Array("[]".utf8), "not a JSON object"),
        (Array("{}".utf8), "no message"),
        (Array(#"{"type":"bihuan.report.praised.v1"}"#.utf8), "no message"), (Array(#"{"type":7}"#.utf8), "no message"),
        (Array(#"{"type":"bihuan.handoff.signed.v1"}"#.utf8), "'specversion' is a required property"),
        (Array(#"{"type":NaN}"#.utf8), "NaN is no JSON"),
        ([UInt8](repeating: 0x20, count: 262_145), "the limit is 262144"),
        (Array(#"{"a":"#.utf8) + Array(String(repeating: "[", count: 20_000).utf8), "not JSON"),
    ]

    @Test("the judge names what is wrong with a body that is no message of the contract", arguments: bodies)
    func namesWhatIsWrong(body: [UInt8], word: String) {
        let problems = SchemaJudge.shared.problems(in: body)
        #expect(problems.contains { $0.contains(word) }, "\(problems)")
    }

    @Test("lengths count in bytes of UTF-8")
    func countsBytes() throws {
        let golden = try JSONValue(try GoldenTests.golden(.caseFiled))
        func problems(_ number: String) throws -> [String] {
            SchemaJudge.shared.problems(
                in: try golden.replacing([.key("data"), .key("caseNumber")], with: .text(number)).bytes)
        }
        #expect(try problems(String(repeating: "立", count: 200)) == [])
        #expect(try problems(String(repeating: "立", count: 201)) == ["data.caseNumber: has more than 600 bytes"])
        #expect(try !problems("a\u{0}b").isEmpty)
    }

    @Test("as a command it exits with 0 if all files fit, 1 with a reason if one does not, 2 for a missing file")
    func judgesFilesAsCommand() throws {
        let examples = PublishedContract.folder.appending(path: "messages")
        let fitting = try PublishedContract.names(in: "messages").sorted().map { examples.appending(path: $0).path }
        let broken = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: broken) }
        let golden = try JSONValue(try GoldenTests.golden(.handoffSigned))
        try Data(try golden.replacing([.key("data"), .key("digest")], with: nil).bytes).write(to: broken)
        #expect(try run(fitting).status == 0)
        let answer = try run([fitting[0], broken.path])
        #expect(answer.status == 1 && answer.output.contains("data: 'digest' is a required property"))
        #expect(try run([broken.path + ".not"]).status == 2)
    }

    private func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
        let (process, output) = (Process(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = [SchemaJudge.script.path] + arguments
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    @Test("each of many concurrent requests gets its own answer")
    func answersConcurrentRequests() async throws {
        let golden = try GoldenTests.golden(.handoffProgress)
        await withTaskGroup(of: Bool.self) { group in
            for number in 0..<64 {
                group.addTask {
                    let problems = SchemaJudge.shared.problems(
                        in: number.isMultiple(of: 2) ? golden : Array("[\(number)]".utf8))
                    return problems.isEmpty == number.isMultiple(of: 2)
                }
            }
            for await isOwn in group { #expect(isOwn) }
        }
    }
}

extension SchemaJudgeTests {
    static let beyondSchemas: [(report: String, words: String)] = [
        (#""text":"x","text":"y""#, "a name twice"), (#""text":"x","new":{"a":1,"\u0061":2}"#, "a name twice"),
        (#""text":"a\u0000b""#, "U+0000"), (#""text":"a","n\u0000":1"#, "U+0000"),
        (#""text":"a","new":[{"b":"\u0000"}]"#, "U+0000"),
        (#""text":"a"},"data_base64":"e30=","new":{"#, "data_base64"),
        (#""text":"a","receivedAt":"1900-01-01T00:00:00+08:05""#, "before the year 1900"),
        (
            #"""
            "text":"a","attachments":[{"name":"a","bytes":1,"sha256":"\#(String(repeating: "0b", count: 32))"},\#
            {"name":"a","bytes":2,"sha256":"\#(String(repeating: "0B", count: 32))"}]
            """#,
            "another size"
        ),
    ]

    @Test("what the office refuses and no schema can express is found anywhere in a body", arguments: beyondSchemas)
    func refusesBeyondSchemas(report: String, words: String) {
        let body = DecodingTests.report(data: "{\(report)}")
        let problems = SchemaJudge.shared.problems(in: Array(body.utf8))
        #expect(problems.contains { $0.contains(words) }, "\(problems)")
    }

    @Test("a text that spells out an escape contains none")
    func acceptsWrittenOutEscapes() {
        let body = DecodingTests.report(data: #"{"text":"\\u0000 is written out, and \\\\u0000"}"#)
        #expect(SchemaJudge.shared.problems(in: Array(body.utf8)) == [])
    }
}
