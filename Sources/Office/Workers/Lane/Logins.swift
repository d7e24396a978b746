public import AMQP
public import PostgreSQL
import Synchronization

/// How a worker logs in at both servers. It may be replaced while lanes work: a connection stays, and the next one is
/// made with the new login.
public final class Logins: Sendable {
    private struct Content {
        var broker: AMQP.ConnectionSettings
        var database: PostgreSQL.ConnectionSettings
    }
    private let content: Mutex<Content>

    public init(broker: AMQP.ConnectionSettings, database: PostgreSQL.ConnectionSettings) {
        content = Mutex(Content(broker: broker, database: database))
    }

    public func renew(broker: AMQP.ConnectionSettings, database: PostgreSQL.ConnectionSettings) {
        content.withLock { $0 = Content(broker: broker, database: database) }
    }

    var broker: AMQP.ConnectionSettings { content.withLock(\.broker) }
    var database: PostgreSQL.ConnectionSettings { content.withLock(\.database) }
}
