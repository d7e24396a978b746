public import Basics
public import Casework
public import PostgreSQL

/// Clocks that must be looked at, longest due first. Read without a lock, to be checked again under the lock of their
/// subjects.
public struct ReadDueClocks: Statement {
    public var at: Instant
    public var countMax: Int
    /// Clocks to skip for now.
    public var except: [ClockID]
    public init(at: Instant, countMax: Int, except: [ClockID] = []) {
        self.at = at
        self.countMax = countMax
        self.except = except
    }

    public static let sql = """
        SELECT id, report_id, unit, duty FROM clock WHERE next_at <= $1 AND id <> ALL ($3::uuid[])
        ORDER BY next_at LIMIT $2
        """
    public var parameters: [Parameter] { [.instant(at), .int8(Int64(countMax)), .ids(except)] }
    public func decode(
        _ row: inout RowReader
    ) throws(PostgreSQLError) -> (id: ClockID, subject: LedgerSubject, duty: String) {
        let (id, report, unit): (ClockID, ReportID?, UnitID?) = (try row.id(), try row.idOrNil(), try row.nameOrNil())
        let duty = try row.text()
        return (id, Clock.Key(report, nil, unit, duty: duty, period: "").subject, duty)
    }
}

/// Clocks by their ids: those of units and the office, under the locks of their rows.
public struct ReadClocksByID: Statement {
    public var ids: [ClockID]
    public init(ids: [ClockID]) { self.ids = ids }
    public static let sql = """
        SELECT found.* FROM unnest($1::uuid[]) AS wanted (id)
        CROSS JOIN LATERAL (SELECT \(Clock.columns.names) FROM clock WHERE clock.id = wanted.id OFFSET 0) AS found
        """
    public var parameters: [Parameter] { [.ids(ids)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Clock { try Clock(&row) }
}

/// The clocks of duties: of a unit, or of the office.
public struct ReadDuties: Statement {
    public var keys: [Clock.Key]
    public init(keys: [Clock.Key]) { self.keys = keys }
    public static let sql = """
        SELECT found.* FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (duty, period, unit)
        CROSS JOIN LATERAL (
            SELECT \(Clock.columns.names) FROM clock
            WHERE clock.duty = wanted.duty AND clock.period = wanted.period AND handoff_id IS NULL
                AND clock.unit IS NOT DISTINCT FROM wanted.unit OFFSET 0
        ) AS found
        """
    public var parameters: [Parameter] {
        [.texts(keys.map(\.duty)), .texts(keys.map(\.period)), .texts(keys.map(\.unit?.rawValue))]
    }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Clock { try Clock(&row) }
}

/// A step of a ladder that was taken; it cannot be taken a second time.
public struct ClockStepTaken: Sendable {
    public let clock: ClockID
    public let step: Int
    public let action: String
    public let takenAt: Instant

    public init(clock: ClockID, step: Int, action: String, takenAt: Instant) {
        self.clock = clock
        self.step = step
        self.action = action
        self.takenAt = takenAt
    }
}

public struct InsertClockSteps: Command {
    public var steps: [ClockStepTaken]
    public init(steps: [ClockStepTaken]) { self.steps = steps }
    static let columns = Columns<ClockStepTaken>(
        of: "clock_step",
        [.uuid("clock_id", \.clock), .int4("step", \.step), .text("action", \.action), .instant("taken_at", \.takenAt)])
    public static let sql = columns.insert
    public var parameters: [Parameter] { Self.columns.inserting(steps) }
}

// MARK: Opening

/// Up to which period the clocks of a duty are open.
public struct DutyOpening: Hashable, Sendable {
    public let duty: String
    public let period: DutyPeriod

    public init(duty: String, period: DutyPeriod) { (self.duty, self.period) = (duty, period) }
}

/// Up to which periods the clocks of all duties are open. A period that cannot be read is left out.
public struct ReadDutyOpenings: Statement {
    public init() {}
    public static let sql = "SELECT duty, period FROM duty_opening"
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> DutyOpening? {
        let (duty, period) = (try row.text(), DutyPeriod(try row.text()))
        return period.map { DutyOpening(duty: duty, period: $0) }
    }
}

/// Written under the lock of the office. An opening never goes back.
public struct WriteDutyOpenings: Command {
    public var openings: [DutyOpening]
    public var at: Instant
    public init(openings: [DutyOpening], at: Instant) {
        self.openings = openings
        self.at = at
    }
    public static let sql = """
        INSERT INTO duty_opening (duty, each, period, opened_at)
        SELECT duty, each, period, $4 FROM unnest($1::text[], $2::text[], $3::text[]) AS opened (duty, each, period)
        ON CONFLICT (duty, each) DO UPDATE SET period = excluded.period, opened_at = excluded.opened_at
            WHERE duty_opening.period < excluded.period
        """
    public var parameters: [Parameter] {
        [
            .texts(openings.map(\.duty)), .texts(openings.map(\.period.length.rawValue)),
            .texts(openings.map(\.period.description)), .instant(at),
        ]
    }
}

/// Units of these kinds (of all kinds, if none is given) that are active and have no clock yet of a duty and period.
public struct ReadUnitsWithoutDuty: Statement {
    public var duty: String
    public var period: String
    public var kinds: [String]
    /// Units to skip for now.
    public var except: [String]
    public var countMax: Int
    public init(duty: String, period: String, kinds: [String], except: [String], countMax: Int) {
        self.duty = duty
        self.period = period
        self.kinds = kinds
        self.except = except
        self.countMax = countMax
    }
    public static let sql = """
        SELECT id FROM unit
        WHERE active AND (cardinality($3::text[]) = 0 OR kind = ANY ($3)) AND id <> ALL ($4::text[]) AND NOT EXISTS (
            SELECT FROM clock WHERE duty = $1 AND period = $2 AND clock.unit = unit.id AND handoff_id IS NULL)
        ORDER BY id LIMIT $5
        """
    public var parameters: [Parameter] {
        [.text(duty), .text(period), .texts(kinds), .texts(except), .int8(Int64(countMax))]
    }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> UnitID { try row.name() }
}
