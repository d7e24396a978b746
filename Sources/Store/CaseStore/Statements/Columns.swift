package import Basics
import Casework
package import Foundation
package import PostgreSQL

/// The columns of a table, in one list. INSERT, UPDATE and SELECT are derived from it, so that a column is defined in
/// one place. A row must be decoded in the order of the list.
package struct Columns<Row>: Sendable {
    package enum Role: Sendable {
        /// Identifies the row.
        case key
        /// Written once.
        case fixed
        /// Written with the row and with each change of it.
        case changing
        /// Empty until the row is changed.
        case later
    }

    package struct Column: Sendable {
        let name: String
        let type: String
        let role: Role
        /// The SQL expression for the stored value; `nil`: the sent value itself.
        var expression: String?
        let values: @Sendable ([Row]) -> Parameter
    }

    let table: String
    let columns: [Column]

    package init(of table: String, _ columns: [Column]) {
        self.table = table
        self.columns = columns
    }

    /// The column list of a SELECT.
    package var names: String { columns.map(\.name).joined(separator: ", ") }

    private var inserted: [Column] { columns.filter { $0.role != .later } }
    private var keys: [Column] { columns.filter { $0.role == .key } }
    private var changed: [Column] { columns.filter { $0.role == .changing || $0.role == .later } }

    /// The INSERT for all rows at once: `$1` to `$n` are the columns that are written with a row.
    package var insert: String { insert(inserted) }
    /// The same INSERT with the columns that are empty until the row is changed.
    var insertWhole: String { insert(columns) }

    private func insert(_ columns: [Column]) -> String {
        let names = columns.map(\.name).joined(separator: ", ")
        let values = columns.map { $0.expression ?? $0.name }.joined(separator: ", ")
        return """
            INSERT INTO \(table) (\(names)) SELECT \(values) FROM \(Self.unnest(columns.map(\.type))) AS row (\(names))
            """
    }

    /// The UPDATE for all rows at once: `$1` to `$n` are the keys and the changing columns.
    /// - Parameter guarded: a column that must still have the value given in one more parameter.
    func update(guardedBy guarded: (name: String, type: String)? = nil) -> String {
        let given = keys + changed
        let names = given.map(\.name) + (guarded.map { ["guard_\($0.name)"] } ?? [])
        let conditions =
            keys.map { "\(table).\($0.name) = new.\($0.name)" }
            + (guarded.map { ["\(table).\($0.name) = new.guard_\($0.name)"] } ?? [])
        return """
            UPDATE \(table) SET \(changed.map { "\($0.name) = new.\($0.name)" }.joined(separator: ", "))
            FROM \(Self.unnest(given.map(\.type) + (guarded.map { [$0.type] } ?? []))) AS new (\
            \(names.joined(separator: ", ")))
            WHERE \(conditions.joined(separator: " AND "))
            """
    }

    package func inserting(_ rows: [Row]) -> [Parameter] { inserted.map { $0.values(rows) } }
    func insertingWhole(_ rows: [Row]) -> [Parameter] { columns.map { $0.values(rows) } }
    func updating(_ rows: [Row]) -> [Parameter] { (keys + changed).map { $0.values(rows) } }

    private static func unnest(_ types: [String]) -> String {
        "unnest(\(types.enumerated().map { "$\($0.offset + 1)::\($0.element)[]" }.joined(separator: ", ")))"
    }
}

extension Columns.Column {
    package static func uuid<ID: UUIDIdentifier>(
        _ name: String, _ value: @escaping @Sendable (Row) -> ID?, _ role: Columns.Role = .fixed
    ) -> Self {
        uuid(name, { value($0)?.uuid }, role)
    }

    package static func uuid(
        _ name: String, _ value: @escaping @Sendable (Row) -> UUID?, _ role: Columns.Role = .fixed
    ) -> Self {
        Self(name: name, type: "uuid", role: role) { .uuids($0.map(value)) }
    }

    package static func text(
        _ name: String, _ value: @escaping @Sendable (Row) -> String?, _ role: Columns.Role = .fixed
    ) -> Self {
        Self(name: name, type: "text", role: role) { .texts($0.map(value)) }
    }

    /// The raw value of a word or a name.
    package static func word<Word: RawRepresentable<String> & Sendable>(
        _ name: String, _ value: @escaping @Sendable (Row) -> Word?, _ role: Columns.Role = .fixed
    ) -> Self {
        text(name, { value($0)?.rawValue }, role)
    }

    package static func name<Name: NameIdentifier>(
        _ name: String, _ value: @escaping @Sendable (Row) -> Name?, _ role: Columns.Role = .fixed
    ) -> Self {
        text(name, { value($0)?.rawValue }, role)
    }

    package static func bytea(
        _ name: String, _ value: @escaping @Sendable (Row) -> [UInt8]?, _ role: Columns.Role = .fixed
    ) -> Self {
        Self(name: name, type: "bytea", role: role) { .byteas($0.map(value)) }
    }

    package static func bool(
        _ name: String, _ value: @escaping @Sendable (Row) -> Bool?, _ role: Columns.Role = .fixed
    ) -> Self {
        Self(name: name, type: "bool", role: role) { .bools($0.map(value)) }
    }

    package static func int4(
        _ name: String, _ value: @escaping @Sendable (Row) -> Int?, _ role: Columns.Role = .fixed
    ) -> Self {
        Self(name: name, type: "int", role: role) { .int4s($0.map { value($0).map { Int32(clamping: $0) } }) }
    }

    package static func int8(
        _ name: String, _ value: @escaping @Sendable (Row) -> Int64?, _ role: Columns.Role = .fixed
    ) -> Self {
        Self(name: name, type: "bigint", role: role) { .int8s($0.map(value)) }
    }

    package static func instant(
        _ name: String, _ value: @escaping @Sendable (Row) -> Instant?, _ role: Columns.Role = .fixed
    ) -> Self {
        Self(name: name, type: "timestamptz", role: role) { .instants($0.map(value)) }
    }

    /// Several ids per row, sent as one text: `unnest` cannot split an array of arrays by row.
    package static func uuids<ID: UUIDIdentifier>(
        _ name: String, _ value: @escaping @Sendable (Row) -> [ID], _ role: Columns.Role = .fixed
    ) -> Self {
        Self(name: name, type: "text", role: role, expression: "string_to_array(\(name), ',')::uuid[]") {
            .texts($0.map { value($0).map(\.description).joined(separator: ",") })
        }
    }

    /// Several words per row, sent as one text, like `uuids`. They contain no commas.
    package static func texts(
        _ name: String, _ value: @escaping @Sendable (Row) -> [String], _ role: Columns.Role = .fixed
    ) -> Self {
        Self(name: name, type: "text", role: role, expression: "string_to_array(\(name), ',')") {
            .texts($0.map { value($0).joined(separator: ",") })
        }
    }

    package static func date(
        _ name: String, _ value: @escaping @Sendable (Row) -> CivilDate?, _ role: Columns.Role = .fixed
    ) -> Self {
        Self(name: name, type: "date", role: role) {
            .dates($0.map { value($0).map { CalendarDate(daysSinceEpoch: $0.daysSinceEpoch) } })
        }
    }
}
