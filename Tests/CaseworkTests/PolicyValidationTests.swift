import Casework
import Testing

@Suite("A policy that may not be used says why")
struct PolicyValidationTests {
    struct Slip: Sendable, CustomTestStringConvertible {
        let old: String
        let new: String
        let path: String
        let message: String
        init(_ old: String, _ new: String, _ path: String, _ message: String) {
            self.old = old
            self.new = new
            self.path = path
            self.message = message
        }
        var testDescription: String { "\(path): \(message)" }
    }

    static let slips: [Slip] = [
        Slip("\"test-policy\"", "\"Test Policy\"", "name", "[a-z0-9-]{1,40}"),
        Slip("\"version\": 3", "\"version\": 0", "version", "from 1"),
        Slip("\"测试规则\"", "\" \"", "title", "must not be empty"),
        Slip(
            "\"id\": \"city\", \"name\": \"市管\"", "\"id\": \"county\", \"name\": \"市管\"", "vocabulary.levels[2].id",
            "twice"),
        Slip("{\"id\": \"work\"", "{\"id\": \"Work!\"", "vocabulary.categories[1].id", "[a-z0-9_-]"),
        Slip(
            "\"180 day\"", "\"180 working_day\"", "vocabulary.dispositions[1].look_again_after",
            "needs a calendar, which this version does not have"),
        Slip(
            "\"terminal\": false", "\"terminal\": true", "vocabulary.dispositions[1].look_again_after",
            "not looked at again"),
        Slip(
            "\"case_office\": \"case-office\"", "\"placeholders\": [\"匿名\", \" \"], \"case_office\": \"case-office\"",
            "placeholders[1]", "must not be empty"),
        Slip(
            "\"level\": [\"central\"]", "\"level\": [\"centrall\"]", "sealed[0].when.level[0]",
            "did you mean \"central\"?"),
        Slip("\"level\": [\"central\"]", "\"any_of\": [\"贪污\"]", "sealed[0].when", "do not know the text"),
        Slip(
            "\"unit_kind\": \"superior\"", "\"unit_kind\": \"superio\"", "sealed[0].unit_kind",
            "did you mean \"superior\"?"),
        Slip("\"id\": \"breach-unnamed\"", "\"id\": \"breach\"", "scope.rows[3].id", "already the id of scope.rows[2]"),
        Slip(
            "[\"$breach\"]}, \"decide\": \"accept\"", "[\"$breech\"]}, \"decide\": \"accept\"",
            "scope.rows[2].when.any_of[0]", "did you mean \"breach\"?"),
        Slip("\"source_kind\": [\"web\"]", "\"source_kind\": []", "scope.rows[4].when.source_kind", "fits nothing"),
        Slip("\"reason\": \"没有被反映人\"", "\"citation\": \"默认值\"", "scope.rows[3].reason", "must not be empty"),
        Slip(
            "\"matter_kind\": \"accusation\"", "\"matter_kind\": \"outside\"", "scope.rows[1].matter_kind",
            "not within the scope"),
        Slip(
            "\"matter_kind\": \"accusation\"", "\"authority\": \"housing\"", "scope.rows[1].authority",
            "decide: not_accepted"),
        Slip(
            "\"authority\": \"petition\"", "\"authority\": \"pettion\"", "scope.rows[5].authority",
            "did you mean \"petition\"?"),
        Slip("\"物业\"", "\"物\"", "scope.proposals[0].words[0]", "too short"),
        Slip("\"物业\"", "\" \"", "scope.proposals[0].words[0]", "must not be empty"),
        Slip("\"物业\"", "\"$breach\"", "scope.proposals[0].words[0]", "not other lists"),
        Slip("\"title_weight\": 3", "\"title_weight\": 0", "scope.title_weight", "between 1 and 100"),
        Slip("\"same\": \"accused\"", "\"same\": \"reporter\"", "repeats", "same accused"),
        Slip("\"unit_kinds\": [\"stationed\"]", "\"unit_kinds\": []", "routing.rows[3].to.unit_kinds", "fits nothing"),
        Slip(
            "\"within\": \"2 day\"", "\"within\": \"2 working_day\"", "clocks[0].within",
            "needs a calendar, which this version does not have"),
        Slip(
            "\"within\": \"30 day\"", "\"within\": \"1 month\"", "clocks[1].within",
            "needs a calendar, which this version does not have"),
        Slip(
            "\"within\": \"30 day\"", "\"within\": \"1 quarter\"", "clocks[1].within",
            "needs a calendar, which this version does not have"),
        Slip("\"within\": \"30 day\"", "\"within\": \"30 dai\"", "clocks[1].within", "did you mean \"day\"?"),
        Slip("\"within\": \"30 day\"", "\"within\": \"0 day\"", "clocks[1].within", "between 1 and 100000"),
        Slip(
            "\"starts\": \"released\"", "\"starts\": \"signed\"", "clocks[0].starts",
            "a sign clock starts with \"released\""),
        Slip("\"before_due\": \"7 day\"", "\"after_due\": \"7 day\"", "clocks[1].steps[0]", "before the limit"),
        Slip(
            "\"before_due\": \"7 day\"", "\"before_due\": \"70 day\"", "clocks[1].steps[0]", "before the clock starts"),
        Slip(
            "{\"action\": \"warn\", \"before_due\": \"7 day\"}", "{\"action\": \"warn\"}", "clocks[1].steps[0]",
            "one of after_start, before_due and after_due"),
        Slip(
            "\"overdue\", \"after_due\": \"0 day\"},\n", "\"overdue\", \"after_start\": \"1 day\"},\n",
            "clocks[0].steps[2]", "at the limit or after it"),
        Slip("\"times\": 2", "\"times\": 200", "clocks[0].steps[3].times", "between 1 and 32"),
        Slip("\"times\": 2", "\"times\": 30", "clocks[0].steps", "at most 32 steps"),
        Slip(", \"times\": 2", "", "clocks[0].steps[3]", "every and times stand together"),
        Slip(
            "\"steps\": [{\"action\": \"overdue\", \"after_due\": \"0 day\"}]", "\"steps\": []", "clocks[2].steps",
            "at least one step"),
        Slip("\"starts\": \"conclusion_sent_back\"", "\"starts\": \"signed\"", "clocks[2]", "a second overdue clock"),
        Slip(
            "\"handoff_kinds\": [\"transfer\", \"send_down\"]", "\"handoff_kinds\": [\"transfer\"]",
            "vocabulary.handoff_kinds[1]", "no sign clock"),
        Slip(
            ",\n       \"no_clock_reason\": \"由督查监督\"", "", "vocabulary.handoff_kinds[1]",
            "no_clock_reason must say why not"),
        Slip(
            "\"result_owed\": false", "\"result_owed\": true", "vocabulary.handoff_kinds[1]",
            "no overdue clock starts with the signature"),
        Slip(
            ",\n    {\"id\": \"return-refused\", \"approve\": false, \"message\": \"不同意退回\"}", "", "returns",
            "last row has no conditions"),
        Slip(
            ",\n    {\"id\": \"accepted\", \"accept\": true, \"message\": \"同意办结\"}", "", "conclusions",
            "last row has no conditions"),
        Slip(
            "\"reasons\": [\"not_competent\"]", "\"reasons\": [\"not_compettent\"]", "returns[0].reasons[0]",
            "did you mean \"not_competent\"?"),
    ]

