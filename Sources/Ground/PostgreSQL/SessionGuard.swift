import CPostgreSQL
import Foundation

/// The settings and checks of a new session, so that no setting of the role, the database or the server makes it
/// slow, unsafe or different.
enum SessionGuard {
    /// Sent at the start of the session; they override the settings of the role and the database. All exist since
    /// PostgreSQL 14, and any user may set them.
    static let settings: [(name: String, value: String)] = [
        // Transactions: our SQL is written for this isolation level, and does not wait for a snapshot.
        ("default_transaction_isolation", "read committed"), ("default_transaction_deferrable", "off"),
        // An idle session is kept, also after an error.
        ("idle_session_timeout", "0"), ("exit_on_error", "off"),
        // Names refer to our tables, never to others of the same name.
        ("search_path", "public,pg_temp"),
        // The wire formats, and the meaning of text and numbers.
        ("DateStyle", "ISO,MDY"), ("IntervalStyle", "postgres"), ("TimeZone", "UTC"), ("bytea_output", "hex"),
        ("extra_float_digits", "1"), ("standard_conforming_strings", "on"), ("array_nulls", "on"),
        ("transform_null_equals", "off"),
        // A commit that was not replicated causes a warning.
        ("client_min_messages", "notice"),
        // Keeps row values out of the server's log.
        ("log_parameter_max_length_on_error", "0"), ("debug_print_parse", "off"), ("debug_print_rewritten", "off"),
        ("debug_print_plan", "off"),
        // The kind and the place of new tables; rows hidden by a policy.
        ("default_tablespace", ""), ("temp_tablespaces", ""), ("default_table_access_method", "heap"),
        ("check_function_bodies", "on"),
        ("row_security", "on"),
        // Plans: without any one of these, a query for one row scans a table.
        ("enable_indexscan", "on"), ("enable_indexonlyscan", "on"), ("enable_bitmapscan", "on"),
        ("enable_nestloop", "on"),
        ("plan_cache_mode", "auto"),
    ]

    /// The settings for the `options` parameter, where a backslash escapes a space.
    static var options: [String] {
        settings.map { "-c \($0.name)=\($0.value.replacingOccurrences(of: " ", with: "\\ "))" }
    }

    /// Values read from the open session.
    struct Report: Sendable {
        let processID: Int32
        let synchronousCommit: String
        let replicationRole: String
        let zeroDamagedPages: String
        let ignoreChecksumFailure: String
        /// Since PostgreSQL 17.
        let transactionTimeout: String?
    }

    /// The commands that correct settings in the session.
    static func corrections(_ report: Report) -> [String] {
        var corrections: [String] = []
        // A lower level could lose acknowledged commits.
        if report.synchronousCommit != "on", report.synchronousCommit != "remote_apply" {
            corrections.append("SET synchronous_commit = on")
        }
        if report.transactionTimeout.map({ $0 != "0" }) ?? false { corrections.append("SET transaction_timeout = 0") }
        return corrections
    }

    /// Why the session must not be used, with the remedy; nil if it may be used.
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

    /// The refusal of a pooler. Prepared statements, settings, timeouts and locks belong to a session, and a pooler
    /// passes a session from one client to the next.
    static let pooler =
        "a connection pooler such as pgbouncer stands before the database: give the database's own address, since a "
        + "session's settings, prepared statements and locks do not survive one, whatever its mode"
}

extension Connection {
    /// Checks a new session: corrects its settings where possible, and refuses it otherwise.
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

    /// Makes a session writable if it is read-only by a setting of its role or database. A server's own read-only
    /// setting is deliberate, so it stays.
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
