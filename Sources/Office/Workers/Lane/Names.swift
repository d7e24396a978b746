import AMQP
import PostgreSQL

// Both libraries call theirs `Connection`; a lane has some of each.
typealias Broker = AMQP.Connection
typealias Database = PostgreSQL.Connection
