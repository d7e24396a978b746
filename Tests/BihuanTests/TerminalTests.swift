import Foundation
import Logging
import Testing
import Text
@testable import Terminal

@testable import bihuan

@Suite("Printed output")
struct TerminalTests {
    @Test("columns align in Chinese too, and outside text stays within its cell")
    func alignsColumns() {
        var grid = Grid([.whole("ID"), .text("NAME"), .number("COUNT")])
        grid.add(["1", "王芳", "7"])
        grid.add(["22", "a\u{1B}[2J\nb", "12"])
        #expect(
            grid.lines(width: nil) == [
                "ID  NAME           COUNT", "1   王芳               7", "22  a\\u{1B}[2J\\nb     12",
            ])
    }

    @Test("a table is cut to the terminal's width, ids and numbers last")
    func cutsTablesToWidth() {
        var grid = Grid([.whole("ID"), .text("REASON"), .text("TEXT")])
        grid.add(["0197-aaaa", "unreadable_body", String(repeating: "王", count: 40)])
        let lines = grid.lines(width: 40)
        #expect(lines.allSatisfy { Text.displayWidth($0) <= 40 })
        #expect(lines[1].hasPrefix("0197-aaaa  ") && lines[1].hasSuffix("…"))
        #expect(grid.lines(width: nil)[1].hasSuffix(String(repeating: "王", count: 40)), "what is no terminal gets all")
        #expect(grid.lines(width: 5).allSatisfy { Text.displayWidth($0) <= 5 })
    }

    @Test("the columns of several tables align, titles included")
    func alignsSeveralTables() {
        var (first, second) = (Table("Reports"), Table("Queues"))
        first.add("all", 12)
        second.add("bihuan.intake", 3, "no consumer")
        second.add("bihuan.dead", unknown: "down")
        let expected =
            "Reports\n  all            12\n\nQueues\n  bihuan.intake   3  no consumer\n  bihuan.dead     -  down"
        #expect(Table.printed([first, second], width: nil) == expected)
    }

    @Test("a line that repeats within a minute is counted, and the count is printed with the next one or at the end")
    func countsRepeatedLines() {
        let filter = RepeatFilter()
        let start = ContinuousClock.now
        #expect(filter.take("away", "away n=1", at: start) == ["away n=1"])
        for second in 1...57 { #expect(filter.take("away", "away n=\(second)", at: start + .seconds(second)) == []) }
        #expect(filter.take("other", "other", at: start + .seconds(58)) == ["other"])
        #expect(filter.take("away", "away n=58", at: start + .seconds(61)) == ["away n=58 repeated=57"])
        #expect(filter.take("away", "away n=59", at: start + .seconds(62)) == [])
        #expect(filter.take("third", "third", at: start + .seconds(130)) == ["away n=59 repeated=1", "third"])
        #expect(filter.take("third", "third", at: start + .seconds(131)) == [])
        #expect(filter.rest() == ["third repeated=1"] && filter.rest() == [])
    }

    @Test("ten thousand different lines are all printed, and not all remembered")
    func keepsDifferentLines() {
        let filter = RepeatFilter()
        let start = ContinuousClock.now
        let written = (0..<10_000).flatMap { filter.take("line \($0)", "line \($0)", at: start) }
        #expect(written.count == 10_000)
    }

    @Test("a log line holds no control character, and numbers do not make it another line")
    func escapesControlCharacters() {
        var log = LineLog(label: "intake\u{1B}")
        log[metadataKey: "lane"] = "1"
        let hostile = log.line(
            .warning, "interrupted\r\n2026 info", ["cause\u{9B}": "a\u{202E}b \u{1B}]0;x\u{7} \"c\"", "messages": "12"])
        #expect(
            hostile.text
                == #"""
                warning intake\u{1B} interrupted\r\n2026 info cause\u{9B}="a\u{202E}b \u{1B}]0;x\u{7} 'c'" \#
                lane=1 messages=12
                """#
        )
        #expect(
            hostile.key
                == log.line(
                    .warning, "interrupted\r\n2026 info",
                    ["cause\u{9B}": "a\u{202E}b \u{1B}]0;x\u{7} \"c\"", "messages": "99"]
                ).key)
        #expect(hostile.key != log.line(.warning, "interrupted\r\n2026 info", ["cause\u{9B}": "other"]).key)
    }

    @Test(
        "hostile arguments never reach a terminal unescaped",
        arguments: [
            ["\u{1B}]0;x\u{7}"], ["status", "--data", "/nowhere/\u{1B}[2J\u{202E}"],
            ["dead", "list", "--state", "\u{9B}2J"],
            ["submit", "--file", "/nowhere\r\u{1B}c", "--config", "/\u{200B}"],
            ["topology", "show", "--set", "\u{7F}=\u{85}", "--data", "\u{2028}"],
            ["contract", "check", "--unit", "\u{E0041}"], ["ledger", "verify", "--file", "/\u{1B}7"],
        ])
    func escapesHostileArguments(_ arguments: [String]) throws {
        let result = try Program.run(Program.bihuan, arguments)
        #expect(result.status != 0 && !result.errors.isEmpty)
        expectHarmless(result)
    }

    @Test(
        "a full device is a failure of every command that prints, help and version included",
        arguments: [
            ["--version"], ["help", "dead"], ["contract", "check", "--list"],
        ])
    func failsOnFullDevice(_ arguments: [String]) throws {
        let words = ([Program.bihuan] + arguments).map { "'\($0)'" }.joined(separator: " ")
        let full = try Program.run("/bin/sh", ["-c", words + " > /dev/full"])
        #expect(full.status == 1)
        #expect(full.errors.contains("standard output cannot be written: No space left on device"), "\(full.errors)")
    }

    @Test("a closed standard output is a failure too, and no later file takes its number")
    func failsOnClosedOutput() throws {
        let result = try Program.run("/bin/sh", ["-c", "'\(Program.bihuan)' --version >&-"])
        #expect(
            result.status == 1 && result.errors.contains("standard output cannot be written: Bad file descriptor"),
            "\(result.errors)")
    }

    @Test("the command prints its version")
    func printsItsVersion() throws {
        let result = try Program.run(Program.bihuan, ["--version"])
        #expect(result.status == 0 && result.output == Version.text + "\n")
    }
}

/// No byte of it makes a terminal do more than show a line.
func expectHarmless(_ result: Program.Result, sourceLocation: SourceLocation = #_sourceLocation) {
    for text in [result.output, result.errors] {
        let bad = text.unicodeScalars.filter { scalar in
            scalar != "\n"
                && (scalar.value < 32 || 0x7F...0x9F ~= scalar.value || scalar.properties.generalCategory == .format
                    || scalar.value == 0x2028 || scalar.value == 0x2029)
        }
        #expect(bad.isEmpty, "\(bad.map { String($0.value, radix: 16) })", sourceLocation: sourceLocation)
    }
}
