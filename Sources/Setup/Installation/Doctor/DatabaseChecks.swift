import AuditStore
import Basics
import CaseStore
import Foundation
import PostgreSQL
import Terminal

// The database: who gets in, what the roles may do, and whether the schema is that of this program.

extension DoctorCheck {
    /// The versions of PostgreSQL: the oldest that works, and the newest that is tested.
    private static let versions = (oldest: 15, newest: 17)

    static let database = [
        DoctorCheck("database.reachable", "the database answers", needs: [.database]) { patient in
            do {
                _ = try patient.askOne(ReadOwnName())
                return []
            } catch let error as UserError {
                throw error
            } catch {
                return [.told(.error, error)]
            }
        },
        DoctorCheck("database.session", "no pooler, UTF-8, triggers on", needs: [.database]) { patient in
            guard let refusal = try patient.refusalOfSession() else { return [] }
            return [.told(.error, UserError(refusal))]
        },
        DoctorCheck("database.version", "PostgreSQL 15 or newer", needs: [.database]) { patient in
            let settings = try patient.ask(ReadServerSettings(["server_version_num", "server_version"]))
            let values = Dictionary(settings.map { ($0.name, $0.value) }) { first, _ in first }
            guard let number = values["server_version_num"].flatMap({ Int($0) }) else {
                return [.unknown("the server does not say its version")]
            }
            let name = values["server_version"] ?? "\(number)"
            if number / 10_000 < versions.oldest {
                return [
                    .wrong(
                        "it is PostgreSQL \(name)", do: "move the database to PostgreSQL \(versions.oldest) or newer")
                ]
            }
            return number / 10_000 > versions.newest
                ? [.note("it is PostgreSQL \(name): the newest that was tested is \(versions.newest)")] : []
        },
        DoctorCheck("database.roles", "the roles, and that none has too many rights", needs: [.database], roles),
        DoctorCheck("database.logins", "each role logs in with its password", needs: [.database, .logins], logins),
        DoctorCheck("database.rights", "the roles may do what the workers do", needs: [.database], rights),
        DoctorCheck("database.ledger", "nobody can change or delete entries of the ledger", needs: [.database]) {
            patient in
            guard try hasSchema(patient) else { return [.unknown("the database has no schema")] }
            let rights = try patient.ask(ReadLedgerRights(of: patient.roles()))
            let triggers = try patient.ask(ReadMissingTriggers())
            return rights.map { role, privilege in
                .wrong(
                    "\(role) may \(privilege) ledger_entry",
                    do: "as a superuser: REVOKE \(privilege) ON ledger_entry FROM \(role)")
            }
                + triggers.map {
                    .wrong(
                        "the trigger \($0) is missing or off",
                        do: "ALTER TABLE … ENABLE TRIGGER; if it is gone, make it again as the first migration does, "
                            + "then run `bihuan ledger verify`")
                }
        },
        DoctorCheck("database.schema", "the tables are those of this program", needs: [.database], schema),
    ]

    private static func roles(_ patient: Patient) throws -> [Finding] {
        let wanted = try patient.loginRoles()
        let found = try patient.ask(ReadRoleTraits(wanted))
        var findings: [Finding] = []
        for name in wanted where !found.contains(where: { $0.name == name }) {
            findings.append(.wrong("there is no role \(name)", do: "run `bihuan setup` again"))
        }
        let now = Date().timeIntervalSince1970
        for role in found {
            if !role.canLogIn {
                findings.append(
                    .wrong("\(role.name) may not log in", do: "as a superuser: ALTER ROLE \(role.name) LOGIN"))
            }
            let others = [DatabaseRole.owner.name, DatabaseRole.operator.name, DatabaseRole.group]
            if !others.contains(role.name), !role.isWorker {
                findings.append(
                    .wrong(
                        "\(role.name) does not have the rights of \(DatabaseRole.group)",
                        do: "as a superuser: GRANT \(DatabaseRole.group) TO \(role.name); ALTER ROLE \(role.name) "
                            + "INHERIT"))
            }
            for power in role.powers {
                let finding = power == "CREATEDB" ? Finding.risky : Finding.wrong
                findings.append(
                    finding(
                        "\(role.name) has \(power), with which a worker could do more than it should",
                        "as a superuser: ALTER ROLE \(role.name) NO\(power)"))
            }
            if let ends = role.passwordEnds, ends < now + 14 * 86_400 {
                let isOver = ends < now
                let text = isOver ? "has ended" : "ends within two weeks"
                findings.append(
                    (isOver ? Finding.wrong : Finding.risky)(
                        "the password of \(role.name) \(text) (VALID UNTIL)",
                        "as a superuser: ALTER ROLE \(role.name) VALID UNTIL 'infinity'"))
            }
        }
        return findings
    }

