public import Basics
public import Casework
public import PostgreSQL

/// Reports with a clock whose next step is due, longest due first. Read without a lock, to be checked again under it.
public struct ReadDueReports: Statement {
    public var at: Instant
    public var countMax: Int
    /// Reports to skip for now.
    public var except: [ReportID]
    public init(at: Instant, countMax: Int, except: [ReportID] = []) {
        self.at = at
        self.countMax = countMax
        self.except = except
    }

    public static let sql = """
        SELECT report_id FROM (
            SELECT report_id, next_at FROM clock WHERE next_at <= $1 AND report_id <> ALL ($3::uuid[]) ORDER BY next_at
                LIMIT $2
        ) AS due GROUP BY report_id ORDER BY min(next_at)
        """
    public var parameters: [Parameter] { [.instant(at), .int8(Int64(countMax)), .ids(except)] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> ReportID { try row.id() }
}

/// A step of a ladder that was taken; it cannot be taken a second time.
public struct ClockStepTaken: Sendable {
    public let key: Clock.Key
    public let step: Int
    public let action: String
    public let takenAt: Instant

    public init(key: Clock.Key, step: Int, action: String, takenAt: Instant) {
        self.key = key
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
        [
            .uuid("handoff_id", \.key.handoffID), .text("kind", \.key.kind), .int4("round", \.key.round),
            .int4("step", \.step), .text("action", \.action), .instant("taken_at", \.takenAt),
        ])
    public static let sql = columns.insert
    public var parameters: [Parameter] { Self.columns.inserting(steps) }
}
