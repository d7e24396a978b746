import Basics
import Text

extension Policy {
    /// Everything that is wrong or needs a review, part by part. A policy without faults may be used.
    /// - Parameters:
    ///   - found: the problems that the reader of the file found before.
    ///   - broken: paths at which the reader could read nothing and put a placeholder; no further problems are
    ///     reported for them.
    public func validate(found: [PolicyProblem] = [], broken: [String] = []) -> [PolicyProblem] {
        var check = PolicyCheck(self, found: found, broken: broken)
        check.heading()
        check.vocabularyEntries()
        check.wordLists()
        check.placeholders()
        check.barrierRow()
        check.sealedRows()
        check.scopeRows()
        check.repeatRows()
        check.routingRows()
        check.clockRows()
        check.clocksForEveryKind()
        check.dutyRows()
        check.approvalRows()
        check.returnRows()
        check.conclusionRows()
        check.sizes()
        check.rowsThatNeverFire()
        check.gaps()
        check.neverUsed()
        return check.problems
    }

    /// Limits, so that no policy can make a lane slow or large.
    public static let rowsMax = 2_000
    public static let wordsMax = 10_000
    public static let wordBytesMax = 200
    public static let placeholdersMax = 1_000
    public static let textCharactersMax = 500
}

/// Collects the problems of a policy, part by part.
struct PolicyCheck {
    let policy: Policy
    private(set) var problems: [PolicyProblem] = []
    /// The problems that the reader of the file found before.
    let found: [PolicyProblem]
    private let broken: [String]
    private var faultCount: Int
    private var pathOfRow: [String: String] = [:]

    init(_ policy: Policy, found: [PolicyProblem], broken: [String]) {
        self.policy = policy
        self.found = found
        self.broken = broken
        faultCount = found.count
    }

    var vocabulary: Vocabulary { policy.vocabulary }

    // MARK: The parts of the file

    mutating func heading() {
        if UnitID(policy.name) == nil { report("name", "a name matches [a-z0-9-]{1,40}") }
        if policy.version < 1 { report("version", "a version is a whole number from 1") }
        text(policy.title, "title")
    }

    mutating func vocabularyEntries() {
        entries(vocabulary.levels, "levels")
        entries(vocabulary.matterKinds, "matter_kinds")
        entries(vocabulary.categories, "categories")
        entries(vocabulary.sourceKinds, "source_kinds")
        entries(vocabulary.unitKinds, "unit_kinds")
        entries(vocabulary.handoffKinds, "handoff_kinds")
        entries(vocabulary.dispositions, "dispositions")
        entries(vocabulary.returnReasons, "return_reasons")
        entries(vocabulary.conclusionOutcomes, "conclusion_outcomes")
        entries(vocabulary.authorities, "authorities")
        for (index, disposition) in vocabulary.dispositions.enumerated() {
            let path = "vocabulary.dispositions[\(index)].look_again_after"
            guard let span = disposition.lookAgainAfter else { continue }
            self.span(span, path, from: 1)
            if disposition.terminal { report(path, "what is terminal is not looked at again: take it out") }
        }
    }

    mutating func wordLists() {
        for (name, list) in (policy.wordLists ?? [:]).sorted(by: { $0.key < $1.key }) {
            words(list, "word_lists.\(name)", lists: false)
        }
    }

    mutating func placeholders() {
        filled(policy.placeholders, "placeholders")
        once(policy.placeholders ?? [], "placeholders")
        for (index, word) in (policy.placeholders ?? []).enumerated() { text(word, "placeholders[\(index)]") }
        if (policy.placeholders ?? []).count > Policy.placeholdersMax {
            report("placeholders", "a policy has at most \(Policy.placeholdersMax) placeholders")
        }
    }

    mutating func barrierRow() {
        guard let row = policy.barrier else { return }
        self.row(row, "barrier")
        text(row.reason, "barrier.reason")
        words(row.organWords, "barrier.organ_words", lists: false)
        if let ordinary = row.ordinaryWords { words(ordinary, "barrier.ordinary_words", lists: false) }
        for (index, word) in row.organWords.enumerated() where row.ordinaryWords?.contains(word) == true {
            report(
                "barrier.organ_words[\(index)]",
                "\"\(word.prefix(40))\" stands in ordinary_words too, which take it back: take it out of one")
        }
    }

    mutating func sealedRows() {
        for (index, row) in policy.sealed.enumerated() {
            let path = "sealed[\(index)]"
            self.row(row, path)
            condition(row.when, path + ".when", text: false)
            known(row.unitKind, vocabulary.unitKinds, "unit kind", path + ".unit_kind")
            known(row.handoffKind, vocabulary.handoffKinds, "handoff kind", path + ".handoff_kind")
        }
    }

