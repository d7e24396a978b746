import Basics
import Casework
import Foundation
import Testing
import Workers

@Suite("The policy as officials write it")
struct PolicyFileTests {
    private static let defaultPolicy = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Sources/Setup/Installation/Resources/policy_cn_discipline.yaml")

    private static func yaml(replacing old: String = "", by new: String = "") throws -> String {
        var yaml = try String(contentsOf: defaultPolicy, encoding: .utf8)
        guard !old.isEmpty else { return yaml }
        let range = try #require(yaml.range(of: old), "\(old) does not occur")
        yaml.replaceSubrange(range, with: new)
        return yaml
    }

    private static func rulebook() throws -> Rulebook { try Rulebook(PolicyFile.read(yaml(), named: "default")) }

    @Test("the default policy has no problems, has the nine kinds of source, and survives being stored")
    func defaultPolicyIsSound() throws {
        let policy = try PolicyFile.read(Self.yaml(), named: "default")
        #expect(policy.name == "cn-discipline")
        #expect(policy.vocabulary.sourceKinds.count == 9)
        #expect(policy.caseOffice == UnitID("case-office"))
        #expect(
            policy.duties?.map { "\($0.name) \($0.owedBy) \($0.each)" } == ["月汇总 office month", "办结反馈 unit quarter"])
        #expect(try JSONDecoder().decode(Policy.self, from: JSONEncoder().encode(policy)) == policy)
    }

    @Test("no row of the default policy presents as law what is a copy, a local rule or unverified")
    func citesOnlyVerifiedLaw() throws {
        let policy = try PolicyFile.read(Self.yaml(), named: "default")
        let rows: [any PolicyRow] =
            policy.sealed + policy.scope.rows + [policy.scope.otherwise] + policy.repeats
            + policy.routing.rows + [policy.routing.otherwise] + policy.clocks + (policy.duties ?? []) + policy.returns
            + policy.conclusions
        for row in rows {
            let citation = try #require(row.citation, "\(row.id) has no citation")
            #expect(citation.hasPrefix("默认值") || citation.hasPrefix("来源文件"), "\(row.id)")
            if citation.contains("规则第") { #expect(citation.contains("第三方文本"), "\(row.id)") }
        }
    }

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
        Slip("title_weight: 3", "title_wieght: 3", "scope.title_wieght", "unknown key; did you mean \"title_weight\"?"),
        Slip("title_weight: 3", "title_wieght: 3", "scope.title_weight", "is missing"),
        Slip("case_office: case-office", "caseoffice: case-office", "caseoffice", "did you mean \"case_office\"?"),
        Slip("case_office: case-office", "case_office: Case Office", "case_office", "an id matches [a-z0-9-]{1,40}"),
        Slip("title_weight: 3", "title_weight: 0x3", "scope.title_weight", "must be a whole number"),
        Slip("title: 纪检监察机关信访举报办理规则（默认）", "title: null", "title", "must be a text"),
        Slip("version: 1", "version: one", "version", "must be a whole number"),
        Slip(
            "result_owed: true", "result_owed: yes",
            """
            vocabulary.handoff_kinds[0].result_owed
            """, "must be true or false"),
        Slip(
            "within: 2 day", "within: 2 working_day", "clocks[0].within",
            "needs a calendar, which this version does not have"),
        Slip(
            "within: 2 day", "within: 1 month", "clocks[0].within", "needs a calendar, which this version does not have"
        ),
        Slip(
            "within: 90 day", "within: 1 quarter", "clocks[2].within",
            "needs a calendar, which this version does not have"),
        Slip("within: 2 day", "within: two days", "clocks[0].within", "a number and a unit"),
        Slip("decide: accept\n", "decide: acept\n", "scope.rows[0].decide", "did you mean \"accept\"?"),
        Slip("starts: released", "starts: [released]", "clocks[0].starts", "must be one of"),
        Slip(
            "handoff_kinds: [transfer, assignment]", "handoff_kinds: transfer", "clocks[1].handoff_kinds",
            "must be a list"),
        Slip("level: [central]", "level: [centrl]", "sealed[0].when.level[0]", "did you mean \"central\"?"),
        Slip(
            "unit_kinds: [stationed]", "unit_kinds: [statoned]", "routing.rows[7].to.unit_kinds[0]",
            "did you mean \"stationed\"?"),
        Slip("place: same", "place: [same]", "routing.rows[7].to.place", "must be one of"),
        Slip("title: 纪检监察", "title:\nspare: 纪检监察", "title", "must be a text"),
    ]

    @Test("each slip is reported with its place in the file", arguments: slips)
    func locatesEachSlip(slip: Slip) throws {
        let yaml = try Self.yaml(replacing: slip.old, by: slip.new)
        let error = try #require(throws: PolicyError.self) { try PolicyFile.read(yaml, named: "test") }
        let problem = error.problems.first { $0.path == slip.path && $0.message.contains(slip.message) }
        #expect(problem != nil, "\(error.debugDescription)")
        #expect(problem?.line != nil)
    }

    @Test("unknown keys and meaningless rows are reported together")
    func reportsAllProblemsAtOnce() throws {
        let yaml = try Self.yaml(replacing: "case_office: case-office", by: "caseoffice: case-office")
            .replacing("within: 2 day", with: "within: 2 month").replacing("level: [central]", with: "level: [centrl]")
        let error = try #require(throws: PolicyError.self) { try PolicyFile.read(yaml, named: "test") }
        #expect(
            error.problems.map(\.path) == [
                "caseoffice", "sealed[0].when.level[0]", "clocks[0].within", "approvals[0].within",
            ])
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let yaml: String
        let message: String
        init(_ name: String, _ yaml: String, _ message: String) {
            testDescription = name
            self.yaml = yaml
            self.message = message
        }
    }

    static let refusals: [Refusal] = [
        Refusal("an empty file", "", "is empty"),
        Refusal("a comment only", "# nothing\n", "is empty"),
        Refusal("no YAML", "a: [b", "is no YAML"),
        Refusal("a list", "- a", "must hold keys and values"),
        Refusal("an alias", "a: &x 1\nb: *x\n", "anchors (&name) and aliases"),
        Refusal(
            "an alias bomb", "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n? *c\n: x\n", "anchors (&name) and aliases"),
        Refusal("an anchor within a list", "a: [&x 1]", "anchors (&name) and aliases"),
        Refusal("two documents", "a: 1\n---\nb: 1\n", "is no YAML"),
        Refusal("a key twice", "name: a\nname: b\n", "stands twice: name"),
        Refusal("deep nesting in brackets", String(repeating: "[", count: 100_000), "brackets stand more than 64 deep"),
        Refusal("deep nesting in dashes", String(repeating: "- ", count: 10_000) + "a", "is no YAML"),
        Refusal("very many values", String(repeating: "- ", count: 20_001) + "a", "at most 20000 values"),
        Refusal("more than a mebibyte", String(repeating: "#", count: (1 << 20) + 1), "at most 1048576 bytes"),
    ]

    @Test("what a policy does not need is refused", arguments: refusals)
    func refusesSuperfluousContent(refusal: Refusal) throws {
        let error = try #require(throws: PolicyError.self) { try PolicyFile.read(refusal.yaml, named: "test") }
        #expect(error.problems.contains { $0.message.contains(refusal.message) }, "\(error.debugDescription)")
    }

    @Test("nesting deeper than a policy's shape is reported as such")
    func reportsDeepNesting() throws {
        let deep = String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
        let yaml = try Self.yaml(replacing: "[central]", by: deep)
        let error = try #require(throws: PolicyError.self) { try PolicyFile.read(yaml, named: "test") }
        #expect(error.problems.contains { $0.path == "sealed[0].when.level[0]" && $0.message == "must be a text" })
    }

    @Test("an ampersand or an asterisk in a comment or between words is no anchor")
    func allowsSignsThatAreNoAnchors() throws {
        let yaml = try Self.yaml(replacing: "name: cn-discipline", by: "# *important* &c\nname: cn-discipline")
            .replacing("message: 同意办结", with: "message: A & B * C")
        #expect(try PolicyFile.read(yaml, named: "test").name == "cn-discipline")
    }

    @Test(
        "a number or flag may be quoted, and no number is octal",
        arguments: [("\"7\"", 7), ("010", 10), ("+3", 3)])
    func readsNumbersAndFlags(written: String, number: Int) throws {
        let yaml = try Self.yaml(replacing: "version: 1", by: "version: \(written)").replacing(
            "accepted: true", with: "accepted: \"true\"")
        #expect(try PolicyFile.read(yaml, named: "test").version == number)
    }

    struct Sample: Sendable {
        let facts: ReportFacts
        let rule: String
    }

    @Test(
        "the default policy decides its samples as expected",
        arguments: [
            Sample(facts: ReportFacts(sourceKind: "letter", text: "某局长收受好处费", accusedCount: 1), rule: "scope-breach"),
            Sample(
                facts: ReportFacts(sourceKind: "phone", text: "某事", categories: ["work"], accusedCount: 1),
                rule: "scope-named"),
            Sample(facts: ReportFacts(sourceKind: "web", text: "小区物业与领导勾结"), rule: "scope-breach-unnamed"),
            Sample(facts: ReportFacts(sourceKind: "web", text: "小区物业乱来，村主任不管"), rule: "scope-cadre-unnamed"),
            Sample(facts: ReportFacts(sourceKind: "web", text: "小区物业停水"), rule: "scope-outside-web"),
            Sample(facts: ReportFacts(sourceKind: "letter", text: "小区物业停水"), rule: "scope-unclear"),
            Sample(
                facts: ReportFacts(sourceKind: "letter", matterKind: "outside", text: "小区物业停水"),
                rule: "scope-outside-stated"),
            Sample(
                facts: ReportFacts(sourceKind: "letter", matterKind: "outside", text: "不知道找谁"),
                rule: "scope-outside-unknown"),
            Sample(facts: ReportFacts(sourceKind: "web", text: "某事", accusedCount: 1), rule: "scope-named-unclear"),
            Sample(
                facts: ReportFacts(sourceKind: "letter", matterKind: "appeal", text: "对记大过不服"), rule: "scope-appeal"),
            Sample(
                facts: ReportFacts(sourceKind: "web", matterKind: "suggestion", text: "村务应当公开"),
                rule: "scope-suggestion"),
        ])
    func decidesSamples(sample: Sample) throws {
        #expect(try Self.rulebook().scope(of: sample.facts).rule.row == sample.rule)
    }

    private static let petitions = ProcessInfo.processInfo.environment["TEST_BIHUAN_PETITIONS"]

    /// Real petitions of a province's message board, as JSON lines with `title` and `text`, which the project does not
    /// carry.
    @Test(
        "most real petitions go to other authorities, at least ten, and none of these has a word of breach",
        .enabled(if: petitions != nil, "TEST_BIHUAN_PETITIONS names no file of petitions (JSON lines, unpacked)"))
    func decidesRealPetitions() throws {
        struct Petition: Decodable {
            let title: String
            let text: String
        }
        let path = try #require(Self.petitions)
        let petitions = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
            .map { try JSONDecoder().decode(Petition.self, from: Data($0.utf8)) }
        let rulebook = try Self.rulebook()
        let breach = try #require(rulebook.policy.wordLists?["breach"])
        var byAuthority: [String: Int] = [:]
        var bySource: [String: Int] = [:]
        var rulings: [ScopeRuling] = []
        let duration = ContinuousClock().measure {
            rulings = petitions.map {
                rulebook.scope(of: ReportFacts(sourceKind: "web", title: $0.title, text: $0.text))
            }
        }
        for (petition, ruling) in zip(petitions, rulings) {
            bySource[ruling.rule.row, default: 0] += 1
            guard case .notAccepted(let authority, _) = ruling.decision else { continue }
            byAuthority[authority, default: 0] += 1
            let text = petition.title + petition.text
            #expect(!breach.contains { text.contains($0) })
        }
        #expect(byAuthority.values.reduce(0, +) * 10 >= petitions.count * 7)
        #expect(byAuthority.count >= 10)
        print("\(petitions.count) petitions, \(duration / petitions.count) each")
        for (name, count) in (bySource.merging(byAuthority) { $0 + $1 }).sorted(by: { $0.value > $1.value }) {
            print(count, name)
        }
    }
}
