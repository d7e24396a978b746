import CRabbitMQ

// Decoded values stay in the library's buffers only until these are released, so everything here is a copy.

extension String {
    /// Decodes UTF-8; other bytes become U+FFFD.
    init(repairing bytes: amqp_bytes_t) {
        self = String(decoding: UnsafeRawBufferPointer(bytes), as: UTF8.self)
    }
}

extension UnsafeRawBufferPointer {
    init(_ bytes: amqp_bytes_t) {
        self.init(start: bytes.bytes, count: bytes.bytes == nil ? 0 : bytes.len)
    }
}

extension Properties {
    init(_ source: amqp_basic_properties_t, headersBytesMax: Int = .max) {
        func text(_ flag: Int32, _ bytes: amqp_bytes_t) -> String? {
            source._flags & amqp_flags_t(flag) == 0 ? nil : String(repairing: bytes)
        }
        self.init(
            contentType: text(AMQP_BASIC_CONTENT_TYPE_FLAG, source.content_type),
            contentEncoding: text(AMQP_BASIC_CONTENT_ENCODING_FLAG, source.content_encoding),
            messageID: text(AMQP_BASIC_MESSAGE_ID_FLAG, source.message_id),
            type: text(AMQP_BASIC_TYPE_FLAG, source.type),
            correlationID: text(AMQP_BASIC_CORRELATION_ID_FLAG, source.correlation_id),
            userID: text(AMQP_BASIC_USER_ID_FLAG, source.user_id),
            replyTo: text(AMQP_BASIC_REPLY_TO_FLAG, source.reply_to),
            appID: text(AMQP_BASIC_APP_ID_FLAG, source.app_id),
            timestamp: source._flags & amqp_flags_t(AMQP_BASIC_TIMESTAMP_FLAG) == 0 ? nil : source.timestamp,
            priority: source._flags & amqp_flags_t(AMQP_BASIC_PRIORITY_FLAG) == 0 ? nil : source.priority,
            expiration: text(AMQP_BASIC_EXPIRATION_FLAG, source.expiration),
            clusterID: text(AMQP_BASIC_CLUSTER_ID_FLAG, source.cluster_id),
            deliveryMode: source._flags & amqp_flags_t(AMQP_BASIC_DELIVERY_MODE_FLAG) != 0 && source.delivery_mode == 2
                ? .persistent : .transient)
        if source._flags & amqp_flags_t(AMQP_BASIC_HEADERS_FLAG) != 0 {
            var bytesLeft = headersBytesMax
            source.headers.spend(&bytesLeft)
            headers = FieldTable(source.headers, depth: 1, only: bytesLeft < 0 ? Delivery.countHeader : nil)
        }
    }
}

extension FieldTable {
    /// - Parameter only: the one field to keep; nil keeps all.
    init(_ source: amqp_table_t, depth: Int, only name: String? = nil) {
        self.init(minimumCapacity: name == nil ? Int(source.num_entries) : 1)
        for entry in UnsafeBufferPointer(start: source.entries, count: Int(source.num_entries)) {
            if let name, !UnsafeRawBufferPointer(entry.key).elementsEqual(name.utf8) { continue }
            self[String(repairing: entry.key)] = FieldValue(entry.value, depth: depth)
        }
    }
}

/// About the memory that a field takes beside its own bytes.
private let fieldBytes = 64

extension amqp_table_t {
    /// Subtracts the table's memory from a budget; stops once the budget is spent.
    fileprivate func spend(_ bytesLeft: inout Int, depth: Int = 1) {
        for entry in UnsafeBufferPointer(start: entries, count: Int(num_entries)) where bytesLeft >= 0 {
            bytesLeft -= entry.key.len
            entry.value.spend(&bytesLeft, depth: depth)
        }
    }
}

extension amqp_field_value_t {
    fileprivate func spend(_ bytesLeft: inout Int, depth: Int) {
        bytesLeft -= fieldBytes
        switch amqp_field_value_kind_t(UInt32(kind)) {
        case AMQP_FIELD_KIND_UTF8, AMQP_FIELD_KIND_BYTES: bytesLeft -= value.bytes.len
        case AMQP_FIELD_KIND_ARRAY where depth < fieldDepthMax:
            for field in UnsafeBufferPointer(start: value.array.entries, count: Int(value.array.num_entries))
            where bytesLeft >= 0 {
                field.spend(&bytesLeft, depth: depth + 1)
            }
        case AMQP_FIELD_KIND_TABLE where depth < fieldDepthMax: value.table.spend(&bytesLeft, depth: depth + 1)
        default: break
        }
    }
}

extension FieldValue {
    fileprivate init(_ field: amqp_field_value_t, depth: Int) {
        let value = field.value
        switch amqp_field_value_kind_t(UInt32(field.kind)) {
        case AMQP_FIELD_KIND_BOOLEAN: self = .bool(value.boolean != 0)
        case AMQP_FIELD_KIND_I8: self = .int(Int64(value.i8))
        case AMQP_FIELD_KIND_U8: self = .int(Int64(value.u8))
        case AMQP_FIELD_KIND_I16: self = .int(Int64(value.i16))
        case AMQP_FIELD_KIND_U16: self = .int(Int64(value.u16))
        case AMQP_FIELD_KIND_I32: self = .int(Int64(value.i32))
        case AMQP_FIELD_KIND_U32: self = .int(Int64(value.u32))
        case AMQP_FIELD_KIND_I64: self = .int(value.i64)
        case AMQP_FIELD_KIND_U64: self = .int(Int64(clamping: value.u64))
        case AMQP_FIELD_KIND_F32: self = .double(Double(value.f32))
        case AMQP_FIELD_KIND_F64: self = .double(value.f64)
        case AMQP_FIELD_KIND_DECIMAL: self = .double(Self.double(value.decimal))
        case AMQP_FIELD_KIND_UTF8: self = .string(String(repairing: value.bytes))
        case AMQP_FIELD_KIND_BYTES: self = .bytes([UInt8](UnsafeRawBufferPointer(value.bytes)))
        case AMQP_FIELD_KIND_TIMESTAMP: self = .timestamp(value.u64)
        case AMQP_FIELD_KIND_ARRAY where depth < fieldDepthMax:
            let values = UnsafeBufferPointer(start: value.array.entries, count: Int(value.array.num_entries))
            self = .array(values.map { FieldValue($0, depth: depth + 1) })
        case AMQP_FIELD_KIND_TABLE where depth < fieldDepthMax:
            self = .table(FieldTable(value.table, depth: depth + 1))
        default: self = .void
        }
    }

    private static func double(_ decimal: amqp_decimal_t) -> Double {
        var value = Double(decimal.value)
        for _ in 0..<decimal.decimals { value /= 10 }
        return value
    }
}