    @Test("each slip is found, and its place is named", arguments: slips)
    func locatesEachSlip(slip: Slip) throws {
        let problems = try PolicyFixture.policy(replacing: slip.old, by: slip.new).validate()
        #expect(problems.contains { $0.path == slip.path && $0.message.contains(slip.message) }, "\(problems)")
    }

    @Test("a sound policy has no problems")
    func acceptsSoundPolicy() throws {
        #expect(try PolicyFixture.policy().validate().filter { !$0.isWarning } == [])
    }

    @Test("all problems are reported at once, and no rulebook is made")
    func reportsAllProblemsAtOnce() throws {
        let policy = try PolicyFixture.policy(replacing: "\"2 day\"", by: "\"0 month\"")
        let error = try #require(throws: PolicyError.self) { try Rulebook(policy) }
        #expect(error.code == .invalid)
        #expect(error.problems.count == 2)
        #expect(error.description == "the policy cannot be used (invalid): 2 problems")
        #expect(error.debugDescription.contains("clocks[0].within"))
    }

    @Test("words beyond the limit of the matcher are refused")
    func refusesTooManyWords() throws {
        let words = (0..<5_000).map { "\"很长的一个词语之\($0)\"" }.joined(separator: ", ")
        let problems = try PolicyFixture.policy(replacing: "\"物业\"", by: words).validate()
        #expect(problems.contains { $0.message.contains("60000 bytes") })
    }

    @Test(
        "a length of time is a number and a word",
        arguments: [
            ("2 day", 172_800), ("36 hour", 129_600), ("1 days", 86_400),
        ])
    func readsSpans(text: String, seconds: Int64) {
        #expect(Span(text)?.seconds == seconds)
    }

    @Test(
        "any other text is refused as a length of time",
        arguments: ["", "2", "day", "2day", "two day", "2 day 3", "9999999 day"])
    func refusesMalformedSpans(text: String) {
        #expect(Span(text) == nil)
    }
}
