import Casework
import Testing

@Suite("What belongs to the office")
struct PolicyScopeTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let facts: ReportFacts
        let rule: String
        let decision: ScopeRuling.Decision
        var testDescription: String { "\(facts.title)\(facts.text) → \(rule)" }
    }

    static let rows: [Row] = [
        Row(
            facts: ReportFacts(sourceKind: "letter", text: "没有用语", categories: ["bribery"], accusedCount: 1),
            rule: "named", decision: .accept(matterKind: "accusation")),
        Row(
            facts: ReportFacts(sourceKind: "letter", text: "他受贿", accusedCount: 1), rule: "breach",
            decision: .accept(matterKind: "accusation")),
        Row(
            facts: ReportFacts(sourceKind: "letter", text: "他受贿", categories: ["unheard-of"], accusedCount: 1),
            rule: "breach", decision: .accept(matterKind: "accusation")),
        Row(
            facts: ReportFacts(sourceKind: "web", title: "小区物业", text: "有人贪\n 污"), rule: "breach-unnamed",
            decision: .needsReview(reason: "没有被反映人")),
        Row(
            facts: ReportFacts(sourceKind: "web", title: "小区物业不作为", text: "开发商"), rule: "web-outside",
            decision: .notAccepted(authority: "housing", category: "城乡建设")),
        Row(
            facts: ReportFacts(sourceKind: "web", title: "公交", text: "小区，物业"), rule: "web-outside",
            decision: .notAccepted(authority: "transport", category: "交通运输")),
        Row(
            facts: ReportFacts(sourceKind: "web", text: "公交，小区"), rule: "web-outside",
            decision: .notAccepted(authority: "housing", category: "城乡建设")),
        Row(
            facts: ReportFacts(sourceKind: "letter", text: "小区"), rule: "unclear",
            decision: .needsReview(reason: "无法判断")),
        Row(
            facts: ReportFacts(sourceKind: "web", text: "别的事"), rule: "unclear",
            decision: .needsReview(reason: "无法判断")),
        Row(
            facts: ReportFacts(sourceKind: "letter", matterKind: "outside", text: "别的事"), rule: "stated-outside",
            decision: .notAccepted(authority: "petition", category: "信访")),
        Row(
            facts: ReportFacts(sourceKind: "letter", matterKind: "appeal", text: "不服处分"), rule: "appeal",
            decision: .accept(matterKind: "appeal")),
        Row(
            facts: ReportFacts(sourceKind: "letter", matterKind: "appeal", text: "不服"), rule: "unclear",
            decision: .needsReview(reason: "无法判断")),
    ]

    @Test("the first row that fits decides, and the decision names it", arguments: rows)
    func decidesByFirstFittingRow(row: Row) throws {
        let ruling = try PolicyFixture.rulebook().scope(of: row.facts)
        #expect(ruling.rule.description == "test-policy@3/\(row.rule)")
        #expect(ruling.decision == row.decision)
    }

    @Test(
        "a word of breach is found however its characters are separated, and prevents a refusal",
        arguments: ["受　贿", "受\u{200B}贿", "受\u{A0}贿", "受·贿", "受賄", "受*贿", "受，贿", "受.贿", "受-贿", "以權謀私", "以.权.谋.私", "⾏受贿"])
    func findsSplitWordsOfBreach(word: String) throws {
        let facts = ReportFacts(sourceKind: "web", title: "小区", text: "小区物业多次\(word),业主要求处理")
        #expect(try PolicyFixture.rulebook().scope(of: facts).rule.row == "breach-unnamed")
        let outside = ReportFacts(sourceKind: "letter", matterKind: "outside", text: word, accusedCount: 1)
        #expect(try PolicyFixture.rulebook().scope(of: outside).rule.row == "breach")
    }

    @Test(
        "a word that refuses a report is not found across two clauses",
        arguments: [
            "小，区", "大小。区别", "小·区", "小*区", "小　区",
            "公（交",
        ])
    func joinsNoWordsAcrossClauses(text: String) throws {
        #expect(
            try PolicyFixture.rulebook().scope(of: ReportFacts(sourceKind: "web", text: text)).rule.row == "unclear")
    }

    @Test("each different word counts once, and more in the title; equal scores keep the order of the rows")
    func scoresDifferentWordsOnce() throws {
        let facts = ReportFacts(sourceKind: "letter", title: "公交", text: "物业、物业、小区、开发商、KTV 专线")
        let proposals = try PolicyFixture.rulebook().scope(of: facts).proposals
        #expect(proposals.map(\.authority) == ["transport", "housing"])
        #expect(proposals.map(\.score) == [4, 3])
        #expect(proposals.first?.rule.row == "to-transport")
    }

    @Test("a matter for a superior alone is sealed, whatever else the report contains")
    func sealsMattersOfSuperiors() throws {
        let rulebook = try PolicyFixture.rulebook()
        let sealing = try #require(
            rulebook.sealing(
                of: ReportFacts(
                    sourceKind: "web", text: "小区",
                    levels: [
                        "village",
                        "central",
                    ], accusedCount: 2)))
        #expect(sealing.rule.description == "test-policy@3/sealed-central")
        #expect(sealing.rule.citation == "默认值")
        #expect(sealing.unitKind == "superior")
        #expect(rulebook.sealing(of: ReportFacts(sourceKind: "web", levels: ["province"], accusedCount: 1)) == nil)
        #expect(rulebook.sealing(of: ReportFacts(sourceKind: "web")) == nil)
    }

    @Test("words that the policy does not know are named, with a suggestion")
    func namesUnknownWords() throws {
        let submission = Submission(
            matterKind: "acusation", title: "", text: "",
            accused: [Accused(name: "甲", level: "city"), Accused(name: "乙", level: "moon")],
            allegations: [Allegation(category: "briberi", act: "")])
        let problems = try PolicyFixture.rulebook().unknownVocabulary(in: submission)
        #expect(problems.map(\.path) == ["matterKind", "accused[1].level", "allegations[0].category"])
        #expect(problems[0].message.contains("did you mean \"accusation\"?"))
        #expect(!problems[1].message.contains("did you mean"))
        #expect(problems[2].message.contains("did you mean \"bribery\"?"))
    }

    @Test("facts are taken from a submission")
    func takesFactsFromSubmission() {
        let submission = Submission(
            matterKind: "appeal", title: "题", text: "文", region: "p-c01",
            reporters: [Reporter(name: "甲", phone: "13800138000")],
            accused: [Accused(name: "乙", level: "city", region: "p-c02"), Accused(name: "丙")],
            allegations: [Allegation(category: "work", act: "某事"), Allegation(act: "另一事")])
        #expect(
            ReportFacts(submission: submission, sourceKind: "web")
                == ReportFacts(
                    sourceKind: "web", matterKind: "appeal", title: "题", text: "文", region: "p-c01", levels: ["city"],
                    accusedRegions: ["p-c02"], categories: ["work"], accusedCount: 2, isRealName: true))
    }
}
