import AuditStore
import Basics
import CaseStore
import Foundation
import PostgreSQL
import Terminal

// The database's server: whether it keeps what it promised, has room, and is not held back.

extension DoctorCheck {
    static let databaseHealth = [
        DoctorCheck("database.durability", "settings that could lose data", needs: [.database], durability),
        DoctorCheck("database.standby", "a synchronous standby is connected if one is named", needs: [.database]) {
            patient in
            let names = try setting("synchronous_standby_names", patient)
            let standbys = try patient.askOne(CountStandbys())
            if names.isEmpty { return [] }
            if standbys.connected == 0 {
                return [
                    .wrong(
                        "synchronous_standby_names is \"\(names)\" and no standby is connected: every commit waits",
                        do: "start the standby; without it, set synchronous_standby_names to '' and reload")
                ]
            }
            if standbys.visible == 0 {
                return [
                    .untold(
                        "whether one of the \(standbys.connected) standbys is synchronous",
                        do: "as a superuser: see sync_state in pg_stat_replication")
                ]
            }
            return standbys.synchronous > 0
                ? []
                : [
                    .wrong(
                        "synchronous_standby_names is \"\(names)\" and none of the connected standbys is synchronous",
                        do: "give the standby this application_name, or correct synchronous_standby_names")
                ]
        },
        DoctorCheck("database.connections", "room for sessions", needs: [.database], connections),
        DoctorCheck("database.disk", "free space of the database's folder", needs: [.database]) { patient in
            let configuration = try patient.configuration()
            let folder = try setting("data_directory", patient)
            let isHere = PostgreSQL.ConnectionSettings(url: configuration.database.url).hostsInTheClear
                .allSatisfy(InTheClear.isThisMachine)
            if !folder.isEmpty, isHere, access(folder, X_OK) == 0 {
                return [room(in: folder, of: "the database's folder")].compactMap(\.self)
            }
            throw NotTold(
                text: "only a superuser on the server's machine sees its folder",
                advice: "watch it there: df of the folder that SHOW data_directory names, and of its pg_wal")
        },
        DoctorCheck("database.transactions", "nothing old holds back vacuum and readers", needs: [.database], holders),
        DoctorCheck("database.vacuum", "autovacuum works; transaction numbers are not used up", needs: [.database]) {
            patient in
            var findings: [Finding] = []
            for name in ["autovacuum", "track_counts"] where try setting(name, patient) == "off" {
                findings.append(
                    .wrong(
                        "\(name) is off: tables only grow",
                        do: "as a superuser: ALTER SYSTEM SET \(name) = on, then pg_reload_conf()"))
            }
            let state = try patient.askOne(ReadServerState())
            let age = max(state.transactionAge, state.groupAge)
            let text = "\(age) numbers of transactions are in use, of 2,000,000,000"
            let advice = "find what holds vacuum back (database.transactions), then run VACUUM in the oldest database"
            if age > 1_500_000_000 { findings.append(.wrong(text, do: advice)) }
            if (800_000_001...1_500_000_000).contains(age) { findings.append(.risky(text, do: advice)) }
            return findings
        },
        DoctorCheck("database.clock", "the server's clock agrees with this machine's", needs: [.database]) { patient in
            let (before, server, after) = try patient.database { connection in
                // Once before, so that no preparation is counted.
                try connection.run(ReadServerClock())
                let before = Date().timeIntervalSince1970
                let server = try connection.run(ReadServerClock()).rows.first
                return (before, server, Date().timeIntervalSince1970)
            }
            guard let server else { return [.unknown("the server does not tell its time")] }
            return clockFindings(
                "the database server's", ahead: server - (before + after) / 2, within: (after - before) / 2)
        },
    ]

    /// What a clock's distance from ours means.
    /// - Parameter within: how exact it is, in seconds.
    static func clockFindings(_ whose: String, ahead: Double, within: Double) -> [Finding] {
        let least = abs(ahead) - within
        guard least > 1 else { return [] }
        let seconds = String(format: "%.1f", abs(ahead))
        let text = "\(whose) clock is \(seconds) s \(ahead > 0 ? "ahead of" : "behind") this machine's"
        let advice = "run an NTP client on both machines, such as systemd-timesyncd or chrony"
        return [least > 5 ? .wrong(text, do: advice) : .risky(text, do: advice)]
    }

    /// The value for a new session; empty if there is none, or if this role may not see it.
    private static func setting(_ name: String, _ patient: Patient) throws -> String {
        try patient.ask(ReadServerSettings([name])).first?.value ?? ""
    }

