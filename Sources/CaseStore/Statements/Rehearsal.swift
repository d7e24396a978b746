public import Casework
public import PostgreSQL

/// Handoffs that their units have and have not answered, oldest first: those a person might take back.
public struct ReadHandoffsInHand: Statement {
    public var countMax: Int
    public init(countMax: Int) { self.countMax = countMax }
    public static let sql = """
        SELECT h.id FROM handoff h JOIN report r ON r.id = h.report_id
        WHERE h.state IN ('dispatched', 'signed', 'in_hand') AND r.state IN ('routed', 'in_hand') ORDER BY h.id LIMIT $1
        """
    public var parameters: [Parameter] { [.int8(Int64(countMax))] }
    public func decode(_ row: inout RowReader) throws(PostgreSQLError) -> HandoffID { HandoffID(try row.uuid()) }
}
