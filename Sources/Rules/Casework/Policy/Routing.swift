public import Basics

extension Rulebook {
    /// The question to ask before any unit is chosen: an accused works in an organ of the office's own kind that is
    /// no unit of the office, or is a unit under another name. `nil` if there is no doubt.
    public func ruling(on finding: Barrier.Finding) -> RouteRuling? {
        guard finding.isDoubtful, let row = policy.barrier else { return nil }
        return RouteRuling(rule: reference(row), decision: .needsReview(reason: row.reason))
    }

    /// The unit that gets an accepted report, by the first row whose conditions hold *and* which has a permitted unit.
    ///
    /// A unit is permitted if it is active, is not barred (the barrier, invariant 5), has not returned this report,
    /// and handles the accused's highest level. Of several units, the one whose place is nearest gets it, then the
    /// one with the lowest id, so that the same facts always give the same unit.
    /// - Parameters:
    ///   - facts: the stored facts of the report; title and text are not read.
    ///   - barred: the accused's own units and those of recused handlers.
    ///   - returnedBy: the units that returned this report.
    public func route(
        _ facts: ReportFacts, among units: [RoutingUnit], barred: Set<UnitID> = [], returnedBy: Set<UnitID> = []
    ) -> RouteRuling {
        let highest = highestLevel(of: facts.levels)
        let free = units.filter { unit in
            unit.active && !barred.contains(unit.id) && !returnedBy.contains(unit.id)
                && (unit.levels.isEmpty || highest.map(unit.levels.contains) ?? true)
        }
        for row in policy.routing.rows where holds(row.when, facts) {
            if let unit = choose(row.to, free, facts) {
                return RouteRuling(rule: reference(row), decision: .handoff(unit: unit, kind: row.handoffKind))
            }
        }
        let otherwise = policy.routing.otherwise
        return RouteRuling(rule: reference(otherwise), decision: .needsReview(reason: otherwise.reason))
    }

    /// The highest level decides, because a unit that may handle the highest may handle all.
    private func highestLevel(of levels: Set<String>) -> String? {
        policy.vocabulary.levels.last { levels.contains($0.id) }?.id
    }

    private func choose(_ target: RoutingRow.Target, _ units: [RoutingUnit], _ facts: ReportFacts) -> UnitID? {
        let places = facts.region.map { [$0] } ?? facts.accusedRegions.sorted()
        var best: (nearness: Int, id: UnitID)?
        for unit in units where target.unitKinds.contains(unit.kind) {
            let nearness = nearness(of: unit, to: places)
            switch target.place {
            case .covers: if nearness == 0 { continue }
            case .same: guard let region = unit.region, places.contains(region) else { continue }
            case nil: break
            }
            if let best, (-best.nearness, best.id) <= (-nearness, unit.id) { continue }
            best = (nearness, unit.id)
        }
        return best?.id
    }

    /// 0: the unit's place does not cover the report's; 1: the unit is competent for any place; more: the longer the
    /// shared code.
    private func nearness(of unit: RoutingUnit, to places: [String]) -> Int {
        guard let region = unit.region else { return 1 }
        return places.contains { $0.hasPrefix(region) } ? 1 + region.utf8.count : 0
    }
}
