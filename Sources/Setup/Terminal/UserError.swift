import AMQP
import ArgumentParser
package import Basics
import LocalServers
import PostgreSQL
import Text

extension UserError {
    /// Any error as text for a person. The rooms below give codes; this adds what to do about them.
    package init(_ error: any Error) {
        switch error {
        case let error as UserError: self = error
        case let error as LocalServersError where error.code == .alreadyRunning:
            self.init("\(error): stop that process, or choose another directory")
        case let error as LocalServersError: self.init(error.description)
        case let error as PostgreSQLError: self.init(error)
        case let error as AMQPError: self.init(error)
        default: self.init("\(error)")
        }
    }

    private init(_ error: PostgreSQLError) {
        switch (error.code, error.sqlState) {
        case (.unsuitable, _):
            self.init(error.explanation ?? "the database's session cannot be used")
        case _ where error.isLoginRefused:
            self.init(
                """
                the database refuses the user or the password (SQLSTATE \(error.sqlState ?? "")): check \
                database.url and database.ownerUrl
                """
            )
        case (.connectFailed, "3D000"):
            self.init(
                "the database server has no such database (SQLSTATE 3D000): check the name at the end of database.url")
        case (.connectFailed, "XX000"), (.connectFailed, "53100"), (.connectFailed, "58030"):
            self.init(
                "the database server runs and cannot let anybody in (\(error)): is its disk full? Its log says why")
        case (.connectFailed, _):
            self.init("the database does not answer: check that it runs and that database.url is right (\(error))")
        case (.connectionLost, _):
            self.init("the connection to the database was lost: run the command again")
        case (_, "42P01"), (_, "42703"):
            self.init("the database lacks a table or column: run `bihuan migrate`")
        case (_, "42501"):
            self.init("the database user may not do this: check database.url and database.ownerUrl (\(error))")
        default:
            self.init("the database refused: \(error)")
        }
    }

    private init(_ error: AMQPError) {
        switch error.code {
        case .connectFailed, .timedOut:
            self.init("the broker does not answer: check that it runs and that amqp.url is right")
        case .authenticationFailed:
            self.init("the broker refuses the user or the password (ACCESS_REFUSED): check users in bihuan.yaml")
        case .tlsFailed:
            self.init("no TLS with the broker: \(error.tlsReason ?? "no reason given"): check the certificates")
        case .invalidArgument where error.tlsReason != nil:
            self.init("a file of amqp.url cannot be used for TLS: \(error.tlsReason ?? "")")
        case .connectionClosedByBroker where error.replyCode == 530:
            self.init(
                "the broker has no such virtual host, or does not let this user in there: check the end of amqp.url")
        case .connectionLost:
            self.init("the connection to the broker was lost: run the command again")
        case .blocked:
            self.init("the broker takes no messages at present: it is short of memory or disk")
        case .channelClosed where error.replyCode == 404:
            self.init("the broker lacks a queue or an exchange: load the definitions, as `bihuan up` does")
        case .channelClosed where error.replyCode == 403:
            self.init("the broker's user has no right to do this, or somebody else uses the queue")
        default:
            self.init("the broker refused: \(error)")
        }
    }
}

/// Runs a command's work and converts its errors to `UserError`.
package func plainly<Result>(_ work: () async throws -> Result) async throws -> Result {
    do {
        return try await work()
    } catch let exit as ExitCode {
        throw exit
    } catch {
        throw UserError(error)
    }
}