    mutating func scopeRows() {
        for (index, row) in policy.scope.rows.enumerated() {
            let path = "scope.rows[\(index)]"
            self.row(row, path)
            condition(row.when, path + ".when", text: true)
            scopeDecision(row, path)
        }
        for (index, row) in policy.scope.proposals.enumerated() {
            let path = "scope.proposals[\(index)]"
            self.row(row, path)
            known(row.authority, vocabulary.authorities, "authority", path + ".authority")
            text(row.category, path + ".category")
            words(row.words, path + ".words", lists: false)
        }
        if policy.scope.rows.isEmpty {
            report("scope.rows", "needs at least one row, or every report waits for a person")
        }
        if !(1...100).contains(policy.scope.titleWeight) {
            report("scope.title_weight", "a weight lies between 1 and 100")
        }
        otherwise(policy.scope.otherwise, "scope.otherwise")
    }

    private mutating func scopeDecision(_ row: ScopeRow, _ path: String) {
        if isBroken(path + ".decide") { return }
        func refuse(_ key: String, _ given: Bool, unless wanted: ScopeRow.Decision) {
            if given, row.decide != wanted {
                report("\(path).\(key)", "goes only with \"decide: \(wanted.rawValue)\": take it out")
            }
        }
        refuse("matter_kind", row.matterKind != nil, unless: .accept)
        refuse("authority", row.authority != nil, unless: .notAccepted)
        refuse("reason", row.reason != nil, unless: .needsReview)
        if let kind = row.matterKind {
            known(kind, vocabulary.matterKinds, "matter kind", path + ".matter_kind")
            if let entry = vocabulary.matterKinds.first(where: { $0.id == kind }), !entry.accepted {
                report(path + ".matter_kind", "\"\(kind)\" is not within the scope, so it cannot be accepted")
            }
        }
        if let authority = row.authority { known(authority, vocabulary.authorities, "authority", path + ".authority") }
        if row.decide == .needsReview { text(row.reason ?? "", path + ".reason") }
    }

    mutating func repeatRows() {
        for (index, row) in policy.repeats.enumerated() {
            self.row(row, "repeats[\(index)]")
            if let other = policy.repeats[..<index].first(where: { $0.same == row.same }) {
                report(
                    "repeats[\(index)]",
                    "can never fire: \"\(other.id)\" decides on the same \(row.same.rawValue) first; take one out")
            }
        }
        for basis in RepeatRow.Basis.allCases where !policy.repeats.contains(where: { $0.same == basis }) {
            report("repeats", "no row says when reports of the same \(basis.rawValue) are repeats: add one")
        }
    }

    mutating func routingRows() {
        for (index, row) in policy.routing.rows.enumerated() {
            let path = "routing.rows[\(index)]"
            self.row(row, path)
            condition(row.when, path + ".when", text: false)
            filled(row.to.unitKinds, path + ".to.unit_kinds")
            allKnown(row.to.unitKinds, vocabulary.unitKinds, "unit kind", path + ".to.unit_kinds")
            known(row.handoffKind, vocabulary.handoffKinds, "handoff kind", path + ".handoff_kind")
        }
        if policy.routing.rows.isEmpty {
            report("routing.rows", "needs at least one row, or every report waits for a person")
        }
        otherwise(policy.routing.otherwise, "routing.otherwise")
    }

    mutating func returnRows() {
        for (index, row) in policy.returns.enumerated() {
            let path = "returns[\(index)]"
            self.row(row, path)
            allKnown(row.reasons, vocabulary.returnReasons, "return reason", path + ".reasons")
            allKnown(row.handoffKinds, vocabulary.handoffKinds, "handoff kind", path + ".handoff_kinds")
            number(row.hopsMax, from: 0, path + ".hops_max")
            number(row.textCharactersMin, from: 1, path + ".text_characters_min")
            text(row.message, path + ".message")
        }
        let last = policy.returns.last
        let isOpen = last.map {
            $0.reasons == nil && $0.handoffKinds == nil && $0.hopsMax == nil && $0.textCharactersMin == nil
        }
        if isOpen != true {
            report(
                "returns",
                "the last row has no conditions, so that every return gets an answer: add such a row at the end")
        }
    }

