import Casework
import Testing

@Suite("Returns, conclusions and repeats name their rule")
struct PolicyVerdictTests {
    @Test(
        "a return needs an admissible reason, an explanation, and few earlier returns",
        arguments: [
            ("not_competent", "不归我们管", 0, "return-ours"), ("not_competent", "不归我们管", 1, "return-ours"),
            ("not_competent", "不归我们管", 2, "return-refused"), ("not_competent", "不 归 我", 0, "return-refused"),
            ("no_substance", "没有任何线索", 0, "return-refused"), ("unheard-of", "不归我们管", 0, "return-refused"),
        ])
    func checksReturns(reason: String, text: String, hops: Int, rule: String) throws {
        let ruling = try PolicyFixture.rulebook().judgeReturn(
            reason: reason, text: text, handoffKind: "transfer", hopsSoFar: hops)
        #expect(ruling.rule.description == "test-policy@3/\(rule)")
        #expect(ruling.approved == (rule == "return-ours"))
        #expect(ruling.message == (ruling.approved ? "同意退回" : "不同意退回"))
    }

    struct Conclusion: Sendable {
        var outcome = "substantiated"
        var hasDisposition = true
        var hasSummary = true
        var answered: Bool? = true
        var isRealName = true
        var timesReturned = 0
        let rule: String
    }

    @Test(
        "a conclusion is accepted when nothing is missing",
        arguments: [
            Conclusion(rule: "accepted"), Conclusion(hasDisposition: false, rule: "no-disposition"),
            Conclusion(hasDisposition: false, hasSummary: false, rule: "no-disposition"),
            Conclusion(hasSummary: false, rule: "no-summary"), Conclusion(answered: false, rule: "unanswered"),
            Conclusion(answered: nil, rule: "unanswered"),
            Conclusion(answered: nil, isRealName: false, rule: "accepted"),
            Conclusion(timesReturned: 3, rule: "accepted"),
            Conclusion(outcome: "unfounded", timesReturned: 2, rule: "accepted"),
            Conclusion(outcome: "unfounded", timesReturned: 3, rule: "supervise"),
        ])
    func acceptsCompleteConclusions(row: Conclusion) throws {
        let ruling = try PolicyFixture.rulebook().judgeConclusion(
            outcome: row.outcome, hasDisposition: row.hasDisposition, hasSummary: row.hasSummary,
            realNameAnswered: row.answered, isRealName: row.isRealName, timesReturned: row.timesReturned)
        #expect(ruling.rule.row == row.rule)
        #expect(ruling.accepted == (row.rule == "accepted"))
        #expect(!ruling.message.isEmpty)
    }

    @Test("a repeat names the row for its basis")
    func namesRowOfRepeat() throws {
        let rulebook = try PolicyFixture.rulebook()
        #expect(rulebook.repeatRule(.reporter).row == "same-reporter")
        #expect(rulebook.repeatRule(.accused).row == "same-accused")
    }
}
