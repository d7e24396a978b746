import Testing
import Text

@Suite("Text from outside, as it is shown")
struct PrintableTests {
    /// Characters that no terminal may receive from outside, each with the number it is shown as.
    static let hostile: [String] = [
        "\u{0}", "\u{7}", "\u{8}", "\u{B}", "\u{1B}", "\u{7F}", "\u{80}", "\u{85}", "\u{9B}", "\u{9D}", "\u{AD}",
        "\u{61C}", "\u{180E}",
        "\u{200B}", "\u{200E}", "\u{200F}", "\u{2028}", "\u{2029}", "\u{202A}", "\u{202E}", "\u{2060}", "\u{2066}",
        "\u{2069}", "\u{3164}",
        "\u{FEFF}", "\u{FFFE}", "\u{34F}", "\u{378}", "\u{E0001}", "\u{E0041}", "\u{10FFFF}",
    ]

    @Test("a character that a terminal would obey, or nobody would see, is shown as its number", arguments: hostile)
    func escapesHostileCharacters(_ text: String) throws {
        let scalar = try #require(text.unicodeScalars.first)
        let name = "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
        #expect(printable("沈\(text)励") == "沈\(name)励")
        #expect(printablePage("沈\(text)励\n") == "沈\(name)励\n")
        let json = printableJSON("[\"沈\(text)励\"]")
        #expect(!json.unicodeScalars.contains(scalar) && json.contains("\\u"))
    }

    @Test("line ends and tabs are escaped within a line, and line ends stay on a page")
    func escapesLineEnds() {
        #expect(printable("a\nb\r\nc\rd\te") == "a\\nb\\r\\nc\\rd\\te")
        #expect(printablePage("a\nb\r\nc\rd\te\r") == "a\nb\nc\\rd\\te\\r")
    }

    @Test(
        "letters of all scripts, their marks, and private-use characters stay",
        arguments: [
            "王芳", "𠮷野", "葛󠄀城", "é", "e\u{301}", "กำ", "שלום", "張\u{E863}", "👩‍👩‍👧", "❤️", "½ × 3 — „so“",
            "ﾃｽﾄ", "㊗", "",
        ])
    func keepsLettersOfAllScripts(_ text: String) {
        #expect(Array(printable(text).unicodeScalars) == Array(text.unicodeScalars))
    }

    @Test("escaped JSON means the same")
    func keepsMeaningOfJSON() {
        #expect(printableJSON("{\"a\":\"\u{9B}2J\u{202E}\u{E0041}\"}") == #"{"a":"\u009B2J\u202E\uDB40\uDC41"}"#)
    }

    @Test("a Chinese character takes two cells, and a mark on a letter takes none")
    func countsCells() {
        #expect(
            displayWidth("abc") == 3 && displayWidth("王芳a") == 5 && displayWidth("e\u{301}") == 1
                && displayWidth("（１）") == 6)
        #expect(displayWidth("🫡✅⚡👩‍👩‍👧🇨🇳") == 10)
        #expect(cut("王芳王芳", to: 8) == "王芳王芳" && cut("王芳王芳", to: 7) == "王芳王…" && cut("王芳王芳", to: 6) == "王芳…")
        #expect(cut("abcd", to: 1) == "…" && cut("abcd", to: 0) == "")
    }
}
