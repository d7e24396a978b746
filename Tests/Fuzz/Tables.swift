import CRabbitMQ

@testable import AMQP

/// Tables and properties as a broker sends them. The first byte says which.
enum Tables {
    /// A frame holds no more.
    private static let frameBytes = 131_072
    private static let classBasic: UInt16 = 60

    static func read(_ bytes: [UInt8]) throws(WrongAnswer) {
        guard let first = bytes.first else { return }
        var encoded = Array(bytes.dropFirst().prefix(frameBytes))
        if encoded.isEmpty { encoded = [0] }
        let answer = withPool { pool in
            encoded.withUnsafeMutableBytes { buffer -> WrongAnswer? in
                let source = amqp_bytes_t(len: buffer.count, bytes: buffer.baseAddress)
                do throws(WrongAnswer) {
                    if first.isMultiple(of: 2) { try table(source, pool) } else { try properties(source, pool) }
                    return nil
                } catch {
                    return error
                }
            }
        }
        if let answer { throw answer }
    }

    private static func withPool<Result>(_ body: (UnsafeMutablePointer<amqp_pool_t>) -> Result) -> Result {
        let pool = UnsafeMutablePointer<amqp_pool_t>.allocate(capacity: 1)
        init_amqp_pool(pool, 4_096)
        defer {
            empty_amqp_pool(pool)
            pool.deallocate()
        }
        return body(pool)
    }

    private static func table(_ source: amqp_bytes_t, _ pool: UnsafeMutablePointer<amqp_pool_t>) throws(WrongAnswer) {
        var decoded = amqp_table_t()
        var offset = 0
        guard amqp_decode_table(source, pool, &decoded, &offset) == AMQP_STATUS_OK.rawValue else { return }
        try writeAndReadAgain(FieldTable(decoded, depth: 1))
    }

    private static func properties(
        _ source: amqp_bytes_t, _ pool: UnsafeMutablePointer<amqp_pool_t>
    ) throws(WrongAnswer) {
        var decoded: UnsafeMutableRawPointer?
        guard amqp_decode_properties(classBasic, pool, source, &decoded) == AMQP_STATUS_OK.rawValue, let decoded else {
            return
        }
        let properties = Properties(decoded.load(as: amqp_basic_properties_t.self))
        try writeAndReadAgain(properties.headers)
        // Texts that were no UTF-8 are longer afterwards than a property may be; that is refused, no more.
        _ = try? Arena().properties(properties, headersBytesMax: frameBytes)
    }

    /// A table that we may send comes back as it was.
    private static func writeAndReadAgain(_ table: FieldTable) throws(WrongAnswer) {
        let arena = Arena()
        guard var written = try? arena.table(table, bytesMax: frameBytes) else { return }
        var bytes = [UInt8](repeating: 0, count: frameBytes + 4)
        var again: FieldTable?
        var status = AMQP_STATUS_OK.rawValue
        bytes.withUnsafeMutableBytes { buffer in
            let target = amqp_bytes_t(len: buffer.count, bytes: buffer.baseAddress)
            var end = 0
            status = amqp_encode_table(target, &written, &end)
            guard status == AMQP_STATUS_OK.rawValue else { return }
            again = withPool { pool in
                var decoded = amqp_table_t()
                var offset = 0
                status = amqp_decode_table(amqp_bytes_t(len: end, bytes: buffer.baseAddress), pool, &decoded, &offset)
                return status == AMQP_STATUS_OK.rawValue && offset == end ? FieldTable(decoded, depth: 1) : nil
            }
        }
        try WrongAnswer.unless(
            again.map { same(.table($0), .table(table)) } ?? false, "a table is not what was sent: status \(status)")
    }

    private static func same(_ one: FieldValue, _ other: FieldValue) -> Bool {
        switch (one, other) {
        case (.double(let a), .double(let b)): a.bitPattern == b.bitPattern || a.isNaN && b.isNaN
        case (.array(let a), .array(let b)): a.count == b.count && zip(a, b).allSatisfy(same)
        case (.table(let a), .table(let b)):
            a.count == b.count && a.allSatisfy { name, value in b[name].map { same(value, $0) } ?? false }
        default: one == other
        }
    }
}
