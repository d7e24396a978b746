import Basics
import Casework
import Testing

@Suite("YAML before it is parsed")
struct YAMLTextTests {
    private static func refusal(_ yaml: String, bytesMax: Int = 1 << 20) -> YAMLText.Refusal? {
        do throws(YAMLText.Refusal) {
            try YAMLText.check(yaml, bytesMax: bytesMax, subject: "a file")
            return nil
        } catch {
            return error
        }
    }

    @Test(
        "anchors and aliases are refused with their line, wherever a value may begin",
        arguments: [
            ("a: &x 1", 1), ("a: 1\nb: *x", 2), ("- [a, &x b]", 1), ("&x a: 1", 1), ("# c\r\n\r\n- *x", 3),
            ("a: !t &x 1", 1), ("a:\n  <<: *b", 2),
        ])
    func refusesAnchorsAndAliases(yaml: String, line: Int) {
        #expect(Self.refusal(yaml)?.line == line)
        #expect(Self.refusal(yaml)?.message.contains("anchors (&name)") == true)
    }

    @Test(
        "ampersands and asterisks in comments and between words are no aliases",
        arguments: ["# &a *b", "a: b & c * d", "a: R&D", "a: 2*3 # *x"])
    func allowsSignsThatAreNoAliases(yaml: String) { #expect(Self.refusal(yaml) == nil) }

    @Test(
        "a file's number of values is limited", arguments: ["a,", "- ", "a: ", "[],", "{},", "-"])
    func limitsValues(unit: String) {
        let many = String(repeating: unit, count: YAMLText.valuesMax + 1)
        #expect(Self.refusal(many)?.message == "a file has at most \(YAMLText.valuesMax) values")
        #expect(Self.refusal(String(repeating: unit, count: 1_000)) == nil)
    }

    @Test("brackets nest 64 deep at most", arguments: ["[", "{", "[ {", "- [", "a: {"])
    func limitsDepth(unit: String) {
        let brackets = unit.count { $0 == "[" || $0 == "{" }
        #expect(Self.refusal(String(repeating: unit, count: 64 / brackets)) == nil)
        #expect(
            Self.refusal(String(repeating: unit, count: 64 / brackets + 1))?.message
                == "brackets stand more than 64 deep in one another")
        #expect(Self.refusal(String(repeating: "[]{}", count: 500)) == nil)
    }

    @Test("a key is a word", arguments: ["? a\n: b", "{? a : b}", "a:\n  ? [x]\n  : y", "?", "- ? a", "[? a, b]"])
    func refusesKeysThatAreNoWords(yaml: String) {
        #expect(Self.refusal(yaml)?.message.hasPrefix("keys are words") == true)
        #expect(Self.refusal("a: why?\nb: ?x\nc: what ? is") == nil)
    }

    @Test(
        "nothing that begins behind an unusual line break is missed",
        arguments: [
            "\u{85}? ? a", "a: 1\n# c\u{85}? ? a", "a: 1\u{2028}? a", "a: 1\u{2029}&x b: *x", "a: 1\n\u{FEFF}? a",
        ])
    func seesUnusualLineBreaks(yaml: String) {
        #expect(Self.refusal(yaml)?.message.hasPrefix("U+0085, ") == true)
        #expect(Self.refusal("\u{FEFF}a: 长\u{A0}…") == nil, "a mark at the start is an editor's")
        #expect(Self.refusal("\u{FEFF}? a")?.message.hasPrefix("keys are words") == true)
    }

    @Test("a file's number of bytes is limited")
    func limitsBytes() {
        #expect(Self.refusal("长", bytesMax: 2)?.message == "a file has at most 2 bytes")
        #expect(Self.refusal("长", bytesMax: 3) == nil)
    }
}
