/// Problems that appear only when rows are compared with each other and with the vocabulary.
extension PolicyCheck {
    // MARK: Rows that never fire

    mutating func rowsThatNeverFire() {
        // A policy beyond the limits is not compared.
        guard !problems.contains(where: { !$0.isWarning && $0.path.isEmpty }) else { return }
        let sealed = policy.sealed.enumerated().map { index, row in
            var asked = RowConditions(row, "sealed[\(index)]")
            asked.ask(row.when)
            return asked
        }
        compare(sealed)
        // A report that passes sealed reaches no other row. A report that is routed has its own matter kind, not the
        // source's.
        let passed = sealed.filter { isSound($0.path) && $0.contradiction == nil }
        compare(scopeConditions(), after: passed)
        compare(routingConditions(), after: passed.filter { $0["matter_kind"] == nil })
        compare(returnConditions())
        compare(conclusionConditions())
    }

    private mutating func compare(_ rows: [RowConditions], after earlier: [RowConditions] = []) {
        var above = earlier
        for row in rows where isSound(row.path) {
            if let reason = row.contradiction {
                report(row.path, "can never fire: \(reason); change it or take it out")
            } else if let takers = row.takers(among: above) {
                let names = takers.map { "\"\($0)\"" }.joined(separator: " and ")
                report(
                    row.path,
                    """
                    can never fire: \(names) above \(takers.count == 1 ? "takes" : "take") all that it asks for; \
                    move it up, change it or take it out
                    """
                )
            } else {
                above.append(row)
            }
        }
    }

    private mutating func scopeConditions() -> [RowConditions] {
        var numbers = WordNumbers(lists: policy.wordLists ?? [:])
        let accepted = vocabulary.matterKinds.filter(\.accepted).map(\.id)
        return policy.scope.rows.enumerated().map { index, row in
            var asked = RowConditions(row, "scope.rows[\(index)]")
            asked.ask(row.when)
            let refuses = row.decide == .notAccepted
            let any = row.when.anyOf.map { numbers.set(of: $0) }
            let none = row.when.noneOf.map { numbers.set(of: $0) }
            if let any { asked["any_of"] = .anyWord(any, wide: !refuses) }
            if let none { asked["none_of"] = .noWord(none, wide: refuses) }
            if let any, let none, let number = any.first(in: none), asked.contradiction == nil {
                warn(
                    asked.path + ".when",
                    """
                    \"\(numbers.words[number].prefix(40))\" stands in any_of and in none_of, so it never counts: \
                    take it out of one
                    """
                )
            }
            // A row that needs a value the report does not give leaves the report to the next row.
            if row.decide == .accept, row.matterKind == nil {
                asked.ask(
                    "matter_kind", oneOf: accepted.filter { row.when.words(of: "matter_kind")?.contains($0) ?? true })
            }
            if refuses, row.authority == nil {
                asked.ask("proposal", oneOf: row.when.proposal == false ? [] : ["true"])
            }
            return asked
        }
    }

    private func routingConditions() -> [RowConditions] {
        policy.routing.rows.enumerated().map { index, row in
            var asked = RowConditions(row, "routing.rows[\(index)]")
            asked.ask(row.when)
            if let kinds = row.when.words(of: "matter_kind") {
                asked.ask(
                    "matter_kind",
                    oneOf: kinds.filter { id in vocabulary.matterKinds.contains { $0.id == id && $0.accepted } })
            }
            // A row without a permitted unit leaves the report to the next row.
            asked.ask("unit_kinds", oneOf: row.to.unitKinds)
            asked.ask("place", oneOf: row.to.place.map { $0 == .same ? ["same"] : ["same", "covers"] })
            return asked
        }
    }

