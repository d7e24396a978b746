import AMQP
import CaseStore
import Casework
import Observability
import PostgreSQL

/// The probable cause of a failed transaction, which decides what the lane does.
///
/// A SQLSTATE alone does not blame a message: with a revoked right, a full disk or a broken trigger every message
/// fails. A fault that one message could cause is a *suspicion*, and needs evidence before a message is set aside
/// (see `Lane.process`).
enum Fault: Hashable, Sendable {
    /// The database or network is away or busy, or another session is in the way: the lane tries the whole batch
    /// again after a while.
    case away
    /// This server is read-only: the lane connects again, to the primary, then as `away`.
    case readOnly
    /// The prepared statements of this session no longer fit the tables: the lane prepares them again and tries at
    /// once.
    case stale
    /// A right, a table, a column, a setting or the server's own files: no message is to blame. The lane waits and
    /// logs it.
    case installation
    /// Perhaps this message is the cause: it failed at once.
    case suspicion
    /// Perhaps this message is the cause: the work on it was stopped by a time-out.
    case costly
    /// The connection to the broker failed, or the lane is to stop: the lane starts again.
    case lane

    /// - Parameters:
    ///   - seconds: the time from the beginning of the transaction until it failed.
    ///   - busySeconds: the CPU time of this thread in that time.
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
        // The transaction was idle too long. A message is suspected only if the worker used CPU time; otherwise
        // the process was stopped, or the machine overloaded.
        case "25P03": return isBusy ? .costly : .away
        // A statement that was cancelled before its time-out was cancelled by somebody, not for its cost.
        case "57014": return isLate ? .costly : .away
        case "25006": return .readOnly
        case "0A000", "26000": return .stale
        // A page of a table or an index is damaged: only messages that need it fail, and the others need not wait.
        case "XX001", "XX002": return .suspicion
        // The transaction had failed before, and the first error was reported.
        case "25P02": return .away
        default: break
        }
        // The connection is lost, whatever the server's last error was.
        if error.isConnectionLost || error.code == .connectFailed { return .away }
        let kind = String(state.prefix(2))
        if awayClasses.contains(kind) { return .away }
        return installationClasses.contains(kind) ? .installation : .suspicion
    }

    /// The least CPU time within a transaction that can explain why it was idle too long.
    private static let costlySeconds = 1.0

    /// Connection exceptions, transaction rollbacks, resources, objects in use, operator intervention, system errors.
    private static let awayClasses: Set<String> = ["08", "40", "53", "55", "57", "58"]
    /// Grants, grantors, roles; transaction states; authorization, privileges, names of databases and schemas;
    /// access rules and syntax; configuration files; foreign servers; internal errors of the server.
    private static let installationClasses: Set<String> = [
        "0B", "0L", "0P", "25", "28", "2B", "2D", "3B", "3D", "3F", "42", "F0", "HV", "XX",
    ]

    /// Whether one message can be the cause.
    var suspects: Bool { self == .suspicion || self == .costly }

    /// How often a message must fail, with a successful trial (`LaneStore.tryOut`) each time, before it becomes a
    /// dead letter.
    var failuresNeeded: Int { self == .costly ? 2 : 3 }

    /// What a lane with this fault waits for.
    var wait: WorkerBoard.Wait {
        switch self {
        case .away, .readOnly, .stale: .database
        case .lane: .broker
        case .installation, .suspicion, .costly: .installation
        }
    }

    var failureKind: WorkerMetrics.FailureKind {
        switch self {
        case .away, .readOnly, .stale, .lane: .away
        case .installation: .installation
        case .suspicion, .costly: .message
        }
    }

    /// The event that a lane logs when it begins to wait.
    var kind: LoggedEvent.Kind { self == .away || self == .readOnly ? .waitingForDatabase : .installationFault }
}

/// An error whose `description` has only codes and texts of the program, and no data of a row or a message.
public protocol PlainlyWorded: Error {}

extension PostgreSQLError: PlainlyWorded {}
extension AMQPError: PlainlyWorded {}
extension StaleCase: PlainlyWorded {}
extension ActivePolicy.Fault: PlainlyWorded {}
extension Rejection: PlainlyWorded {}
extension InconsistentCase: PlainlyWorded {}
extension KeyFailure: PlainlyWorded {}

extension Fault {
    /// Whether a password or a certificate is refused, ours or the server's. It is logged also when it becomes the
    /// cause only while a fault lasts, such as after a connection that was closed: an operator must act.
    static func isRefusal(_ error: any Error) -> Bool {
        switch error {
        case let error as AMQPError: error.code == .authenticationFailed || error.code == .tlsFailed
        case let error as PostgreSQLError:
            error.isLoginRefused
                || (error.code == .connectFailed && error.explanation?.contains("certificate") == true)
        default: false
        }
    }

    /// The text of an error for logs and dead letters. An error that is not `PlainlyWorded` might quote its input,
    /// so only its type is given.
    static func words(_ error: any Error) -> String {
        switch error {
        case let error as PostgreSQLError: "\(error)" + (error.tableName.map { ", table \($0)" } ?? "")
        case is any PlainlyWorded: String("\(error)".prefix(300))
        default: String(reflecting: type(of: error))
        }
    }
}
