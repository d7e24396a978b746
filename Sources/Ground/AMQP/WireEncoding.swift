import CRabbitMQ

/// Memory for the arguments of one call to the library: filled, used, recycled. It keeps its pages, so that a publish
/// allocates nothing.
final class Arena {
    private let pool: UnsafeMutablePointer<amqp_pool_t>

    init() {
        pool = .allocate(capacity: 1)
        init_amqp_pool(pool, 4_096)
    }

    deinit {
        empty_amqp_pool(pool)
        pool.deallocate()
    }

    func recycle() {
        recycle_amqp_pool(pool)
    }

    private func allocate<T>(_ count: Int, of type: T.Type) throws(AMQPError) -> UnsafeMutablePointer<T> {
        guard let memory = amqp_pool_alloc(pool, max(1, count) * MemoryLayout<T>.stride) else {
            throw AMQPError(.invalidArgument, "no memory for \(count) values")
        }
        return memory.bindMemory(to: type, capacity: count)
    }

    func bytes(_ source: [UInt8]) throws(AMQPError) -> amqp_bytes_t {
        guard !source.isEmpty else { return amqp_bytes_t() }
        let target = try allocate(source.count, of: UInt8.self)
        _ = UnsafeMutableBufferPointer(start: target, count: source.count).update(from: source)
        return amqp_bytes_t(len: source.count, bytes: target)
    }

    func longText(_ text: String) throws(AMQPError) -> amqp_bytes_t {
        let utf8 = text.utf8
        guard !utf8.isEmpty else { return amqp_bytes_t() }
        let count = utf8.count
        let target = try allocate(count, of: UInt8.self)
        _ = UnsafeMutableBufferPointer(start: target, count: count).update(from: utf8)
        return amqp_bytes_t(len: count, bytes: target)
    }

    /// A name, key or property of at most 255 bytes; the library itself would notice a longer one only after half the
    /// message is on the wire.
    func shortText(_ text: String) throws(AMQPError) -> amqp_bytes_t {
        guard text.utf8.count <= 255 else { throw AMQPError(.invalidArgument, "a text of more than 255 bytes") }
        return try longText(text)
    }

    /// Encodes a table. Throws `invalidArgument` if the encoded table is larger than `bytesMax`.
    func table(_ table: FieldTable, bytesMax: Int) throws(AMQPError) -> amqp_table_t {
        var bytesLeft = bytesMax - 4
        return try self.table(table, depth: 1, bytesLeft: &bytesLeft)
    }

    private func table(_ table: FieldTable, depth: Int, bytesLeft: inout Int) throws(AMQPError) -> amqp_table_t {
        guard !table.isEmpty else { return amqp_table_t() }
        guard depth <= fieldDepthMax else { throw AMQPError(.invalidArgument, "tables nested too deep") }
        let entries = try allocate(table.count, of: amqp_table_entry_t.self)
        var index = 0
        for (name, value) in table {
            let key = try shortText(name)
            bytesLeft -= 1 + key.len
            let field = try self.field(value, depth: depth, bytesLeft: &bytesLeft)
            (entries + index).initialize(to: amqp_table_entry_t(key: key, value: field))
            index += 1
        }
        return amqp_table_t(num_entries: Int32(table.count), entries: entries)
    }

    private func array(_ values: [FieldValue], depth: Int, bytesLeft: inout Int) throws(AMQPError) -> amqp_array_t {
        guard !values.isEmpty else { return amqp_array_t() }
        guard depth <= fieldDepthMax else { throw AMQPError(.invalidArgument, "arrays nested too deep") }
        let entries = try allocate(values.count, of: amqp_field_value_t.self)
        for (index, value) in values.enumerated() {
            (entries + index).initialize(to: try field(value, depth: depth, bytesLeft: &bytesLeft))
        }
        return amqp_array_t(num_entries: Int32(values.count), entries: entries)
    }

