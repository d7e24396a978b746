import Testing

@testable import Casework

@Suite("Words in a text")
struct PolicyWordMatcherTests {
    private func scores(_ groups: [[String]], _ text: String) -> [Int32] {
        var scores = [Int32](repeating: 0, count: groups.count)
        WordMatcher(groups: groups).scan(text, weight: 1, into: &scores)
        return scores
    }

    @Test("overlapping words, words within words and words in two groups are all found")
    func overlapping() {
        #expect(scores([["中国人民", "国人", "人民银行"], ["国人", "银"]], "中国人民银行") == [3, 2])
    }

    @Test("a word counts once however often it stands there")
    func once() {
        #expect(scores([["公交"]], "公交公交公交") == [1])
    }

    @Test("white space and ASCII letter case do not matter, in words and in text")
    func folding() {
        #expect(scores([["K T v", "贪 污"]], "ktV里贪\n污") == [2])
    }

    @Test("half of one character and half of the next are no match")
    func boundaries() {
        #expect(scores([["受贿"]], "受到贿") == [0])
        #expect(scores([[], ["受贿"]], "") == [0, 0])
    }

    @Test("it finds what a plain search finds, on texts made of few characters")
    func againstPlainSearch() {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("贪污受贿ab")
        func word(_ length: ClosedRange<Int>) -> String {
            String((0..<Int.random(in: length, using: &generator)).map { _ in alphabet[Int.random(in: 0..<6, using: &generator)] })
        }
        for _ in 0..<300 {
            let groups = (0..<3).map { _ in (0..<4).map { _ in word(1...4) } }
            let text = word(0...40)
            let plain = groups.map { Int32(Set($0).count { text.contains($0) }) }
            #expect(scores(groups, text) == plain, "\(groups) in \(text)")
        }
    }
}
