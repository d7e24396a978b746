import AMQP
import CRabbitMQ
import Foundation
import Testing

@Suite("fields from other publishers", .serialized, .enabled(if: Broker.isThere, Broker.absent))
struct FieldTests {
    @Test("every kind of field that the broker lets pass is read")
    func readsEveryKindOfField() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        let queue = try connection.ownQueue(on: channel)
        try connection.consume(queue, on: channel)
        let raw = try RawPublisher(Broker.settings())
        let some = try raw.bytes([0xE9, 0x97, 0xAD])
        let odd = try raw.bytes([0xFF, 0x41])
        try raw.publish(
            [
                ("t", raw.field(AMQP_FIELD_KIND_BOOLEAN) { $0.value.boolean = 1 }),
                ("b", raw.field(AMQP_FIELD_KIND_I8) { $0.value.i8 = -8 }),
                ("B", raw.field(AMQP_FIELD_KIND_U8) { $0.value.u8 = 200 }),
                ("s", raw.field(AMQP_FIELD_KIND_I16) { $0.value.i16 = -1_600 }),
                ("u", raw.field(AMQP_FIELD_KIND_U16) { $0.value.u16 = 60_000 }),
                ("I", raw.field(AMQP_FIELD_KIND_I32) { $0.value.i32 = .min }),
                ("i", raw.field(AMQP_FIELD_KIND_U32) { $0.value.u32 = .max }),
                ("l", raw.field(AMQP_FIELD_KIND_I64) { $0.value.i64 = .min }),
                ("L", raw.field(AMQP_FIELD_KIND_U64) { $0.value.u64 = .max }),
                ("f", raw.field(AMQP_FIELD_KIND_F32) { $0.value.f32 = 0.25 }),
                ("d", raw.field(AMQP_FIELD_KIND_F64) { $0.value.f64 = -1e300 }),
                (
                    "D",
                    raw.field(AMQP_FIELD_KIND_DECIMAL) { $0.value.decimal = amqp_decimal_t(decimals: 2, value: 1_250) }
                ),
                ("S", raw.field(AMQP_FIELD_KIND_UTF8) { $0.value.bytes = some }),
                ("S?", raw.field(AMQP_FIELD_KIND_UTF8) { $0.value.bytes = odd }),
                ("x", raw.field(AMQP_FIELD_KIND_BYTES) { $0.value.bytes = odd }),
                ("T", raw.field(AMQP_FIELD_KIND_TIMESTAMP) { $0.value.u64 = 1_700_000_000 }),
                ("V", raw.field(AMQP_FIELD_KIND_VOID)),
                ("A", try raw.array([raw.field(AMQP_FIELD_KIND_I8) { $0.value.i8 = 1 }, raw.array([])])),
                ("same", raw.field(AMQP_FIELD_KIND_I8) { $0.value.i8 = 1 }),
                ("same", raw.field(AMQP_FIELD_KIND_I8) { $0.value.i8 = 2 }),
            ], to: queue)
        let expected: FieldTable = [
            "t": true, "b": -8, "B": 200, "s": -1_600, "u": 60_000, "I": .int(Int64(Int32.min)),
            "i": .int(Int64(UInt32.max)),
            "l": .int(.min), "L": .int(.max),
            "f": .double(0.25), "d": .double(-1e300), "D": .double(12.5), "S": "闭", "S?": "\u{FFFD}A",
            "x": .bytes([0xFF, 0x41]),
            "T": .timestamp(1_700_000_000), "V": .void, "A": .array([1, .array([])]), "same": 2,
        ]
        let read = try connection.delivery().properties.headers
        for (name, value) in expected { #expect(read[name] == value, "\(name)") }
        #expect(read.count == expected.count)
    }

