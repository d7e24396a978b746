import AMQP
import CaseStore
import Casework
import Foundation
import PostgreSQL
import TestOffice
import Testing

@testable import Workers

@Suite(
    "What a failed transaction is evidence of",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct FaultTableTests {
    /// What PostgreSQL raises, and what it is taken for: at once, and after the statement's time.
    static let table: [(states: [String], fault: Fault)] = [
        (
            [
                "08006", "08P01", "40001", "40P01", "53100", "53200", "53300", "53400", "55000", "55006", "55P03",
                "57014", "58030", "58P01",
            ], .away
        ),
        (["25006"], .readOnly),
        (["0A000", "26000"], .stale),
        (
            [
                "42501", "42P01", "42703", "42883", "42601", "3D000", "3F000", "28000", "28P01", "F0000", "XX000",
                "0LP01", "25001",
            ], .installation
        ),
        (
            [
                "22001", "22021", "22023", "22P02", "23502", "23503", "23505", "23514", "21000", "54000", "P0001",
                "P0002", "38000", "44000", "BH001", "XX001", "XX002",
            ], .suspicion
        ),
    ]

    @Test("each SQLSTATE is what the table says")
    func classifiesEachSQLSTATE() throws {
        let connection = try Database(PostgreSQL.ConnectionSettings(url: #require(TestServers.announced).databaseURL))
        defer { connection.close() }
        for (states, fault) in Self.table {
            for state in states {
                let error = try raised(state, on: connection)
                #expect(Fault(error, after: 0.1, statementSeconds: 5) == fault, "\(state)")
                // The duration changes the class of a stopped statement only.
                let late = Fault(error, after: 5.1, statementSeconds: 5)
                #expect(late == (state == "57014" ? .costly : fault), "\(state) late")
            }
        }
    }

    @Test("an idle transaction counts against a message only if the worker was computing meanwhile")
    func blamesIdleTransactionOnlyAfterComputing() throws {
        let connection = try Database(PostgreSQL.ConnectionSettings(url: #require(TestServers.announced).databaseURL))
        defer { connection.close() }
        let error = try raised("25P03", on: connection)
        #expect(Fault(error, after: 3, busySeconds: 0.1, statementSeconds: 5) == .away)
        #expect(Fault(error, after: 3, busySeconds: 2, statementSeconds: 5) == .costly)
    }

    @Test("errors of our own: the broker's end the turn, a moved head is retried, all others are a suspicion")
    func classifiesOwnErrors() throws {
        #expect(Fault(LaneFault(reason: "x"), after: 0, statementSeconds: 5) == .lane)
        #expect(Fault(StaleCase(), after: 0, statementSeconds: 5) == .away)
        #expect(
            Fault(Oversize(type: "t", addressee: "unit.c01", bytes: 1), after: 0, statementSeconds: 5) == .suspicion)
        #expect(Fault(NothingCame(), after: 0, statementSeconds: 5) == .suspicion)
        let refused = #expect(throws: PostgreSQLError.self) {
            _ = try Database(PostgreSQL.ConnectionSettings(url: "postgresql://a@127.0.0.1:1/b"))
        }
        #expect(Fault(try #require(refused), after: 0, statementSeconds: 5) == .away)
    }

    @Test("an error's description has codes and our own words, and no input")
    func describesErrorsWithoutInput() throws {
        struct Quoting: Error { let secret = "张三" }
        #expect(Fault.words(Quoting()).hasSuffix("Quoting"))
        #expect(!Fault.words(Quoting()).contains("张三"))
        #expect(Fault.words(Oversize(type: "t", addressee: "unit.c01", bytes: 300_000)).contains("300000 bytes"))
        let connection = try Database(PostgreSQL.ConnectionSettings(url: #require(TestServers.announced).databaseURL))
        defer { connection.close() }
        try connection.execute("CREATE TEMP TABLE secret (name text CONSTRAINT not_so CHECK (name <> '张三'))")
        let error = try #require(
            #expect(throws: PostgreSQLError.self) { try connection.execute("INSERT INTO secret VALUES ('张三')") })
        #expect(Fault.words(error).contains("constraint not_so, table secret") && !Fault.words(error).contains("张三"))
    }

    private func raised(_ state: String, on connection: Database) throws -> PostgreSQLError {
        try #require(
            #expect(throws: PostgreSQLError.self) {
                try connection.execute("DO $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = '\(state)'; END $$")
            })
    }
}
