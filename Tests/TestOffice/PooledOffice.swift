import PartyClient
import AMQP
import BrokerTopology
import Contract
import PostgreSQL

/// A virtual host of the pool with the queues of a small office, taken by one test until `giveBack`.
///
/// All processes that share the broker know which are taken: each is an advisory lock of a session, so the one that a
/// test that failed or died had taken is free again. What it left in the queues goes when the next one takes it.
public final class PooledOffice {
    public let virtualHost: String
    private let session: PostgreSQL.Connection

    /// Takes a free one. Throws `UsedUp` where all are taken.
    public init(of servers: TestServers) throws {
        session = try PostgreSQL.Connection(PostgreSQL.ConnectionSettings(url: servers.poolURL))
        guard let number = try session.run(TakeOffice(offices: servers.offices)).rows.first else {
            session.close()
            throw UsedUp(offices: servers.offices)
        }
        virtualHost = TestServers.virtualHost(number)
        if try session.run(MarkUsed(number: number)).affected == 0 { try empty(on: servers) }
    }

    deinit { giveBack() }

    public func giveBack() { session.close() }

    public struct UsedUp: Error, CustomStringConvertible {
        let offices: Int
        public var description: String {
            "all \(offices) virtual hosts are taken: close offices, or start TestServers with more"
        }
    }

    /// Makes every queue what it was at first: as it is declared, bound, without messages and consumers.
    private func empty(on servers: TestServers) throws {
        let broker = try AMQP.Connection(try servers.broker(user: "admin", virtualHost: virtualHost))
        defer { broker.close() }
        let office = SmallOffice.definitions(virtualHost: virtualHost).file()
        var channel = try broker.openChannel()
        // Of an earlier version; deleting one that is not there does nothing.
        for queue in Topology.Queue.retired { _ = try broker.deleteQueue(QueueName(rawValue: queue), on: channel) }
        for queue in office.queues {
            let name = QueueName(rawValue: queue.name)
            let arguments = queue.arguments.mapValues(FieldValue.init)
            let found = try? broker.declareQueue(name, arguments: arguments, on: channel)
            if let found, found.consumerCount == 0 {
                if found.messageCount > 0 { _ = try broker.purgeQueue(name, on: channel) }
            } else {
                // The broker closes the channel when a queue is declared with other arguments than it has.
                if found == nil { channel = try broker.openChannel() }
                _ = try broker.deleteQueue(name, on: channel)
                _ = try broker.declareQueue(name, arguments: arguments, on: channel)
            }
            // Also of one that was there: it may have been gone, and have come back by being asked for.
            for binding in office.bindings where binding.destination == queue.name {
                try broker.bindQueue(
                    name, to: ExchangeName(rawValue: binding.source), key: RoutingKey(rawValue: binding.routing_key),
                    on: channel)
            }
        }
    }
}

/// The first number that nobody holds, now held by this session.
private struct TakeOffice: Statement {
    let offices: Int
    static let sql = "SELECT n FROM generate_series(1, $1) AS n WHERE pg_try_advisory_lock(\(lockClass), n) LIMIT 1"
    /// Marks these locks among others of the database.
    static let lockClass = 20_260_101
    var parameters: [Parameter] { [.int4(Int32(offices))] }
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}

/// Affects a row the first time.
private struct MarkUsed: Command {
    let number: Int
    static let sql = "INSERT INTO used_office VALUES ($1) ON CONFLICT DO NOTHING"
    var parameters: [Parameter] { [.int4(Int32(number))] }
}