    private func field(_ value: FieldValue, depth: Int, bytesLeft: inout Int) throws(AMQPError) -> amqp_field_value_t {
        var field = amqp_field_value_t()
        var size = 1
        switch value {
        case .void:
            field.set(AMQP_FIELD_KIND_VOID)
        case .bool(let flag):
            field.set(AMQP_FIELD_KIND_BOOLEAN)
            field.value.boolean = flag ? 1 : 0
            size += 1
        case .int(let number):
            field.set(AMQP_FIELD_KIND_I64)
            field.value.i64 = number
            size += 8
        case .double(let number):
            field.set(AMQP_FIELD_KIND_F64)
            field.value.f64 = number
            size += 8
        case .timestamp(let seconds):
            field.set(AMQP_FIELD_KIND_TIMESTAMP)
            field.value.u64 = seconds
            size += 8
        case .string(let text):
            field.set(AMQP_FIELD_KIND_UTF8)
            field.value.bytes = try longText(text)
            size += 4 + field.value.bytes.len
        case .bytes(let bytes):
            field.set(AMQP_FIELD_KIND_BYTES)
            field.value.bytes = try self.bytes(bytes)
            size += 4 + bytes.count
        case .array(let values):
            field.set(AMQP_FIELD_KIND_ARRAY)
            field.value.array = try array(values, depth: depth + 1, bytesLeft: &bytesLeft)
            size += 4
        case .table(let inner):
            field.set(AMQP_FIELD_KIND_TABLE)
            field.value.table = try table(inner, depth: depth + 1, bytesLeft: &bytesLeft)
            size += 4
        }
        bytesLeft -= size
        guard bytesLeft >= 0 else { throw AMQPError(.invalidArgument, "a table larger than a frame") }
        return field
    }

    /// - Parameter headersBytesMax: the bytes that a frame leaves for the headers.
    func properties(_ source: Properties, headersBytesMax: Int) throws(AMQPError) -> amqp_basic_properties_t {
        var target = amqp_basic_properties_t()
        target._flags = amqp_flags_t(AMQP_BASIC_DELIVERY_MODE_FLAG)
        target.delivery_mode = source.deliveryMode == .persistent ? 2 : 1
        try set(source.contentType, AMQP_BASIC_CONTENT_TYPE_FLAG, \.content_type, in: &target)
        try set(source.contentEncoding, AMQP_BASIC_CONTENT_ENCODING_FLAG, \.content_encoding, in: &target)
        try set(source.messageID, AMQP_BASIC_MESSAGE_ID_FLAG, \.message_id, in: &target)
        try set(source.type, AMQP_BASIC_TYPE_FLAG, \.type, in: &target)
        try set(source.correlationID, AMQP_BASIC_CORRELATION_ID_FLAG, \.correlation_id, in: &target)
        try set(source.userID, AMQP_BASIC_USER_ID_FLAG, \.user_id, in: &target)
        try set(source.replyTo, AMQP_BASIC_REPLY_TO_FLAG, \.reply_to, in: &target)
        try set(source.appID, AMQP_BASIC_APP_ID_FLAG, \.app_id, in: &target)
        try set(source.expiration, AMQP_BASIC_EXPIRATION_FLAG, \.expiration, in: &target)
        try set(source.clusterID, AMQP_BASIC_CLUSTER_ID_FLAG, \.cluster_id, in: &target)
        if let priority = source.priority {
            target._flags |= amqp_flags_t(AMQP_BASIC_PRIORITY_FLAG)
            target.priority = priority
        }
        if let timestamp = source.timestamp {
            target._flags |= amqp_flags_t(AMQP_BASIC_TIMESTAMP_FLAG)
            target.timestamp = timestamp
        }
        if !source.headers.isEmpty {
            target._flags |= amqp_flags_t(AMQP_BASIC_HEADERS_FLAG)
            target.headers = try table(source.headers, bytesMax: headersBytesMax)
        }
        return target
    }

    @inline(__always)
    private func set(
        _ text: String?, _ flag: Int32, _ field: WritableKeyPath<amqp_basic_properties_t, amqp_bytes_t>,
        in target: inout amqp_basic_properties_t
    ) throws(AMQPError) {
        guard let text else { return }
        target[keyPath: field] = try shortText(text)
        target._flags |= amqp_flags_t(flag)
    }
}

extension amqp_field_value_t {
    fileprivate mutating func set(_ kind: amqp_field_value_kind_t) {
        self.kind = UInt8(truncatingIfNeeded: kind.rawValue)
    }
}
