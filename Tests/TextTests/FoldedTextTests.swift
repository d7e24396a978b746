import Testing
import Text

@Suite("Folded text")
struct FoldedTextTests {
    @Test(
        "digits of all kinds count as digits in the search for a number",
        arguments: [
            "13800138000", "１３８００１３８０００", "壹叁捌零零壹叁捌零零零", "壹參捌零零壹參捌零零零", "壹叄捌零零壹叄捌零零零", "幺三八零零幺三八零零零", "一三八〇〇一三八〇〇〇",
            "①③⑧⓪⓪①③⑧⓪⓪⓪", "❶❸❽⓿⓿❶❸❽⓿⓿⓿", "➀➂➇⓪⓪➀➂➇⓪⓪⓪", "⑴⑶⑻0 0⑴⑶⑻0 00", "⒈⒊⒏00⒈⒊⒏000", "㈠㈢㈧〇〇㈠㈢㈧〇〇〇", "㊀㊂㊇〇〇㊀㊂㊇〇〇〇",
            "𝟏𝟑𝟖𝟎𝟎𝟏𝟑𝟖𝟎𝟎𝟎", "¹³⁸⁰⁰¹³⁸⁰⁰⁰", "₁₃₈₀₀₁₃₈₀₀₀", "١٣٨٠٠١٣٨٠٠٠", "۱۳۸۰۰۱۳۸۰۰۰", "१३८००१३८०००",
            "1️⃣3️⃣8️⃣0️⃣0️⃣1️⃣3️⃣8️⃣0️⃣0️⃣0️⃣",
            "1-3-8-0-0-1-3-8-0-0-0", "1,3,8,0,0,1,3,8,0,0,0", "l38OOl38OOO", "I38ooI38ooo", "幺三八洞洞幺三八洞洞洞",
            "138○○138○○○", "1̲3̶80013800\u{200B}0",
            "〡〣〨〇〇〡〣〨〇〇〇",
        ])
    func readsDigitsOfAllKinds(text: String) {
        #expect(FoldedText(text, for: .numbers).text == "13800138000")
    }

    @Test("numerals do not count as digits in the search for a name or a word")
    func keepsNumeralsInNames() {
        #expect(FoldedText("陆小曼").text == FoldedText("陸小曼").text)
        #expect(FoldedText("陆小曼").text != FoldedText("6小曼").text)
    }

    @Test("offsets map back to the original, also from a character that became several")
    func mapsOffsetsBack() {
        let text = "啊㈱\u{200B}王̲ 한é"
        let folded = FoldedText(text)
        let bytes = Array(text.utf8)
        let parts = folded.units.indices.map { String(decoding: bytes[folded.bytes(of: $0..<$0 + 1)], as: UTF8.self) }
        #expect(parts == ["啊", "㈱", "王̲", "한", "한", "한", "é"])
    }

    @Test("the text between two characters is known")
    func knowsGapsBetweenCharacters() {
        func gap(_ text: String) -> Gap {
            let folded = FoldedText(text)
            return folded.gap(within: folded.units.indices)
        }
        #expect(gap("受贿") <= .blank)
        #expect(gap("受\n\u{200B}贿") == .blank)
        #expect(["受·贿", "受*贿", "受　贿", "受（贿", "受★贿"].map(gap) == Array(repeating: .separator, count: 5))
        #expect(["受，贿", "受. 。贿", "受!贿"].map(gap) == Array(repeating: .clause, count: 3))
    }

    @Test("many marks in any order take time that grows no faster than the text")
    func foldsManyMarksInLinearTime() {
        let marks = String(repeating: "\u{5B0}\u{5BC}\u{591}", count: 30_000)
        let start = ContinuousClock.now
        #expect(FoldedText("א" + marks).units.count == 90_001)
        #expect(NarrowText.bytes(of: "א" + marks).count == 2 * 90_001)
        #expect(ContinuousClock.now - start < .seconds(10))
    }
}

@Suite("Many patterns in one pass")
struct TextFinderTests {
    @Test("the finder finds what a plain search finds, on texts of few characters")
    func agreesWithPlainSearch() {
        var generator = SystemRandomNumberGenerator()
        func word(_ length: ClosedRange<Int>) -> String {
            String(
                (0..<Int.random(in: length, using: &generator)).map { _ in "abc".randomElement(using: &generator) ?? "a"
                })
        }
        for _ in 0..<300 {
            let patterns = (0..<8).map { _ in word(1...4) }
            let text = word(0...40)
            var found: Set<[Int]> = []
            TextFinder(patterns.map { FoldedText($0).scalars }).scan(FoldedText(text)) { pattern, range in
                found.insert([pattern, range.lowerBound, range.upperBound])
                return true
            }
            var plain: Set<[Int]> = []
            let characters = Array(text)
            for (index, pattern) in patterns.enumerated() where patterns.firstIndex(of: pattern) == index {
                for start in characters.indices where characters[start...].starts(with: pattern) {
                    plain.insert([index, start, start + pattern.count])
                }
            }
            #expect(found == plain, "\(patterns) in \(text)")
        }
    }

    @Test("no patterns, empty patterns and texts without characters find nothing")
    func findsNothingInNothing() {
        for patterns in [[], [[]]] as [[[UInt32]]] {
            TextFinder(patterns).scan(FoldedText("abc")) { _, _ in
                Issue.record("found")
                return true
            }
        }
    }
}
