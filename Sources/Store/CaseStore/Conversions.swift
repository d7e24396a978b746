package import Basics
import Casework
package import PostgreSQL

extension Timestamp {
    init(_ instant: Instant) { self.init(microsecondsSinceEpoch: instant.microsecondsSinceEpoch) }
}

extension Instant {
    package init(_ timestamp: Timestamp) { self.init(microsecondsSinceEpoch: timestamp.microsecondsSinceEpoch) }
}

extension Parameter {
    package static func instant(_ instant: Instant?) -> Parameter { .timestamptz(instant.map { Timestamp($0) }) }
    static func instants(_ instants: [Instant?]) -> Parameter {
        .timestamptzs(instants.map { $0.map { Timestamp($0) } })
    }
    package static func ids(_ ids: some Sequence<some UUIDIdentifier>) -> Parameter { .uuids(ids.map(\.uuid)) }
    static func ids<ID: UUIDIdentifier>(orNil ids: some Sequence<ID?>) -> Parameter { .uuids(ids.map { $0?.uuid }) }
    static func integers(_ numbers: some Sequence<Int>) -> Parameter { .int4s(numbers.map { Int32(clamping: $0) }) }
}

extension RowReader {
    package mutating func instant() throws(PostgreSQLError) -> Instant { Instant(try timestamptz()) }
    package mutating func instantOrNil() throws(PostgreSQLError) -> Instant? {
        try timestamptzOrNil().map { Instant($0) }
    }
    package mutating func id<ID: UUIDIdentifier>(_ type: ID.Type = ID.self) throws(PostgreSQLError) -> ID {
        ID(try uuid())
    }
    package mutating func idOrNil<ID: UUIDIdentifier>(_ type: ID.Type = ID.self) throws(PostgreSQLError) -> ID? {
        try uuidOrNil().map { ID($0) }
    }
    package mutating func name<ID: NameIdentifier>(_ type: ID.Type = ID.self) throws(PostgreSQLError) -> ID {
        ID(unchecked: try text())
    }
    package mutating func nameOrNil<ID: NameIdentifier>(_ type: ID.Type = ID.self) throws(PostgreSQLError) -> ID? {
        try textOrNil().map { ID(unchecked: $0) }
    }
}
