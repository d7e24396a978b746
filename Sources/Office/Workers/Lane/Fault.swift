import AMQP
import CaseStore
import Casework
import PostgreSQL

/// What a transaction that failed is evidence of, and so what the lane does about it.
///
/// A SQLSTATE alone blames no message: a right revoked, a full disk and a broken trigger make every message fail. What
/// could be one message's doing is a *suspicion*, and needs evidence before a message is set aside (see
/// `Lane.process`).
enum Fault: Hashable, Sendable {
    /// Database or network away or busy, or somebody in the way: the whole batch again after a while.
    case away
    /// This server only reads: another connection, to the one that writes, then as `away`.
    case readOnly
    /// What this session prepared does not fit the tables any more: prepare anew, then again at once.
    case stale
    /// A right, a table, a column, a setting, the server's own files: no message's doing. The lane waits and says so.
    case installation
    /// Perhaps this message: it failed at once.
    case suspicion
    /// Perhaps this message: the work on it was stopped when its time was over.
    case costly
    /// The broker's connection, or an order to stop: the lane begins anew.
    case lane

    /// - Parameters:
    ///   - seconds: from the beginning of the transaction until it failed.
    ///   - busySeconds: how long of it this thread computed.
    ///   - statementSeconds: `statement_timeout` of the session; 0 for none.
    init(_ error: any Error, after seconds: Double, busySeconds: Double = .infinity, statementSeconds: Double) {
        switch error {
        case is AMQPError, is LaneFault: self = .lane
        case is StaleCase: self = .away
        case is ActivePolicy.Fault: self = .installation
        case let error as PostgreSQLError:
            self = Fault.of(
                error, isLate: statementSeconds > 0 && seconds >= statementSeconds,
                isBusy: busySeconds >= Self.costlySeconds)
        default: self = .suspicion
        }
    }

    private static func of(_ error: PostgreSQLError, isLate: Bool, isBusy: Bool) -> Fault {
        if error.code == .unsuitable { return .installation }
        guard let state = error.sqlState else {
            return error.code == .decoding || error.code == .invalidArgument || error.code == .unexpectedResult
                ? .suspicion : .away
        }
        switch state {
        // The transaction idled. A worker that stood still, or a machine that gave it no time, is no message's cost.
        case "25P03": return isBusy ? .costly : .away
        // A statement that was stopped before its time was stopped by somebody, not for its cost.
        case "57014": return isLate ? .costly : .away
        case "25006": return .readOnly
        case "0A000", "26000": return .stale
        // A page of a table or an index is damaged: who needs it fails, and all others need not wait for it.
        case "XX001", "XX002": return .suspicion
        // The transaction had failed before: what came first was told.
        case "25P02": return .away
        default: break
        }
        // The connection is gone, whatever the server's last word was.
        if error.isConnectionLost || error.code == .connectFailed { return .away }
        let kind = String(state.prefix(2))
        if awayClasses.contains(kind) { return .away }
        return installationClasses.contains(kind) ? .installation : .suspicion
    }

    /// Less computing within a transaction is no reason for it to idle until its time is over.
    private static let costlySeconds = 1.0

    /// Connection exceptions, rollbacks, resources, objects in use, intervention, the system.
    private static let awayClasses: Set<String> = ["08", "40", "53", "55", "57", "58"]
    /// Grants, grantors, roles; transaction states; authorization, privileges, names of databases and schemas; access
    /// rules and syntax; configuration files; foreign servers; the server's own inside.
    private static let installationClasses: Set<String> = [
        "0B", "0L", "0P", "25", "28", "2B", "2D", "3B", "3D", "3F", "42", "F0", "HV", "XX",
    ]

    /// What can be one message's doing.
    var suspects: Bool { self == .suspicion || self == .costly }

    /// How often a message must fail, with a success of the office's own between, before it stands convicted.
    var failuresNeeded: Int { self == .costly ? 2 : 3 }

    /// What a lane says when it begins to wait.
    var kind: LoggedEvent.Kind { self == .away || self == .readOnly ? .waitingForDatabase : .installationFault }
}

/// An error whose `description` holds codes and our own words, and nothing of a row or a message.
public protocol PlainlyWorded: Error {}

extension PostgreSQLError: PlainlyWorded {}
extension AMQPError: PlainlyWorded {}
extension StaleCase: PlainlyWorded {}
extension ActivePolicy.Fault: PlainlyWorded {}
extension Rejection: PlainlyWorded {}
extension InconsistentCase: PlainlyWorded {}
extension Vault.Failure: PlainlyWorded {}

extension Fault {
    /// An error as logs and dead letters may keep it: any other error might quote what it was given, so only its type
    /// is told.
    static func words(_ error: any Error) -> String {
        switch error {
        case let error as PostgreSQLError: "\(error)" + (error.tableName.map { ", table \($0)" } ?? "")
        case is any PlainlyWorded: String("\(error)".prefix(300))
        default: String(reflecting: type(of: error))
        }
    }
}
