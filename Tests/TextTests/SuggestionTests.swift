import Testing

@testable import Text

@Suite("Did you mean")
struct SuggestionTests {
    @Test(
        "the nearest word is proposed: letters exchanged, left out, put in or changed, in any case",
        arguments: [
            ("titel", "title"), ("frm", "from"), ("sorce", "source"), ("amqp.ulr", "amqp.url"),
            ("title_wieght", "title_weight"), ("TITLE", "title"),
            ("县管干部们", "县管干部"),
        ])
    func near(word: String, meant: String) {
        let known = ["title", "from", "source", "amqp.url", "title_weight", "县管干部", "zone"]
        #expect(Suggestion.phrase(for: word, among: known) == "; did you mean \"\(meant)\"?")
    }

    @Test("what is like none is not guessed at; of equals the first by letters is taken")
    func far() {
        #expect(Suggestion.phrase(for: "colour", among: ["title", "from"]) == "")
        #expect(Suggestion.phrase(for: "", among: ["title"]) == "")
        #expect(Suggestion.phrase(for: "bat", among: ["cat", "bar"]) == "; did you mean \"bar\"?")
    }
}