    mutating func conclusionRows() {
        for (index, row) in policy.conclusions.enumerated() {
            let path = "conclusions[\(index)]"
            self.row(row, path)
            allKnown(row.outcomes, vocabulary.conclusionOutcomes, "conclusion outcome", path + ".outcomes")
            number(row.timesReturnedMin, from: 1, path + ".times_returned_min")
            text(row.message, path + ".message")
        }
        let last = policy.conclusions.last
        let isOpen = last.map {
            $0.outcomes == nil && $0.dispositionGiven == nil && $0.summaryGiven == nil && $0.realName == nil
                && $0.realNameAnswered == nil && $0.timesReturnedMin == nil
        }
        if isOpen != true {
            report(
                "conclusions",
                "the last row has no conditions, so that every conclusion gets an answer: add such a row at the end")
        }
    }

    mutating func sizes() {
        if pathOfRow.count > Policy.rowsMax { report("", "a policy has at most \(Policy.rowsMax) rows") }
        let lists = Array((policy.wordLists ?? [:]).values) + policy.scope.proposals.map(\.words)
        let loose = policy.scope.rows.flatMap { [$0.when.anyOf ?? [], $0.when.noneOf ?? []] }
        let all = Set((lists + loose).joined())
        if all.count > Policy.wordsMax { report("", "a policy has at most \(Policy.wordsMax) different words") }
        if all.reduce(0, { $0 + $1.utf8.count }) > WordMatcher.wordBytesMax {
            report("", "the words of a policy have together at most \(WordMatcher.wordBytesMax) bytes")
        }
    }

    // MARK: Shared

    /// The most faults to report: nobody corrects more at once.
    private static let problemsMax = 100
    /// Whether there are enough faults. Then no further one is searched for, since suggestions need expensive
    /// comparisons.
    var hasEnough: Bool { faultCount >= Self.problemsMax }

    mutating func report(_ path: String, _ message: String) {
        guard !hasEnough, !isBroken(path), !holdsBroken(path) else { return }
        faultCount += 1
        problems.append(PolicyProblem(path: path, message: message))
    }

    mutating func warn(_ path: String, _ message: String) {
        guard problems.count - (faultCount - found.count) < Self.problemsMax, !isBroken(path), !holdsBroken(path) else {
            return
        }
        problems.append(PolicyProblem(path: path, message: message, isWarning: true))
    }

    /// Whether there is a placeholder at the path or above it.
    func isBroken(_ path: String) -> Bool {
        broken.contains {
            path.hasPrefix($0)
                && (path.utf8.count == $0.utf8.count || [".", "["].contains(path.dropFirst($0.count).first))
        }
    }

    /// Whether there is a placeholder inside the row or entry at the path.
    private func holdsBroken(_ path: String) -> Bool {
        path.contains("[") && broken.contains { $0.hasPrefix(path + ".") }
    }

    /// Whether the row has no fault, so that it may be compared with others.
    func isSound(_ path: String) -> Bool {
        !(found + problems).contains { !$0.isWarning && ($0.path == path || $0.path.hasPrefix(path + ".")) }
    }

    mutating func row(_ row: some PolicyRow, _ path: String) {
        if UnitID(row.id) == nil { report(path + ".id", "an id matches [a-z0-9-]{1,40}") }
        if row.id == Rulebook.reviewRow { report(path + ".id", "this id stands for what persons decide: give another") }
        if let other = pathOfRow[row.id] {
            report(path + ".id", "\"\(row.id)\" is already the id of \(other): give it another")
        }
        pathOfRow[row.id] = pathOfRow[row.id] ?? path
        if let citation = row.citation {
            text(citation, path + ".citation")
        } else if !(row is ProposalRow) {
            // A proposal decides nothing.
            warn(path, "has no citation: say where the row comes from, or that it is your own")
        }
    }

    mutating func otherwise(_ row: OtherwiseRow, _ path: String) {
        self.row(row, path)
        text(row.reason, path + ".reason")
    }

    mutating func text(_ text: String, _ path: String) {
        if text.allSatisfy(\.isWhitespace) { report(path, "must not be empty") }
        if text.count > Policy.textCharactersMax { report(path, "has at most \(Policy.textCharactersMax) characters") }
    }

    /// A limit that always or never holds is a mistake.
    private mutating func number(_ number: Int?, from least: Int, _ path: String) {
        if let number, !(least...10_000).contains(number) {
            report(path, "lies between \(least) and 10000; to ask nothing, leave it out")
        }
    }

    mutating func span(_ span: Span, _ path: String, from least: Int) {
        switch span.unit {
        case "working_day", "working_days", "workday", "month", "months", "quarter", "quarters", "year", "years":
            report(path, "\"\(span.unit)\" needs a calendar, which this version does not have; write day or hour")
        default:
            if span.seconds == nil {
                let hint = Suggestion.phrase(for: span.unit, among: ["day", "hour"])
                report(path, "a unit of time is day or hour, not \"\(span.unit)\"" + hint)
            }
        }
        if !(least...100_000).contains(span.length) { report(path, "a length lies between \(least) and 100000") }
    }