    private static func durability(_ patient: Patient) throws -> [Finding] {
        var findings: [Finding] = []
        for name in ["fsync", "full_page_writes"] where try setting(name, patient) != "on" {
            findings.append(
                .wrong(
                    "\(name) is off: a power cut destroys the database",
                    do: "as a superuser: ALTER SYSTEM SET \(name) = on, then pg_reload_conf()"))
        }
        let safe = ["on", "remote_apply"]
        let overrides = try patient.ask(ReadRoleSettings("synchronous_commit", of: patient.roles()))
        for (role, value) in overrides where !safe.contains(value) {
            let whose = role.isEmpty ? "the database" : role
            let reset = role.isEmpty ? "ALTER DATABASE … RESET" : "ALTER ROLE \(role) RESET"
            findings.append(
                .risky(
                    "synchronous_commit is \(value) for \(whose): workers override it, other programs do not",
                    do: "as a superuser: \(reset) synchronous_commit (with IN DATABASE, if it was set so)"))
        }
        let value = try setting("synchronous_commit", patient)
        if overrides.isEmpty, !safe.contains(value) {
            findings.append(
                .risky(
                    "synchronous_commit is \(value): workers override it, other programs do not",
                    do: "as a superuser: ALTER SYSTEM SET synchronous_commit = on, then pg_reload_conf()"))
        }
        if try setting("data_checksums", patient) == "off" {
            findings.append(
                .risky(
                    "data checksums are off: a disk that returns wrong bytes is not noticed",
                    do: "stop the server and run pg_checksums --enable"))
        }
        return findings
    }

    private static func connections(_ patient: Patient) throws -> [Finding] {
        let names = ["max_connections", "superuser_reserved_connections", "reserved_connections"]
        let settings = try patient.ask(ReadServerSettings(names))
        let values = Dictionary(settings.map { ($0.name, Int($0.value) ?? 0) }) { first, _ in first }
        let state = try patient.askOne(ReadServerState())
        let reserved = (values[names[1]] ?? 0) + (values[names[2]] ?? 0)
        guard let most = values[names[0]] else { return [.unknown("the server does not tell max_connections")] }
        let ofDatabase = state.sessionsMax < 0 ? Int.max : state.sessionsMax
        let room = min(most - reserved, ofDatabase)
        let part = Double(state.sessions) / Double(max(1, room))
        let text = "\(state.sessions) of \(room) sessions are in use"
        let advice = "raise max_connections (a restart), or end programs that keep idle sessions"
        if part >= 0.95 { return [.wrong(text, do: advice)] }
        return part >= 0.8 ? [.risky(text, do: advice)] : []
    }

    /// How old what holds back vacuum may be: seconds, and transactions begun since, for a warning and for an error.
    private static let holderBounds = (seconds: (600.0, 3_600.0), age: (1_000_000, 50_000_000))

    private static func holders(_ patient: Patient) throws -> [Finding] {
        let (now, rows) = try patient.database { connection in
            (try connection.run(ReadServerClock()).rows.first ?? 0, try connection.run(ReadHolders()).rows)
        }
        return rows.compactMap { row in
            let seconds = row.since.map { max(0, now - $0) } ?? 0
            let (name, advice) = words(for: row)
            // Nothing of the office prepares transactions, so each is a forgotten one.
            let isForgotten = row.kind == .prepared || row.kind == .slot && !row.isActive
            if row.kind == .session, row.since == nil, (1_000...holderBounds.age.0).contains(row.age) {
                return .untold("since when there is \(name); \(row.age) transactions since", do: advice)
            }
            guard seconds > holderBounds.seconds.0 || row.age > holderBounds.age.0 || isForgotten else { return nil }
            let isBad = seconds > holderBounds.seconds.1 || row.age > holderBounds.age.1
            let since = row.since == nil ? "" : " for \(Int(seconds)) s"
            let text = "\(name) holds back vacuum and readers of the ledger\(since); \(row.age) transactions since"
            return isBad ? .wrong(text, do: advice) : .risky(text, do: advice)
        }
    }

    private static func words(for row: ReadHolders.Row) -> (name: String, advice: String) {
        let place = row.database.isEmpty ? "" : " in the database \(row.database)"
        switch row.kind {
        case .session:
            let program = row.program.isEmpty ? "" : " '\(row.program)'"
            return (
                "the open transaction of \(row.name)\(program)\(place)",
                "end it, or as a superuser: pg_terminate_backend(\(row.name.split(separator: " ").last ?? ""))"
            )
        case .prepared:
            return (
                "the prepared transaction '\(row.name)'\(place)",
                "as its owner\(place): ROLLBACK PREPARED '\(row.name)', or COMMIT PREPARED"
            )
        case .slot:
            return (
                "the \(row.isActive ? "" : "unused ")replication slot \(row.name)\(place)",
                "start its standby, or as a superuser: pg_drop_replication_slot('\(row.name)')"
            )
        }
    }
}