    private static func logins(_ patient: Patient) throws -> [Finding] {
        let configuration = try patient.configuration()
        // Whether the server answers at all is another question.
        try patient.database { _ in }
        if try patient.hasOneUser() { return [] }
        let known =
            configuration.database.hasCertificates
            ? patient.rolesWithKeys(configuration)
            : DatabaseRole.allCases.filter { configuration.database.passwords[$0] != nil }
        if known.isEmpty {
            throw NotTold(
                text: "no password and no certificate of a role is here",
                advice: "run it where the secrets are, as their owner")
        }
        return known.compactMap { role in
            do throws(PostgreSQLError) {
                var settings = configuration.databaseSettings("bihuan doctor", as: role)
                if role == .owner, let owner = try? configuration.ownerDatabaseSettings("bihuan doctor") {
                    settings = owner
                }
                // What is wrong with the session is another question too.
                settings.isGuarded = false
                try PostgreSQL.Connection(settings).close()
                return nil
            } catch {
                guard error.isLoginRefused || error.sqlState == "42501" else {
                    return .unknown("\(role.name): \(UserError(error))")
                }
                return .wrong(
                    "\(role.name) is refused (SQLSTATE \(error.sqlState ?? ""))",
                    do: configuration.database.hasCertificates
                        ? "give it a certificate with this common name; or correct pg_hba.conf, or GRANT CONNECT"
                        : "run `bihuan setup` again, which gives the role the password of roles.\(role.rawValue); or "
                            + "correct pg_hba.conf, or GRANT CONNECT")
            }
        }
    }

    private static func rights(_ patient: Patient) throws -> [Finding] {
        guard try hasSchema(patient) else { return [.unknown("the database has no schema")] }
        // The owner has all, and commands only read.
        let readers = [DatabaseRole.owner.name, DatabaseRole.operator.name]
        let roles = try patient.loginRoles().filter { !readers.contains($0) }
        var lacking: [String: [String]] = [:]
        var last: [(String, String)] = []
        for role in roles {
            for (privilege, table) in try patient.ask(ReadMissingRights(of: role, wanted: Schema.grants(of: role))) {
                let right = "\(privilege) ON \(table)"
                if lacking[right] == nil { last.append((right, table)) }
                lacking[right, default: []].append(role)
            }
        }
        let told = last.prefix(10).map { right, _ in
            let who = lacking[right] ?? []
            // What all lack, their common role lacks.
            let name = who.count == roles.count ? DatabaseRole.group : who.joined(separator: ", ")
            return Finding.wrong("\(name) lacks \(right)", do: "as a superuser: GRANT \(right) TO \(name)")
        }
        let more = last.count - told.count
        return told
            + (more > 0
                ? [.wrong("\(more) more rights are missing", do: "restore the rights as the migrations grant them")]
                : [])
    }

    private static func hasSchema(_ patient: Patient) throws -> Bool {
        let pending = try? patient.database { try Schema.pending($0) }
        return pending.map { $0.count < Schema.migrations().count } ?? true
    }

    private static func schema(_ patient: Patient) throws -> [Finding] {
        do {
            let pending = try patient.database { try Schema.pending($0) }
            if pending.count == Schema.migrations().count {
                return [.wrong("the database has no schema", do: "run `bihuan migrate`, or `bihuan setup`")]
            }
            return pending.map {
                .wrong("the migration \($0) is missing", do: "stop the workers, run `bihuan migrate`, start them")
            }
        } catch let error as PostgreSQLError where error.code == .unexpectedResult {
            let name = error.operation ?? "a migration"
            let reason = error.explanation ?? "the schema is not as this program knows it"
            let isNewer = reason.contains("newer")
            return [
                .wrong(
                    "\(name): \(reason)",
                    do: isNewer
                        ? "install the program of the version that ran this migration"
                        : "nobody may change an applied migration: install the program that applied it")
            ]
        }
    }
}
