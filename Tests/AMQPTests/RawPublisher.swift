import AMQP
import CRabbitMQ
import Foundation
import Testing

/// Publishes headers that the library under test would refuse to write: every kind of field, and tables without
/// measure.
final class RawPublisher {
    private let state: amqp_connection_state_t
    private let pool: UnsafeMutablePointer<amqp_pool_t>

    init(_ settings: ConnectionSettings) throws {
        state = try #require(amqp_new_connection())
        pool = .allocate(capacity: 1)
        init_amqp_pool(pool, 4_096)
        let socket = try #require(amqp_tcp_socket_new(state))
        try #require(amqp_socket_open(socket, settings.host, Int32(settings.port)) == 0)
        var nothing = amqp_table_t()
        let reply = rmq_login(state, settings.virtualHost, 0, 131_072, 0, &nothing, settings.user, settings.password)
        try #require(reply.reply_type == AMQP_RESPONSE_NORMAL)
        try #require(amqp_channel_open(state, 1) != nil)
    }

    deinit {
        amqp_destroy_connection(state)
        empty_amqp_pool(pool)
        pool.deallocate()
    }

    func publish(_ headers: [(String, amqp_field_value_t)], to queue: QueueName) throws {
        var properties = amqp_basic_properties_t()
        properties._flags = amqp_flags_t(AMQP_BASIC_HEADERS_FLAG)
        properties.headers = try table(headers)
        let status = amqp_basic_publish(
            state, 1, amqp_bytes_t(), try bytes(Array(queue.rawValue.utf8)), 0, 0, &properties, amqp_bytes_t())
        try #require(status == AMQP_STATUS_OK.rawValue)
        // An answer means that the broker has taken the message in.
        try #require(amqp_basic_qos(state, 1, 0, 1, 0) != nil)
    }

    /// Sends a message with these bytes for its table of headers, as they are. The broker's next word is the answer's
    /// code, or nil if it took the message.
    func publish(headerBytes: [UInt8], flags: [UInt8] = [0x20, 0], to queue: QueueName) throws -> UInt16? {
        func frame(_ kind: UInt8, _ payload: [UInt8]) -> [UInt8] {
            [kind, 0, 1, 0, 0, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)] + payload + [0xCE]
        }
        let key = Array(queue.rawValue.utf8)
        let method: [UInt8] = [0, 60, 0, 40, 0, 0, 0, UInt8(key.count)] + key + [0]
        let size = headerBytes.count
        let header: [UInt8] =
            [0, 60, 0, 0] + [UInt8](repeating: 0, count: 8) + flags + [0, 0, UInt8(size >> 8), UInt8(size & 0xFF)]
            + headerBytes
        let bytes = frame(1, method) + frame(2, header)
        try #require(send(amqp_get_sockfd(state), bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
        if amqp_basic_qos(state, 1, 0, 1, 0) != nil { return nil }
        let reply = amqp_get_rpc_reply(state)
        guard reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION, reply.reply.id == rmq_connection_close else {
            return 0
        }
        return reply.reply.decoded?.assumingMemoryBound(to: amqp_connection_close_t.self).pointee.reply_code
    }

    // MARK: Values. Their memory lives as long as this.

    func field(
        _ kind: amqp_field_value_kind_t, _ set: (inout amqp_field_value_t) -> Void = { _ in }
    ) -> amqp_field_value_t {
        var field = amqp_field_value_t()
        field.kind = UInt8(kind.rawValue)
        set(&field)
        return field
    }

    func bytes(_ source: [UInt8]) throws -> amqp_bytes_t {
        let memory = try #require(amqp_pool_alloc(pool, max(1, source.count)))
        memory.copyMemory(from: source, byteCount: source.count)
        return amqp_bytes_t(len: source.count, bytes: memory)
    }

    func array(_ values: [amqp_field_value_t]) throws -> amqp_field_value_t {
        let memory = try #require(amqp_pool_alloc(pool, max(1, values.count) * MemoryLayout<amqp_field_value_t>.stride))
        let entries = memory.bindMemory(to: amqp_field_value_t.self, capacity: values.count)
        entries.initialize(from: values, count: values.count)
        return field(AMQP_FIELD_KIND_ARRAY) {
            $0.value.array = amqp_array_t(num_entries: Int32(values.count), entries: entries)
        }
    }

    func table(_ values: [(String, amqp_field_value_t)]) throws -> amqp_table_t {
        let memory = try #require(amqp_pool_alloc(pool, max(1, values.count) * MemoryLayout<amqp_table_entry_t>.stride))
        let entries = memory.bindMemory(to: amqp_table_entry_t.self, capacity: values.count)
        for (index, (name, value)) in values.enumerated() {
            (entries + index).initialize(to: amqp_table_entry_t(key: try bytes(Array(name.utf8)), value: value))
        }
        return amqp_table_t(num_entries: Int32(values.count), entries: entries)
    }
}
