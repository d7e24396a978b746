package import Basics
package import CaseStore
import Casework
package import Contract
package import PostgreSQL

/// The units, sources and persons of an office.
package struct OfficeParties: Sendable, Equatable {
    package var units: [UnitRow] = []
    package var sources: [SourceRow] = []
    package var persons: [PersonRow] = []

    package init() {}

    /// Those of an office's database.
    package init(in database: PostgreSQL.Connection) throws {
        let (units, sources, persons) = try database.pipeline(ReadUnits(), ReadSources(), ReadPersons())
        (self.units, self.sources, self.persons) = (units.rows, sources.rows, persons.rows)
    }

    /// The broker users of the active parties.
    package var users: [Party] {
        units.filter(\.active).map { .unit($0.id) } + sources.map { .source($0.id) }
            + persons.filter(\.active).map { .person($0.id) }
    }

    /// Those that are in another office too and differ there.
    func differing(from other: OfficeParties) -> [Party] {
        units.filter { unit in other.units.contains { $0.id == unit.id && $0 != unit } }.map { .unit($0.id) }
            + sources.filter { source in other.sources.contains { $0.id == source.id && $0 != source } }
            .map { .source($0.id) }
            + persons.filter { person in other.persons.contains { $0.id == person.id && $0 != person } }
            .map { .person($0.id) }
    }

    /// The commands of the owner role that enter them, those above in the tree first. They may be repeated.
    package func commands(at now: Instant) -> [any Command] {
        OfficeParties.fromTheTop(units).map { EnterUnit(unit: $0, at: now) } as [any Command]
            + sources.map { EnterSource(source: $0) } + persons.map { EnterPerson(person: $0) }
    }

    /// Each unit after its parent.
    private static func fromTheTop(_ units: [UnitRow]) -> [UnitRow] {
        var (left, sorted, entered) = (units, [UnitRow](), Set<UnitID>())
        let known = Set(units.map(\.id))
        while !left.isEmpty {
            let next = left.filter { unit in unit.parent.map { entered.contains($0) || !known.contains($0) } ?? true }
            // A circle was refused when they were read.
            if next.isEmpty { return sorted + left }
            sorted += next
            entered.formUnion(next.map(\.id))
            left.removeAll { entered.contains($0.id) }
        }
        return sorted
    }

    /// The units that are above themselves: `a ← b ← a`.
    static func circles(in units: [UnitRow]) -> [[UnitID]] {
        let parents = Dictionary(units.map { ($0.id, $0.parent) }) { first, _ in first }
        var (found, seen) = ([[UnitID]](), Set<UnitID>())
        for unit in units where !seen.contains(unit.id) {
            var path = [unit.id]
            while let parent = parents[path[path.count - 1]] ?? nil, !seen.contains(parent) {
                if let start = path.firstIndex(of: parent) {
                    found.append(Array(path[start...]))
                    break
                }
                path.append(parent)
            }
            seen.formUnion(path)
        }
        return found
    }
}
