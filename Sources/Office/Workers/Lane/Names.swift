import AMQP
import PostgreSQL

// Both libraries have a type `Connection`, and a lane uses both.
typealias Broker = AMQP.Connection
typealias Database = PostgreSQL.Connection
