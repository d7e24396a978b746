import Foundation

/// One step of the schema's history. A migration that was applied anywhere must never change.
public struct Migration: Sendable {
    /// A name with a number, such as `m0001_foundation`: letters, the number, an underscore, words.
    public let name: String
    /// The SQL. It runs in a transaction, unless its first line is `-- no transaction`: then it must be one statement
    /// (such as `CREATE INDEX CONCURRENTLY IF NOT EXISTS`) that may run again after a crash.
    public let sql: String

    public init(name: String, sql: String) {
        self.name = name
        self.sql = sql
    }

    /// The number in the name; nil if there is none.
    var number: Int? { Self.number(of: name) }

    var runsInTransaction: Bool {
        let firstLine = sql.prefix { !$0.isNewline }
        return firstLine.trimmingCharacters(in: .whitespaces).lowercased() != "-- no transaction"
    }

    static func number(of name: String) -> Int? {
        let digits = name.drop { $0.isASCII && $0.isLetter }.prefix { $0.isASCII && $0.isNumber }
        return Int(digits)
    }
}
