import Text

/// A policy ready for use: validated, its words compiled, its vocabulary indexed. Immutable; one per policy version,
/// shared by all lanes.
public final class Rulebook: Sendable {
    public let policy: Policy
    public let levels: [String: Term]
    public let matterKinds: [String: MatterKind]
    public let categories: [String: Term]
    public let sourceKinds: [String: Term]
    public let handoffKinds: [String: HandoffKind]
    public let dispositions: [String: Disposition]
    public let returnReasons: [String: Term]
    public let conclusionOutcomes: [String: Term]
    public let authorities: [String: Term]
    /// The rows that start clocks.
    let timedRows: [String: any TimedRow]
    /// The words by which the barrier recognises organs of the office's own kind.
    public let ownKind: OwnKind?
    /// Words that count as empty in a reporter's fields.
    public let placeholders: Placeholders

    /// The most proposals in one ruling on scope.
    static let proposalsMax = 5

    private let matcher: WordMatcher
    private let scopeRows: [(row: ScopeRow, words: CompiledWords)]
    /// The matcher's group for the words of the first proposal; the groups of the others follow.
    private let firstProposalGroup: Int

    /// Checks and compiles a policy.
    /// - Throws: `PolicyError` with all faults of the policy at once.
    public init(_ policy: Policy) throws(PolicyError) {
        let problems = policy.validate().filter { !$0.isWarning }
        guard problems.isEmpty else { throw PolicyError(.invalid, name: policy.name, problems: problems) }
        self.policy = policy
        let vocabulary = policy.vocabulary
        levels = Rulebook.index(vocabulary.levels)
        matterKinds = Rulebook.index(vocabulary.matterKinds)
        categories = Rulebook.index(vocabulary.categories)
        sourceKinds = Rulebook.index(vocabulary.sourceKinds)
        handoffKinds = Rulebook.index(vocabulary.handoffKinds)
        dispositions = Rulebook.index(vocabulary.dispositions)
        returnReasons = Rulebook.index(vocabulary.returnReasons)
        conclusionOutcomes = Rulebook.index(vocabulary.conclusionOutcomes)
        authorities = Rulebook.index(vocabulary.authorities)
        let timed: [any TimedRow] = policy.clocks + (policy.duties ?? []) + (policy.approvals ?? [])
        timedRows = Dictionary(timed.map { ($0.id, $0) }) { first, _ in first }
        ownKind = policy.ownKind

        placeholders = Placeholders(policy.placeholders ?? [])

        var groups = WordGroups(lists: policy.wordLists ?? [:])
        scopeRows = policy.scope.rows.map { ($0, CompiledWords($0, in: &groups)) }
        firstProposalGroup = groups.words.count
        // A refusal names the best proposal, so proposals have the near reach.
        matcher = WordMatcher(groups: groups.words + policy.scope.proposals.map { ($0.words, .near) })
    }

    /// The reference that every decision of the row has (invariant 9): policy, version and row.
    func reference(_ row: some PolicyRow) -> RuleReference {
        RuleReference(policy: policy.name, version: policy.version, row: row.id, citation: row.citation)
    }

    /// The words of a submission that are not in the policy's vocabulary: paths with "did you mean" and the known
    /// words.
    public func unknownVocabulary(in submission: Submission) -> [PolicyProblem] {
        var problems: [PolicyProblem] = []
        func check(
            _ id: String?, _ known: [String: some VocabularyEntry], _ entries: [some VocabularyEntry],
            _ path: @autoclosure () -> String
        ) {
            guard let id, known[id] == nil else { return }
            problems.append(
                PolicyProblem(
                    path: path(),
                    message: "the policy does not know this word"
                        + Suggestion.phrase(for: String(id.prefix(40)), among: known.keys)
                        + Suggestion.known(entries.map(\.id))))
        }
        let vocabulary = policy.vocabulary
        check(submission.matterKind, matterKinds, vocabulary.matterKinds, "matterKind")
        for (index, accused) in submission.accused.enumerated() {
            check(accused.level, levels, vocabulary.levels, "accused[\(index)].level")
        }
        for (index, allegation) in submission.allegations.enumerated() {
            check(allegation.category, categories, vocabulary.categories, "allegations[\(index)].category")
        }
        return problems
    }

    private static func index<Entry: VocabularyEntry>(_ entries: [Entry]) -> [String: Entry] {
        Dictionary(entries.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }
}

// MARK: - Sealing and scope

extension Rulebook {
    /// The ruling by which a report passes sealed, because only a superior may handle it; `nil`: it may be read.
    public func sealing(of facts: ReportFacts) -> SealingRuling? {
        policy.sealed.first { holds($0.when, facts) }.map {
            SealingRuling(rule: reference($0), unitKind: $0.unitKind, handoffKind: $0.handoffKind)
        }
    }

