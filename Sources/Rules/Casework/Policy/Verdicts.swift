extension Rulebook {
    /// The row that decides which reports are repeats of each other.
    public func repeatRule(_ basis: RepeatRow.Basis) -> RuleReference {
        guard let row = policy.repeats.first(where: { $0.same == basis }) else {
            preconditionFailure("`validate()` requires a row for each basis")
        }
        return reference(row)
    }

    /// Whether a unit may return a handoff (退回).
    /// - Parameter hopsSoFar: how many units have returned the report before.
    public func judgeReturn(reason: String, text: String, handoffKind: String, hopsSoFar: Int) -> ReturnRuling {
        let characters = text.unicodeScalars.lazy.filter { !$0.properties.isWhitespace }.count
        for row in policy.returns {
            if let reasons = row.reasons, !reasons.contains(reason) { continue }
            if let kinds = row.handoffKinds, !kinds.contains(handoffKind) { continue }
            if let most = row.hopsMax, hopsSoFar > most { continue }
            if let least = row.textCharactersMin, characters < least { continue }
            return ReturnRuling(rule: reference(row), approved: row.approve, message: row.message)
        }
        preconditionFailure("`validate()` requires a last row that fits everything")
    }

    /// Whether a unit's conclusion is accepted (办结).
    /// - Parameter realNameAnswered: the unit's statement whether it answered the reporter; `nil`: no statement.
    public func judgeConclusion(
        outcome: String, hasDisposition: Bool, hasSummary: Bool, realNameAnswered: Bool?, isRealName: Bool,
        timesReturned: Int
    ) -> ConclusionRuling {
        for row in policy.conclusions {
            if let outcomes = row.outcomes, !outcomes.contains(outcome) { continue }
            if let given = row.dispositionGiven, given != hasDisposition { continue }
            if let given = row.summaryGiven, given != hasSummary { continue }
            if let realName = row.realName, realName != isRealName { continue }
            if let answered = row.realNameAnswered, answered != (realNameAnswered ?? false) { continue }
            if let least = row.timesReturnedMin, timesReturned < least { continue }
            return ConclusionRuling(rule: reference(row), accepted: row.accept, message: row.message)
        }
        preconditionFailure("`validate()` requires a last row that fits everything")
    }
}
