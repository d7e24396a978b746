public import Basics
import Casework
public import PostgreSQL

/// A unit as stored.
public struct UnitRow: Hashable, Sendable {
    public let id: UnitID
    public let name: String
    public let kind: String
    public let region: String?
    public let levels: Set<String>
    public let parent: UnitID?
    public let active: Bool
    public let sealingKey: [UInt8]?

    public init(
        id: UnitID, name: String, kind: String, region: String?, levels: Set<String>, parent: UnitID?, active: Bool,
        sealingKey: [UInt8]?
    ) {
        self.id = id
        self.name = name
        self.kind = kind
        self.region = region
        self.levels = levels
        self.parent = parent
        self.active = active
        self.sealingKey = sealingKey
    }
}

public struct ReadUnits: Statement {
    public init() {}
    public static let sql = "SELECT id, name, kind, region, levels, parent, active, sealing_key FROM unit ORDER BY id"
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> UnitRow {
        UnitRow(
            id: try row.name(), name: try row.text(), kind: try row.text(), region: try row.textOrNil(),
            levels: Set(try row.texts()), parent: try row.nameOrNil(), active: try row.bool(),
            sealingKey: try row.byteaOrNil())
    }
}

public struct ReadUnitClosure: Statement {
    public init() {}
    public static let sql = "SELECT ancestor, descendant FROM unit_closure"
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> (ancestor: UnitID, descendant: UnitID) {
        (try row.name(), try row.name())
    }
}

public struct SourceRow: Hashable, Sendable {
    public let id: SourceID
    public let name: String
    public let kind: String
    public let unit: UnitID?

    public init(id: SourceID, name: String, kind: String, unit: UnitID?) {
        self.id = id
        self.name = name
        self.kind = kind
        self.unit = unit
    }
}

public struct ReadSources: Statement {
    public init() {}
    public static let sql = "SELECT id, name, kind, unit FROM source ORDER BY id"
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> SourceRow {
        SourceRow(id: try row.name(), name: try row.text(), kind: try row.text(), unit: try row.nameOrNil())
    }
}

public struct PersonRow: Hashable, Sendable {
    public let id: PersonID
    public let name: String
    public let unit: UnitID?
    public let roles: Set<String>
    public let active: Bool
    /// The names of people in whose matters the person has a stake.
    public let recusedFrom: Set<String>

    public init(id: PersonID, name: String, unit: UnitID?, roles: Set<String>, active: Bool, recusedFrom: Set<String>) {
        self.id = id
        self.name = name
        self.unit = unit
        self.roles = roles
        self.active = active
        self.recusedFrom = recusedFrom
    }
}

public struct ReadPersons: Statement {
    public init() {}
    public static let sql = """
        SELECT id, name, unit, roles, active, ARRAY(SELECT accused_name FROM recusal r WHERE r.person = p.id)
        FROM person p ORDER BY id
        """
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> PersonRow {
        PersonRow(
            id: try row.name(), name: try row.text(), unit: try row.nameOrNil(), roles: Set(try row.texts()),
            active: try row.bool(), recusedFrom: Set(try row.texts()))
    }
}

// The owner's writes when an office is set up.

/// A new chain of the ledger. Its first entry names its owner, so that the owner is part of the hashed content.
private struct NewChain {
    let id: ReportID
    let at: Instant
    let entry: LedgerEntry

    init(of subject: LedgerSubject, at instant: Instant) {
        self.id = .make(at: instant)
        at = instant
        var head = LedgerHead.genesis
        entry = head.append(LedgerRecord(.entered(subject), at: instant, by: "owner"))
    }

    var parameters: [Parameter] { [.uuid(id.uuid), .bytea(entry.hash), .instant(at), .bytea(entry.bytes)] }
}

public struct EnterOffice: Command {
    public var name: String
    private let chain: NewChain
    public init(name: String, at: Instant) {
        self.name = name
        chain = NewChain(of: LedgerSubject(kind: .office, id: LedgerSubject.officeID), at: at)
    }
    public static let sql = """
        WITH entered AS (
            INSERT INTO office (chain, head, entry_count, head_at, name) VALUES ($1, $2, 1, $3, $5) ON CONFLICT DO
                NOTHING RETURNING chain
        )
        INSERT INTO ledger_entry (chain, sequence, bytes, hash) SELECT chain, 1, $4, $2 FROM entered
        """
    public var parameters: [Parameter] { chain.parameters + [.text(name)] }
}

public struct EnterUnit: Command {
    public var unit: UnitRow
    private let chain: NewChain
    public init(unit: UnitRow, at: Instant) {
        self.unit = unit
        chain = NewChain(of: LedgerSubject(kind: .unit, id: unit.id.rawValue), at: at)
    }
    public static let sql = """
        WITH entered AS (
            INSERT INTO unit (chain, head, entry_count, head_at, id, name, kind, region, levels, parent, active,
                sealing_key)
            VALUES ($1, $2, 1, $3, $5, $6, $7, $8, $9, $10, $11, $12)
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, kind = excluded.kind, region = excluded.region,
                levels = excluded.levels, parent = excluded.parent, active = excluded.active, sealing_key =
                    excluded.sealing_key
            RETURNING chain
        )
        -- For a unit that already exists, its old chain is returned.
        INSERT INTO ledger_entry (chain, sequence, bytes, hash) SELECT chain, 1, $4, $2 FROM entered WHERE chain = $1
        """
    public var parameters: [Parameter] {
        chain.parameters + [
            .text(unit.id.rawValue), .text(unit.name), .text(unit.kind), .text(unit.region),
            .texts(unit.levels.sorted()), .text(unit.parent?.rawValue), .bool(unit.active), .bytea(unit.sealingKey),
        ]
    }
}

public struct EnterSource: Command {
    public var source: SourceRow
    public init(source: SourceRow) { self.source = source }
    public static let sql = """
        INSERT INTO source (id, name, kind, unit) VALUES ($1, $2, $3, $4)
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, kind = excluded.kind, unit = excluded.unit
        """
    public var parameters: [Parameter] {
        [.text(source.id.rawValue), .text(source.name), .text(source.kind), .text(source.unit?.rawValue)]
    }
}

public struct EnterPerson: Command {
    public var person: PersonRow
    public init(person: PersonRow) { self.person = person }
    public static let sql = """
        WITH entered AS (
            INSERT INTO person (id, name, unit, roles, active) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, unit = excluded.unit, roles = excluded.roles, active =
                excluded.active
            RETURNING id
        )
        INSERT INTO recusal (person, accused_name, reason) SELECT entered.id, name, 'declared' FROM entered,
            unnest($6::text[]) AS name
        ON CONFLICT DO NOTHING
        """
    public var parameters: [Parameter] {
        [
            .text(person.id.rawValue), .text(person.name), .text(person.unit?.rawValue), .texts(person.roles.sorted()),
            .bool(person.active), .texts(person.recusedFrom.sorted()),
        ]
    }
}
