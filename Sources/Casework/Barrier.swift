/// The barrier (invariant 5): nothing reaches the accused, a unit the accused belongs to or leads, or a recused handler.
public enum Barrier {
    /// The units that a report may not reach: those the accused belong to, and all below them, because who leads a unit leads
    /// what stands under it.
    /// - Parameters:
    ///   - named: the unit of that name: sources know the organ a person works in by its name more often than by its id.
    ///   - below: a unit with all its descendants.
    public static func barredUnits(
        for accused: [Accused], named: (String) -> UnitID? = { _ in nil }, below: (UnitID) -> Set<UnitID>
    ) -> Set<UnitID> {
        accused.reduce(into: []) { barred, person in
            for unit in [person.unit, person.organ.flatMap(named)].compactMap(\.self) {
                barred.insert(unit)
                barred.formUnion(below(unit))
            }
        }
    }

    /// Whether a unit may get anything about these cases.
    public static func admits(_ unit: UnitID, to cases: [CaseFile]) -> Bool {
        cases.allSatisfy { !$0.barred.contains(unit) }
    }

    /// Whether a person of the staff may handle or see a case.
    /// - Parameters:
    ///   - unit: the unit the person works in.
    ///   - accusedNames: the names in the report.
    ///   - recusedFrom: the names in whose matters the person has a stake.
    public static func admits(
        personNamed name: String, unit: UnitID?, recusedFrom: Set<String>, accusedNames: Set<String>, to file: CaseFile
    ) -> Bool {
        if let unit, file.barred.contains(unit) { return false }
        return !accusedNames.contains(name) && recusedFrom.isDisjoint(with: accusedNames)
    }
}
