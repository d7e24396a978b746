import Foundation
import PostgreSQL
import Testing

/// What a guarded session overrides, and what it refuses.
@Suite(.enabled(if: PrivateServer.isAvailable, PrivateServer.whyDisabled), .timeLimit(.minutes(2)))
struct GuardTests {
    static let poolerProgram = "/usr/sbin/pgbouncer"

    private func guarded(_ url: String) throws -> Connection {
        var settings = ConnectionSettings(url: url)
        settings.isGuarded = true
        settings.connectTimeoutSeconds = 2
        return try Connection(settings)
    }

    /// Settings that any user may have set for himself or for a database, each to what would hurt.
    static let hostile: [(name: String, value: String, wanted: String)] = [
        ("default_transaction_isolation", "'serializable'", "read committed"),
        ("default_transaction_deferrable", "on", "off"),
        ("default_transaction_read_only", "on", "off"), ("statement_timeout", "'1ms'", "5s"),
        ("lock_timeout", "'1ms'", "4s"),
        ("idle_in_transaction_session_timeout", "'1ms'", "2s"), ("idle_session_timeout", "'100ms'", "0"),
        ("exit_on_error", "on", "off"),
        ("search_path", "elsewhere", "public,pg_temp"), ("client_min_messages", "error", "notice"),
        ("DateStyle", "'German, DMY'", "ISO, MDY"),
        ("IntervalStyle", "iso_8601", "postgres"), ("TimeZone", "'Asia/Kathmandu'", "UTC"),
        ("bytea_output", "escape", "hex"),
        ("extra_float_digits", "-15", "1"), ("standard_conforming_strings", "off", "on"), ("array_nulls", "off", "on"),
        ("transform_null_equals", "on", "off"), ("synchronous_commit", "off", "on"), ("row_security", "off", "on"),
        ("default_tablespace", "nowhere", ""), ("log_parameter_max_length_on_error", "'-1'", "0"),
        ("enable_indexscan", "off", "on"),
        ("enable_nestloop", "off", "on"), ("plan_cache_mode", "force_custom_plan", "auto"),
        ("debug_print_parse", "on", "off"),
    ]

    @Test(
        "settings of a role, a database, or a role in a database have no effect in a guarded session",
        arguments: ["ROLE postgres", "DATABASE postgres", "ROLE postgres IN DATABASE postgres"])
    func overridesRoleAndDatabaseSettings(whose: String) throws {
        try PrivateServer.with { server in
            let keeper = try server.connect()
            defer { keeper.close() }
            for (name, value, _) in Self.hostile { try keeper.execute("ALTER \(whose) SET \(name) = \(value)") }
            let session = try guarded(server.url())
            defer { session.close() }
            for (name, _, wanted) in Self.hostile {
                #expect(try session.run(Setting(name: name)).rows == [wanted], "\(name)")
            }
            // The same without a guard is hit by them, or the test shows nothing.
            #expect(throws: PostgreSQLError.self) {
                try server.connect { $0.statementTimeoutMilliseconds = 0 }.execute("CREATE TABLE t (x integer)")
            }
        }
    }

    @Test(
        "a commit never becomes less safe, and a safer setting of the operator stays",
        arguments: [("remote_apply", "remote_apply"), ("local", "on"), ("remote_write", "on")])
    func keepsCommitsAtLeastAsSafe(found: String, wanted: String) throws {
        try PrivateServer.with(settings: ["synchronous_commit=\(found)"]) { server in
            let session = try guarded(server.url())
            defer { session.close() }
            #expect(try session.run(Setting(name: "synchronous_commit")).rows == [wanted])
        }
    }

    @Test("a setting that needs a superuser is refused with the remedy; the URL's own setting still wins")
    func explainsSuperuserSettings() throws {
        try PrivateServer.with { server in
            let keeper = try server.connect()
            defer { keeper.close() }
            for (name, value) in [
                ("session_replication_role", "replica"), ("zero_damaged_pages", "on"),
                ("ignore_checksum_failure", "on"),
            ] {
                try keeper.execute("ALTER ROLE postgres SET \(name) = \(value)")
                let refusal = try error { _ = try guarded(server.url()) }
                #expect(refusal.code == .unsuitable && !refusal.isTransient)
                #expect(
                    refusal.explanation?.contains("\(name) is \(value)") == true
                        && refusal.explanation?.contains("RESET \(name)") == true)
                try keeper.execute("ALTER ROLE postgres RESET \(name)")
            }
            let session = try guarded(server.url(more: "options=-c%20statement_timeout%3D1234"))
            defer { session.close() }
            #expect(try session.run(Setting(name: "statement_timeout")).rows == ["1234ms"])
        }
    }

    @Test("a database that is not in UTF-8 is refused with the remedy", arguments: ["LATIN1", "SQL_ASCII"])
    func refusesOtherEncodings(name: String) throws {
        try PrivateServer.with { server in
            let keeper = try server.connect()
            defer { keeper.close() }
            try keeper.execute(
                "CREATE DATABASE other ENCODING '\(name)' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
            let refusal = try error { _ = try guarded(server.url().replacing("/postgres?", with: "/other?")) }
            #expect(refusal.code == .unsuitable && refusal.explanation?.contains("encoded in \(name)") == true)
            #expect(refusal.explanation?.contains("ENCODING 'UTF8'") == true)
        }
    }

    @Test("read-only hosts are passed over, a read-only role is overridden, a server set read-only stays so")
    func passesOverReadOnlyHosts() throws {
        try PrivateServer.with(settings: ["default_transaction_read_only=on"]) { reading in
            try PrivateServer.with { writing in
                let hosts = "127.0.0.1:\(reading.port),127.0.0.1:\(writing.port)"
                let session = try guarded("postgresql://postgres:hush@\(hosts)/postgres")
                #expect(try session.run(Setting(name: "port")).rows == ["\(writing.port)"])
                session.close()
                let refusal = try error { _ = try guarded(reading.url()) }
                #expect(refusal.code == .connectFailed && "\(refusal)".contains("read-only"))
                // The URL's own setting wins.
                let any = try guarded(reading.url(more: "target_session_attrs=any"))
                #expect(try any.run(Setting(name: "port")).rows == ["\(reading.port)"])
                any.close()
            }
        }
    }

    @Test(
        "a pooler is refused in every mode, whether or not it passes a session's settings on",
        .enabled(
            if: FileManager.default.isExecutableFile(atPath: GuardTests.poolerProgram), "pgbouncer is not installed"),
        arguments: ["session", "transaction", "statement"])
    func refusesPoolers(mode: String) throws {
        try PrivateServer.with { server in
            for ignored in ["options,extra_float_digits", "extra_float_digits"] {
                let port = try server.startPooler(Self.poolerProgram, mode: mode, ignoring: ignored)
                defer { server.stopPooler() }
                let refusal = try eventualRefusal(
                    "postgresql://postgres:hush@127.0.0.1:\(port)/postgres?sslmode=disable")
                #expect(refusal.code == .unsuitable, "\(refusal)")
                #expect(
                    refusal.explanation?.contains("pgbouncer") == true
                        && refusal.explanation?.contains("own address") == true)
            }
        }
    }

    /// Once the pooler listens.
    private func eventualRefusal(_ url: String) throws -> PostgreSQLError {
        var last: PostgreSQLError?
        try eventually {
            last = try error { _ = try guarded(url) }
            return last?.explanation?.contains("refused") != true
        }
        return try #require(last)
    }
}

private struct Setting: Statement {
    static let sql = "SELECT pg_catalog.current_setting($1)"
    let name: String
    var parameters: [Parameter] { [.text(name)] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> String { try row.text() }
}