    private func returnConditions() -> [RowConditions] {
        policy.returns.enumerated().map { index, row in
            var asked = RowConditions(row, "returns[\(index)]")
            asked.ask("reasons", oneOf: row.reasons)
            asked.ask("handoff_kinds", oneOf: row.handoffKinds)
            if let most = row.hopsMax { asked["hops_max"] = .atMost(most) }
            if let least = row.textCharactersMin { asked["text_characters_min"] = .atLeast(least) }
            return asked
        }
    }

    private func conclusionConditions() -> [RowConditions] {
        policy.conclusions.enumerated().map { index, row in
            var asked = RowConditions(row, "conclusions[\(index)]")
            asked.ask("outcomes", oneOf: row.outcomes)
            asked.ask("disposition_given", row.dispositionGiven)
            asked.ask("summary_given", row.summaryGiven)
            asked.ask("real_name", row.realName)
            asked.ask("real_name_answered", row.realNameAnswered)
            if let least = row.timesReturnedMin { asked["times_returned_min"] = .atLeast(least) }
            return asked
        }
    }

    // MARK: Gaps

    /// Warns of reports that no routing row takes: each of them waits for a person.
    mutating func gaps() {
        let rows = policy.routing.rows.enumerated().map { ($0.element.when, isSound("routing.rows[\($0.offset)]")) }
        guard !rows.isEmpty else { return }
        let passed = policy.sealed.filter { $0.when.asksOnly("level") }.flatMap { $0.when.words(of: "level") ?? [] }
        func isGap(_ id: String, _ fact: String) -> Bool {
            // A row with a fault may have been meant for it.
            guard let place = Fact.place(of: fact) else { return false }
            return rows.allSatisfy { when, isSound in isSound && when.words(at: place).map { !$0.contains(id) } ?? false
            }
        }
        for (index, kind) in vocabulary.sourceKinds.enumerated() where isGap(kind.id, "source_kind") {
            gap("source_kinds[\(index)]", "source kind", kind.id)
        }
        for (index, kind) in vocabulary.matterKinds.enumerated() where kind.accepted && isGap(kind.id, "matter_kind") {
            gap("matter_kinds[\(index)]", "matter kind", kind.id)
        }
        for (index, level) in vocabulary.levels.enumerated()
        where !passed.contains(level.id) && isGap(level.id, "level") {
            gap("levels[\(index)]", "level", level.id)
        }
    }

    private mutating func gap(_ entry: String, _ what: String, _ id: String) {
        let otherwise = policy.routing.otherwise.id
        warn(
            "vocabulary.\(entry)",
            """
            no row of routing takes the \(what) \"\(id)\": each such report waits for a person \
            (\"\(otherwise)\"); add a row, or leave it so
            """
        )
    }

    // MARK: Words never used

    mutating func neverUsed() {
        // A part that could not be read may use them.
        func isRead(_ part: String) -> Bool { !found.contains { $0.path.isEmpty || $0.path.hasPrefix(part) } }
        if isRead("routing"), isRead("sealed") {
            let sent = Set(policy.routing.rows.map(\.handoffKind) + policy.sealed.map(\.handoffKind))
            for (index, kind) in vocabulary.handoffKinds.enumerated() where !sent.contains(kind.id) {
                warn(
                    "vocabulary.handoff_kinds[\(index)]",
                    "no row of routing or sealed sends \"\(kind.id)\": add one, or take it out")
            }
        }
        guard isRead("scope") else { return }
        let named = Set(policy.scope.rows.compactMap(\.authority) + policy.scope.proposals.map(\.authority))
        for (index, authority) in vocabulary.authorities.enumerated() where !named.contains(authority.id) {
            warn(
                "vocabulary.authorities[\(index)]", "no row of scope names \"\(authority.id)\": add one, or take it out"
            )
        }
        let asked = Set(policy.scope.rows.flatMap { ($0.when.anyOf ?? []) + ($0.when.noneOf ?? []) })
        for name in (policy.wordLists ?? [:]).keys.sorted() where !asked.contains("$" + name) {
            warn("word_lists.\(name)", "no row asks for $\(name): use it, or take it out")
        }
    }
}