    /// Whether the report belongs to the office. There is always an answer, with the row that gave it.
    public func scope(of facts: ReportFacts) -> ScopeRuling {
        var scores = [Int32](repeating: 0, count: matcher.groupCount)
        matcher.scan(facts.title, weight: Int32(policy.scope.titleWeight), into: &scores)
        matcher.scan(facts.text, weight: 1, into: &scores)
        let proposals = proposals(scores)
        for (row, words) in scopeRows where holds(row.when, facts) && words.hold(scores) {
            if let proposal = row.when.proposal, proposal == proposals.isEmpty { continue }
            if let decision = decision(of: row, facts, proposals.first) {
                return ScopeRuling(rule: reference(row), decision: decision, proposals: proposals)
            }
        }
        let otherwise = policy.scope.otherwise
        return ScopeRuling(
            rule: reference(otherwise), decision: .needsReview(reason: otherwise.reason), proposals: proposals)
    }

    /// `nil` if the row's decision needs a value that the report does not give: then the next row is evaluated.
    private func decision(
        of row: ScopeRow, _ facts: ReportFacts, _ best: ScopeProposal?
    ) -> ScopeRuling.Decision? {
        switch row.decide {
        case .accept:
            guard let kind = row.matterKind ?? facts.matterKind, matterKinds[kind]?.accepted == true else { return nil }
            return .accept(matterKind: kind)
        case .notAccepted:
            let fitting = best.flatMap { row.authority == nil || row.authority == $0.authority ? $0 : nil }
            guard let authority = row.authority ?? best?.authority else { return nil }
            return .notAccepted(authority: authority, category: fitting?.category ?? authorities[authority]?.name ?? "")
        case .needsReview:
            return .needsReview(reason: row.reason ?? "")
        }
    }

    private func proposals(_ scores: [Int32]) -> [ScopeProposal] {
        var proposals: [ScopeProposal] = []
        for (order, row) in policy.scope.proposals.enumerated() {
            let score = Int(scores[firstProposalGroup + order])
            guard score > 0 else { continue }
            // Sorted by insertion: of equal scores the earlier row comes first.
            let place = proposals.firstIndex { $0.score < score } ?? proposals.count
            guard place < Rulebook.proposalsMax else { continue }
            proposals.insert(
                ScopeProposal(rule: reference(row), authority: row.authority, category: row.category, score: score),
                at: place)
            if proposals.count > Rulebook.proposalsMax { proposals.removeLast() }
        }
        return proposals
    }

    /// Whether the conditions that need no text hold.
    func holds(_ when: Condition, _ facts: ReportFacts) -> Bool {
        when.wishes.allSatisfy { wish in
            switch (wish.fact.answer, wish.wanted) {
            case (.words(_, let holds), .words(let words)), (.prefixes(let holds), .words(let words)):
                holds(words, facts)
            case (.flag(let isSo), .flag(let wanted)): isSo(facts, self) == wanted
            default: false
            }
        }
    }
}

// MARK: - Words

/// The groups of words that conditions use. A named list is one group per reach, however often it is used.
private struct WordGroups {
    private struct Name: Hashable {
        let list: String
        let reach: WordMatcher.Reach
    }

    let lists: [String: [String]]
    var words: [(words: [String], reach: WordMatcher.Reach)] = []
    private var groupOfList: [Name: Int] = [:]

    init(lists: [String: [String]]) { self.lists = lists }

    mutating func groups(for entries: [String], _ reach: WordMatcher.Reach) -> [Int] {
        var found: [Int] = []
        var loose: [String] = []
        for entry in entries {
            guard entry.hasPrefix("$") else {
                loose.append(entry)
                continue
            }
            let name = Name(list: String(entry.dropFirst()), reach: reach)
            let group = groupOfList[name] ?? words.count
            if group == words.count { words.append((lists[name.list] ?? [], reach)) }
            groupOfList[name] = group
            found.append(group)
        }
        if !loose.isEmpty {
            found.append(words.count)
            words.append((loose, reach))
        }
        return found
    }
}

private struct CompiledWords: Sendable {
    let anyOf: [Int]?
    let noneOf: [Int]

    /// Words that lead away from an automatic refusal have the wide reach: words that keep a row from refusing, and
    /// words that let a row accept or ask a person.
    init(_ row: ScopeRow, in groups: inout WordGroups) {
        let refuses = row.decide == .notAccepted
        anyOf = row.when.anyOf.map { groups.groups(for: $0, refuses ? .near : .wide) }
        noneOf = groups.groups(for: row.when.noneOf ?? [], refuses ? .wide : .near)
    }

    func hold(_ scores: [Int32]) -> Bool {
        (anyOf.map { $0.contains { scores[$0] > 0 } } ?? true) && !noneOf.contains { scores[$0] > 0 }
    }
}
