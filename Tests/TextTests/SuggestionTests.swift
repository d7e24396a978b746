import Testing

@testable import Text

@Suite("Did you mean")
struct SuggestionTests {
    @Test(
        "the nearest word is suggested: letters swapped, missing, added or changed, in any case",
        arguments: [
            ("titel", "title"), ("frm", "from"), ("sorce", "source"), ("amqp.ulr", "amqp.url"),
            ("title_wieght", "title_weight"), ("TITLE", "title"),
            ("县管干部们", "县管干部"),
        ])
    func suggestsNearestWord(word: String, meant: String) {
        let known = ["title", "from", "source", "amqp.url", "title_weight", "县管干部", "zone"]
        #expect(Suggestion.phrase(for: word, among: known) == "; did you mean \"\(meant)\"?")
    }

    @Test("a word that resembles none gets no suggestion; of equals the first in order is taken")
    func suggestsNothingFarAway() {
        #expect(Suggestion.phrase(for: "colour", among: ["title", "from"]) == "")
        #expect(Suggestion.phrase(for: "", among: ["title"]) == "")
        #expect(Suggestion.phrase(for: "bat", among: ["cat", "bar"]) == "; did you mean \"bar\"?")
    }
}
