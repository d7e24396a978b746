public import Basics
public import CaseStore
public import Casework
import Contract
import PostgreSQL

/// Units, sources and persons as the workers know them, read from the database and kept in memory.
public struct OfficeDirectory: Sendable {
    public let units: [UnitID: UnitRow]
    public let sources: [SourceID: SourceRow]
    public let persons: [PersonID: PersonRow]
    /// The units as routing sees them, in the order of their ids.
    public let routingUnits: [RoutingUnit]
    private let below: [UnitID: Set<UnitID>]
    /// The units by name, as the barrier compares them.
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
    }

    static func read(_ database: Database) throws -> OfficeDirectory {
        let (units, closure, sources, persons) = try database.pipeline(
            ReadUnits(), ReadUnitClosure(), ReadSources(), ReadPersons())
        return OfficeDirectory(units: units.rows, closure: closure.rows, sources: sources.rows, persons: persons.rows)
    }

    /// These units with all that stand below them.
    public func subtrees(of roots: Set<UnitID>) -> Set<UnitID> {
        roots.reduce(into: roots) { $0.formUnion(below[$1] ?? []) }
    }

    /// Whether this party is one of the office's: itself, or a unit, a source or a person in its tables.
    func knows(_ party: Party) -> Bool {
        switch party {
        case .unit(let id): units[id] != nil
        case .source(let id): sources[id] != nil
        case .person(let id): persons[id] != nil
        case .office: true
        }
    }

    /// Who watches over what is passed up sealed (专人): one of the supervisors whom the barrier admits, asked while it
    /// is known who is accused. Not always the first: that another was chosen would tell who is accused.
    func custodian(of content: Submission, barred: Set<UnitID>) -> PersonID? {
        persons(with: .supervisor).filter { person in
            !(person.unit.map(barred.contains) ?? false)
                && Barrier.isFree(personNamed: person.name, recusedFrom: person.recusedFrom, of: content)
        }.randomElement()?.id
    }

    /// Those who look after what escalates: active persons with the role.
    func persons(with role: PersonRole) -> [PersonRow] {
        persons.values.filter { $0.active && $0.roles.contains(role.rawValue) }.sorted { $0.id < $1.id }
    }
}

/// What a person of the office may do. Roles are code, not policy: rights hang on them.
public enum PersonRole: String, CaseIterable, Sendable {
    /// Registers and looks after papers.
    case clerk
    /// Approves, recalls.
    case leader
    /// Gets what escalates, recalls.
    case supervisor
    /// Runs the machinery: decides about dead letters, sees no case.
    case `operator`

    /// Who may take a handoff back.
    static let mayRecall: Set<String> = [PersonRole.leader.rawValue, PersonRole.supervisor.rawValue]
    /// Who may replay and discard dead letters.
    static let maySettleDeadLetters: Set<String> = [PersonRole.operator.rawValue]
}