    @Test(
        "the broker refuses a malformed table of fields, and no consumer ever sees it",
        arguments: notTables)
    func neverDeliversMalformedTables(bytes: [UInt8]) throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        let queue = try connection.ownQueue(on: channel)
        try connection.consume(queue, on: channel)
        #expect(try RawPublisher(Broker.settings()).publish(headerBytes: bytes, to: queue) != nil)
        #expect(try connection.nextEvent(within: 0.1) == nil)
        #expect(try connection.roundTrip([1]).body == [1])
    }

    @Test("false continuation flags pass the broker; a quorum queue rewrites them; a classic one ends the connection")
    func endsConnectionOnFalsePropertyFlags() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        let quorum = Broker.uniqueQueue()
        try connection.declareQueue(quorum, arguments: ["x-queue-type": "quorum"], on: channel)
        let classic = try connection.ownQueue(on: channel)
        let raw = try RawPublisher(Broker.settings())
        for queue in [quorum, classic] {
            #expect(try raw.publish(headerBytes: [1, 0x6B, 0x56], flags: [0x20, 1], to: queue) == nil)
        }
        try connection.consume(quorum, on: channel)
        #expect(try connection.delivery().properties.headers == ["k": .void])
        try connection.deleteQueue(quorum, on: channel)
        guard case .consumerCancelled = try connection.event() else {
            Issue.record("the queue is still there")
            return
        }
        let error = try failure(before: 5) {
            try connection.consume(classic, on: channel)
            _ = try connection.event()
        }
        #expect(error.code == .malformed)
        #expect(error.isConnectionFatal)
        #expect(!connection.isOpen)
    }

    @Test("arrays that nest as deep as a frame allows are cut at level sixteen; the connection goes on")
    func cutsArraysAtSixteenLevels() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        let queue = try connection.ownQueue(on: channel)
        try connection.consume(queue, on: channel)
        let raw = try RawPublisher(Broker.settings())
        var deep = try raw.array([])
        for _ in 0..<26_000 { deep = try raw.array([deep]) }
        try raw.publish([("deep", deep), ("after", raw.field(AMQP_FIELD_KIND_I8) { $0.value.i8 = 1 })], to: queue)
        let headers = try connection.delivery().properties.headers
        var depth = 0
        var value = headers["deep"]
        while case .array(let inner)? = value {
            depth += 1
            value = inner.first
        }
        #expect(depth == 15, "the table of headers is the first level")
        #expect(value == .void)
        #expect(headers["after"] == 1)
        #expect(try connection.roundTrip([1]).body == [1])
    }

    @Test("a table with as many entries as a frame holds is read")
    func readsTableAsLargeAsAFrame() throws {
        let connection = try Broker.connection()
        let channel = try connection.openChannel()
        let queue = try connection.ownQueue(on: channel)
        try connection.consume(queue, on: channel)
        let raw = try RawPublisher(Broker.settings())
        let void = raw.field(AMQP_FIELD_KIND_VOID)
        try raw.publish(
            (0..<16_000).map { ("\($0)", void) } + [("list", try raw.array(Array(repeating: void, count: 20_000)))],
            to: queue)
        let headers = try connection.delivery().properties.headers
        #expect(headers.count == 16_001)
        if case .array(let list) = headers["list"] { #expect(list.count == 20_000) } else { Issue.record("no list") }
    }

    @Test("a thread whose stack such headers could overrun gets no connection")
    func refusesThreadWithSmallStack() throws {
        let settings = try Broker.settings()
        #expect(try error(settings, stackBytes: 1 << 20) == .invalidArgument)
        var small = settings
        small.frameBytesMax = 8_192
        #expect(try error(small, stackBytes: 1 << 20) == nil)
        #expect(try error(settings, stackBytes: 8 << 20) == nil)
    }

    /// What connecting on a thread of this size of stack throws.
    private func error(_ settings: ConnectionSettings, stackBytes: Int) throws -> AMQPError.Code? {
        let done = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var code: AMQPError.Code?
        let thread = Thread {
            do throws(AMQPError) { try Connection(settings).close() } catch { code = error.code }
            done.signal()
        }
        thread.stackSize = stackBytes
        thread.start()
        try #require(done.wait(timeout: .now() + 10) == .success)
        return code
    }
}

/// An unknown kind; a text, a table, an array and a name that are longer than what holds them; half a number; a second
/// value of no kind.
private let notTables: [[UInt8]] = [
    [1, 0x6B, 0x5A, 0], [1, 0x6B, 0x53, 0, 0, 0, 9, 0x41], [1, 0x6B, 0x46, 0, 0, 0, 9, 1],
    [1, 0x6B, 0x41, 0, 0, 0, 9, 0x56],
    [9, 0x6B, 0x56], [1, 0x6B, 0x6C, 0, 0], [1, 0x6B, 0x56, 1, 0x6B],
]