    mutating func known(_ id: String, _ entries: [some VocabularyEntry], _ what: String, _ path: String) {
        known(id, Set(entries.map(\.id)), what, path)
    }

    private mutating func known(_ id: String, _ ids: Set<String>, _ what: String, _ path: String) {
        // An empty vocabulary is already reported.
        guard !hasEnough, !ids.isEmpty, !ids.contains(id) else { return }
        let shown = String(id.prefix(40))
        let near = Suggestion.phrase(for: shown, among: ids)
        report(
            path,
            "\"\(shown)\" is no \(what) of the vocabulary"
                + (near.isEmpty ? ": write one that is, or add it there" : near))
    }

    mutating func allKnown(_ ids: [String]?, _ entries: [some VocabularyEntry], _ what: String, _ path: String) {
        allKnown(ids, Set(entries.map(\.id)), what, path)
    }

    private mutating func allKnown(_ ids: [String]?, _ names: Set<String>, _ what: String, _ path: String) {
        filled(ids, path)
        for (index, id) in (ids ?? []).enumerated() { known(id, names, what, "\(path)[\(index)]") }
        once(ids ?? [], path)
    }

    private mutating func once(_ list: [String], _ path: String) {
        var seen: Set<String> = []
        for (index, word) in list.enumerated() where !seen.insert(word).inserted {
            warn("\(path)[\(index)]", "\"\(word.prefix(40))\" stands twice in this list: take one out")
        }
    }

    /// A condition that nothing can meet is a mistake.
    mutating func filled(_ list: [String]?, _ path: String) {
        if let list, list.isEmpty { report(path, "an empty list fits nothing: fill it, or leave it out") }
    }

    private mutating func entries(_ entries: [some VocabularyEntry], _ key: String) {
        var (seen, names) = (Set<String>(), Set<String>())
        if entries.isEmpty { report("vocabulary." + key, "needs at least one entry") }
        for (index, entry) in entries.enumerated() {
            let path = "vocabulary.\(key)[\(index)]"
            let isName =
                (1...40).contains(entry.id.utf8.count)
                && entry.id.utf8.allSatisfy {
                    (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F || $0 == 0x2D
                }
            if !isName { report(path + ".id", "an id matches [a-z0-9_-]{1,40}") }
            if !seen.insert(entry.id).inserted {
                report(path + ".id", "\"\(entry.id)\" stands twice: give one another id")
            }
            text(entry.name, path + ".name")
            if !names.insert(entry.name).inserted {
                warn(path + ".name", "\"\(entry.name.prefix(40))\" stands twice: nobody can tell the two apart")
            }
        }
    }

    private mutating func condition(_ when: Condition, _ path: String, text readsText: Bool) {
        for wish in when.wishes {
            guard case .words(let words) = wish.wanted else { continue }
            let path = "\(path).\(wish.fact.name)"
            switch wish.fact.answer {
            case .words(let known, _): allKnown(words, Set(known.ids(vocabulary)), known.noun, path)
            case .prefixes, .flag: filled(words, path)
            }
        }
        if when.readsText, !readsText {
            report(
                path,
                "these rows do not know the text, so any_of, none_of and proposal cannot be asked for: take them out")
        }
        if let list = when.anyOf { words(list, path + ".any_of", lists: true) }
        if let list = when.noneOf { words(list, path + ".none_of", lists: true) }
    }

    private mutating func words(_ words: [String], _ path: String, lists: Bool) {
        filled(words, path)
        once(words, path)
        let names = (policy.wordLists ?? [:]).keys
        for (index, word) in words.enumerated() {
            let path = "\(path)[\(index)]"
            let characters = WordMatcher.folded(word).count
            if word.hasPrefix("$") {
                let name = String(word.dropFirst())
                if !lists {
                    report(path, "a list holds words, not other lists")
                } else if !names.contains(name), !isBroken("word_lists") {
                    report(path, "there is no word list \"\(name)\"" + Suggestion.phrase(for: name, among: names))
                }
            } else if characters == 0 {
                report(path, "a word must not be empty")
            } else if characters < 2 {
                report(path, "\"\(word)\" is too short: a single character stands in too many other words")
            } else if word.utf8.count > Policy.wordBytesMax {
                report(path, "a word has at most \(Policy.wordBytesMax) bytes")
            }
        }
    }
}
