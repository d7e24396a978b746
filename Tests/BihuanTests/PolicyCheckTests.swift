import Casework
import Basics
import Foundation
import Testing
import Workers

@testable import bihuan

@Suite("bihuan policy check")
struct PolicyCheckTests {
    private static let shipped = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources/Setup/Installation/Resources/policy_cn_discipline.yaml")

    /// Writes a file, runs the command on it, and takes the file away.
    private func run(_ arguments: [String], on bytes: some Collection<UInt8>) throws -> Program.Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "policy-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "policy.yaml")
        try Data(bytes).write(to: file)
        return try Program.run(Program.bihuan, ["policy"] + arguments + [file.path])
    }

    @Test("the shipped policy is clean: exit 0")
    func passesShippedPolicy() throws {
        let result = try Program.run(Program.bihuan, ["policy", "check", Self.shipped.path])
        #expect(
            result.output == "policy_cn_discipline.yaml: cn-discipline@1, no faults, no warnings; it can be activated\n"
        )
        #expect(result.status == 0 && result.errors.isEmpty)
    }

    @Test("warnings alone leave exit 0")
    func passesWithWarnings() throws {
        let text = try String(contentsOf: Self.shipped, encoding: .utf8).replacing("    citation: 默认值；防止推诿\n", with: "")
        let result = try run(["check"], on: text.utf8)
        #expect(result.output.hasSuffix("policy.yaml: cn-discipline@1, no faults, 1 warning; it can be activated\n"))
        #expect(result.output.contains("has no citation") && result.status == 0)
    }

    @Test("faults are exit 1, and `policy activate` refuses them with the same lines, without an office")
    func failsOnFaults() throws {
        let text = try String(contentsOf: Self.shipped, encoding: .utf8).replacing(
            "title_weight: 3", with: "title_wieght: 3"
        )
        .replacing("within: 30 day", with: "within: 0 day")
        let checked = try run(["check"], on: text.utf8)
        #expect(checked.status == 1)
        #expect(
            checked.output.hasSuffix("policy.yaml: 3 faults, no warnings; it cannot be activated\n"),
            "\(checked.output)")
        let lines = checked.output.split(separator: "\n").dropLast()
        let refused = try run(["activate", "--data", "/nonexistent"], on: text.utf8)
        #expect(refused.status == 1)
        #expect(
            refused.errors == "Error: the policy policy.yaml cannot be used:\n" + lines.map { "  \($0)\n" }.joined())
    }

    @Test("an unreadable file is exit 2, and a wrong command line is 64")
    func tellsUnreadableFileFromWrongUsage() throws {
        for path in ["/nonexistent/policy.yaml", "/"] {
            let result = try Program.run(Program.bihuan, ["policy", "check", path])
            #expect(
                result.status == 2 && result.output.isEmpty && result.errors.contains("cannot be read: check the path"))
        }
        #expect(try Program.run(Program.bihuan, ["policy", "check"]).status == 64)
    }

    struct Hostile: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
        let message: String
        init(_ name: String, _ bytes: [UInt8], _ message: String) {
            (testDescription, self.bytes, self.message) = (name, bytes, message)
        }
        init(_ name: String, _ text: String, _ message: String) { self.init(name, Array(text.utf8), message) }
    }

    static let hostile: [Hostile] = [
        Hostile("twenty megabytes", [UInt8](repeating: 0x61, count: 20 << 20), "a policy has at most 1048576 bytes"),
        Hostile("nothing", "", "the file is empty"),
        Hostile(
            "GB18030", Array("name: a\ntitle: ".utf8) + [0xB9, 0xE6, 0xD4, 0xF2],
            "line 2: the file is not encoded in UTF-8"),
        Hostile("UTF-16", [0xFF, 0xFE, 0x6E, 0x00], "line 1: the file is not encoded in UTF-8"),
        Hostile("zeros", [UInt8](repeating: 0, count: 4096), "the file is no YAML: control characters are not allowed"),
        Hostile("a mark of byte order alone", "\u{FEFF}", "the file is empty"),
        Hostile(
            "tabs", "name: a\nscope:\n\trows: []\n",
            "line 3: the file is no YAML: the line begins with a tab; indent by spaces"),
        Hostile("an alias bomb", "a: &a [x, x]\nb: [*a, *a]\n", "line 1: anchors (&name) and aliases"),
        Hostile("brackets", String(repeating: "[", count: 100_000), "line 1: brackets stand more than 64 deep"),
        Hostile("prose", "Dear Sir, this is a letter.\n", "line 1: must hold keys and values"),
        Hostile("JSON", #"{"name": "a", "name": "b"}"#, "line 1: the same key stands twice: name; keep one of them"),
        Hostile("an escape for the terminal", "\"\\e[31m\": 1\n", #"\u{1B}[31m: unknown key"#),
    ]

    @Test("a file that is no policy is refused soon in one line, and nothing in it takes effect", arguments: hostile)
    func refusesHostileFiles(file: Hostile) throws {
        let result = try run(["check"], on: file.bytes)
        #expect(result.status == 1)
        #expect(result.output.contains(file.message), "\(result.output.prefix(2_000))")
        #expect(!result.output.contains("\u{1B}"))
    }
}
