import CPostgreSQL
import Foundation

/// What a session says of itself at its start, so that nothing that somebody set for the role, the database or the
/// server makes it slow, unsafe or strange.
enum SessionGuard {
    /// Given with the start of the session, before which a role's and a database's own settings count for nothing. All
    /// of them exist since PostgreSQL 14, and any user may set them.
    static let settings: [(name: String, value: String)] = [
        // Transactions: ours are written for this isolation, and do not wait for a snapshot.
        ("default_transaction_isolation", "read committed"), ("default_transaction_deferrable", "off"),
        // An idle session is kept; one that met an error too.
        ("idle_session_timeout", "0"), ("exit_on_error", "off"),
        // Names mean our tables, never somebody's of the same name.
        ("search_path", "public,pg_temp"),
        // What goes over the wire, and what text and numbers mean.
        ("DateStyle", "ISO,MDY"), ("IntervalStyle", "postgres"), ("TimeZone", "UTC"), ("bytea_output", "hex"),
        ("extra_float_digits", "1"), ("standard_conforming_strings", "on"), ("array_nulls", "on"),
        ("transform_null_equals", "off"),
        // A commit that was not replicated is told by a warning.
        ("client_min_messages", "notice"),
        // Values of rows in the server's log.
        ("log_parameter_max_length_on_error", "0"), ("debug_print_parse", "off"), ("debug_print_rewritten", "off"),
        ("debug_print_plan", "off"),
        // What new tables are, and where; rows that a policy hides.
        ("default_tablespace", ""), ("temp_tablespaces", ""), ("default_table_access_method", "heap"),
        ("check_function_bodies", "on"),
        ("row_security", "on"),
        // Plans: each of these, switched off, makes a question of one row read a table.
        ("enable_indexscan", "on"), ("enable_indexonlyscan", "on"), ("enable_bitmapscan", "on"),
        ("enable_nestloop", "on"),
        ("plan_cache_mode", "auto"),
    ]

    /// In the form of the `options` parameter, where a backslash keeps a space.
    static var options: [String] {
        settings.map { "-c \($0.name)=\($0.value.replacingOccurrences(of: " ", with: "\\ "))" }
    }

    /// What only a look into the session tells.
    struct Report: Sendable {
        let processID: Int32
        let synchronousCommit: String
        let replicationRole: String
        let zeroDamagedPages: String
        let ignoreChecksumFailure: String
        /// Since PostgreSQL 17.
        let transactionTimeout: String?
    }

    /// Settings that the session puts right itself.
    static func corrections(_ report: Report) -> [String] {
        var corrections: [String] = []
        // Below this, what was acknowledged may be lost.
        if report.synchronousCommit != "on", report.synchronousCommit != "remote_apply" {
            corrections.append("SET synchronous_commit = on")
        }
        if report.transactionTimeout.map({ $0 != "0" }) ?? false { corrections.append("SET transaction_timeout = 0") }
        return corrections
    }

    /// Why the session may not be used, in a sentence that says what to do; nil where it may.
    static func refusal(_ report: Report, processID: Int32, encoding: String?) -> String? {
        if report.processID != processID { return pooler }
        if encoding != "UTF8" {
            return "the database is encoded in \(encoding ?? "an unknown way") and must be in UTF8: make it anew with "
                + "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        }
        for (name, value, safe) in [
            ("session_replication_role", report.replicationRole, "origin"),
            ("zero_damaged_pages", report.zeroDamagedPages, "off"),
            ("ignore_checksum_failure", report.ignoreChecksumFailure, "off"),
        ] where value != safe {
            return
                """
                \(name) is \(value) for this user, who may not change it: as a superuser, ALTER ROLE … RESET \
                \(name), or ALTER DATABASE
                """
        }
        return nil
    }

    /// Prepared statements, settings, time-outs and locks belong to a session, which a pooler hands from one client to
    /// the next.
    static let pooler =
        "a connection pooler such as pgbouncer stands before the database: give the database's own address, since a "
        + "session's settings, prepared statements and locks do not survive one, whatever its mode"
}

extension Connection {
    /// Looks at the session that was just made, puts right what it may, and refuses it where it cannot.
    func guardSession() throws(PostgreSQLError) {
        guard let report = try run(ReadSession()).rows.first else {
            throw PostgreSQLError(.unexpectedResult, "the session says nothing")
        }
        let encoding = handle.flatMap { PQparameterStatus($0, "server_encoding") }.map { String(cString: $0) }
        if let reason = SessionGuard.refusal(report, processID: backendProcessID, encoding: encoding) {
            close()
            throw PostgreSQLError(.unsuitable, reason)
        }
        guard !settings.readOnly else { return }
        let corrections = SessionGuard.corrections(report)
        if !corrections.isEmpty { try execute(corrections.joined(separator: "; ")) }
    }

    /// A session that only reads because somebody set it so for the role or the database is made to write; one whose
    /// server was set so is not: its keeper means it.
    func overrideReadOnlyRole() throws(PostgreSQLError) -> Bool {
        let source = try run(ReadReadOnlySource()).rows.first
        guard let source, ["user", "database", "database user"].contains(source) else { return false }
        try execute("SET default_transaction_read_only = off")
        return true
    }
}

private struct ReadSession: Statement {
    static let sql = """
        SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_setting('synchronous_commit'),
            pg_catalog.current_setting('session_replication_role'), pg_catalog.current_setting('zero_damaged_pages'),
            pg_catalog.current_setting('ignore_checksum_failure'), pg_catalog.current_setting('transaction_timeout', \
            true)
        """
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> SessionGuard.Report {
        SessionGuard.Report(
            processID: Int32(clamping: try row.int()), synchronousCommit: try row.text(),
            replicationRole: try row.text(), zeroDamagedPages: try row.text(), ignoreChecksumFailure: try row.text(),
            transactionTimeout: try row.textOrNil())
    }
}

private struct ReadReadOnlySource: Statement {
    static let sql = "SELECT source FROM pg_catalog.pg_settings WHERE name = 'default_transaction_read_only'"
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}
