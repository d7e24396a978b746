import Testing

@testable import Casework

@Suite("Words in a text")
struct PolicyWordMatcherTests {
    private func scores(_ groups: [[String]], _ text: String, _ reach: WordMatcher.Reach = .near) -> [Int32] {
        var scores = [Int32](repeating: 0, count: groups.count)
        WordMatcher(groups: groups.map { ($0, reach) }).scan(text, weight: 1, into: &scores)
        return scores
    }

    @Test("overlapping words, words within words and words in two groups are all found")
    func findsOverlappingWords() {
        #expect(scores([["中国人民", "国人", "人民银行"], ["国人", "银"]], "中国人民银行") == [3, 2])
    }

    @Test("a word counts once however often it occurs")
    func countsWordOnce() {
        #expect(scores([["公交"]], "公交公交公交") == [1])
    }

    @Test("white space and ASCII letter case do not matter, in words and in text")
    func ignoresSpaceAndCase() {
        #expect(scores([["K T v", "贪 污"]], "ktV里贪\n污") == [2])
    }

    @Test(
        "a word of wide reach is found despite any separators, and one of near reach is not",
        arguments: [
            "·", "*", "、", "，", "。", "-", "（", "★", "　", "\u{A0}", "\u{2003}", "\u{0}", "/", "・", "⋅", "～",
            "\u{E000}", "\u{378}", "丶", "丨", "&nbsp;", "ー", "\u{2800}", "♥️", "..",
        ])
    func findsSeparatedWordsOfWideReach(mark: String) {
        #expect(scores([["受贿"]], "校长受\(mark)贿", .wide) == [1])
        #expect(scores([["受贿"]], "校长受\(mark)贿", .near) == [0])
        #expect(scores([["受贿"]], "校长受\(mark)贿，又受贿", .near) == [1])
    }

    @Test(
        "both reaches ignore invisible characters and find compatibility forms and Traditional characters",
        arguments: [
            "受\u{200B}贿", "受\u{2060}\u{AD}贿", "受\n贿", "受賄", "受\u{FE00}贿\u{E0100}", "受\u{202E}贿", "受̲贿̶",
            "\u{2066}受\u{2069}贿",
        ])
    func findsOtherFormsOfCharacters(text: String) {
        for reach in [WordMatcher.Reach.near, .wide] { #expect(scores([["受贿"]], text, reach) == [1]) }
        #expect(scores([["行贿"]], "⾏贿") == [1])
        #expect(scores([["李受贿"]], "\u{F9E1}受賄") == [1])
    }

    @Test("one word in groups of both reaches counts once for each")
    func countsWordOncePerReach() {
        var scores: [Int32] = [0, 0]
        let matcher = WordMatcher(groups: [(["受贿"], .wide), (["受贿"], .near)])
        matcher.scan("受*贿受贿受*贿", weight: 1, into: &scores)
        #expect(scores == [1, 1])
        matcher.scan("受*贿", weight: 3, into: &scores)
        #expect(scores == [4, 1])
    }

    @Test("half of one character and half of the next are no match")
    func matchesWholeCharacters() {
        #expect(scores([["受贿"]], "受到贿") == [0])
        #expect(scores([[], ["受贿"]], "") == [0, 0])
    }

    @Test("the matcher finds what a plain search finds, on texts of few characters")
    func agreesWithPlainSearch() {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("贪污受贿ab")
        func word(_ length: ClosedRange<Int>) -> String {
            String(
                (0..<Int.random(in: length, using: &generator)).map { _ in
                    alphabet[Int.random(in: 0..<6, using: &generator)]
                })
        }
        for _ in 0..<300 {
            let groups = (0..<3).map { _ in (0..<4).map { _ in word(1...4) } }
            let text = word(0...40)
            let plain = groups.map { Int32(Set($0).count { text.contains($0) }) }
            #expect(scores(groups, text) == plain, "\(groups) in \(text)")
        }
    }
}
