public import Basics
public import CaseStore
public import Casework
import Contract
import PostgreSQL

/// The units, sources and persons of the office, read from the database and kept in memory by a worker.
public struct OfficeDirectory: Sendable {
    public let units: [UnitID: UnitRow]
    public let sources: [SourceID: SourceRow]
    public let persons: [PersonID: PersonRow]
    /// The units as the routing rules use them, in the order of their ids.
    public let routingUnits: [RoutingUnit]
    private let below: [UnitID: Set<UnitID>]
    let edition: Edition
    /// The names of the units, in the form that the barrier compares.
    public let unitNames: UnitNames

    public init(
        units: [UnitRow], closure: [(ancestor: UnitID, descendant: UnitID)], sources: [SourceRow], persons: [PersonRow]
    ) {
        self.units = Dictionary(units.map { ($0.id, $0) }) { first, _ in first }
        self.sources = Dictionary(sources.map { ($0.id, $0) }) { first, _ in first }
        self.persons = Dictionary(persons.map { ($0.id, $0) }) { first, _ in first }
        routingUnits = units.map {
            RoutingUnit(id: $0.id, kind: $0.kind, region: $0.region, levels: $0.levels, active: $0.active)
        }
        unitNames = UnitNames(units.lazy.map { ($0.id, $0.name) })
        below = closure.reduce(into: [:]) { below, pair in below[pair.ancestor, default: []].insert(pair.descendant) }
        edition = Edition()
    }

    /// Reads the directory.
    /// - Parameter known: the directory that was read before. If nothing has changed, it is returned, with its edition.
    static func read(_ database: Database, unless known: OfficeDirectory? = nil) throws -> OfficeDirectory {
        let (units, closure, sources, persons) = try database.pipeline(
            ReadUnits(), ReadUnitClosure(), ReadSources(), ReadPersons())
        let directory = OfficeDirectory(
            units: units.rows, closure: closure.rows, sources: sources.rows, persons: persons.rows)
        return known.flatMap { $0.hasSameRows(as: directory) ? $0 : nil } ?? directory
    }

    private func hasSameRows(as other: OfficeDirectory) -> Bool {
        units == other.units && below == other.below && sources == other.sources && persons == other.persons
    }

    /// Stands for the rows of one directory: what was computed from it holds as long as the edition is the same.
    final class Edition: Sendable, Equatable {
        static func == (left: Edition, right: Edition) -> Bool { left === right }
    }

    /// These units and all units below them.
    public func subtrees(of roots: Set<UnitID>) -> Set<UnitID> {
        roots.reduce(into: roots) { $0.formUnion(below[$1] ?? []) }
    }

    /// Whether the office knows this party: the office itself, or a unit, a source or a person in its tables.
    func knows(_ party: Party) -> Bool {
        switch party {
        case .unit(let id): units[id] != nil
        case .source(let id): sources[id] != nil
        case .person(let id): persons[id] != nil
        case .office: true
        }
    }

    /// The custodian (专人) of a report that is passed up sealed: one of the supervisors whom the barrier admits.
    ///
    /// The custodian is chosen while the accused is still known. The choice is random: if the first were always
    /// chosen, the choice of another would show who is accused.
    func custodian(of content: Submission, barred: Set<UnitID>) -> PersonID? {
        persons(with: .supervisor).filter { person in
            !(person.unit.map(barred.contains) ?? false)
                && Barrier.isFree(personNamed: person.name, recusedFrom: person.recusedFrom, of: content)
        }.randomElement()?.id
    }

    /// The active persons with the role, in the order of their ids.
    func persons(with role: PersonRole) -> [PersonRow] {
        persons.values.filter { $0.active && $0.roles.contains(role.rawValue) }.sorted { $0.id < $1.id }
    }
}

extension PersonRole {
    /// The roles that may recall a handoff.
    static let mayRecall: Set<String> = [PersonRole.leader.rawValue, PersonRole.supervisor.rawValue]
    /// The roles that may decide about a report that needs review.
    static let mayReview: Set<String> = [PersonRole.clerk.rawValue, leader.rawValue, supervisor.rawValue]
    /// The roles that may activate a policy.
    static let mayActivatePolicies: Set<String> = [PersonRole.leader.rawValue]
    /// The roles that may report a duty as done.
    static let mayReportDuties: Set<String> = [PersonRole.clerk.rawValue, leader.rawValue, supervisor.rawValue]
    /// The roles that may replay and discard dead letters.
    static let maySettleDeadLetters: Set<String> = [PersonRole.operator.rawValue]
}
