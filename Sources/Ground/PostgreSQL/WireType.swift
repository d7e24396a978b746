import Foundation

/// The OIDs of the built-in types, from the server's `pg_type.dat`; they never change.
enum OID {
    static let bool: UInt32 = 16, boolArray: UInt32 = 1000
    static let bytea: UInt32 = 17, byteaArray: UInt32 = 1001
    static let char: UInt32 = 18
    static let name: UInt32 = 19, nameArray: UInt32 = 1003
    static let int8: UInt32 = 20, int8Array: UInt32 = 1016
    static let int2: UInt32 = 21, int2Array: UInt32 = 1005
    static let int4: UInt32 = 23, int4Array: UInt32 = 1007
    static let text: UInt32 = 25, textArray: UInt32 = 1009
    static let oid: UInt32 = 26
    static let json: UInt32 = 114, jsonArray: UInt32 = 199
    static let float4: UInt32 = 700, float4Array: UInt32 = 1021
    static let float8: UInt32 = 701, float8Array: UInt32 = 1022
    static let unknown: UInt32 = 705
    static let bpchar: UInt32 = 1042, bpcharArray: UInt32 = 1014
    static let varchar: UInt32 = 1043, varcharArray: UInt32 = 1015
    static let date: UInt32 = 1082, dateArray: UInt32 = 1182
    static let timestamptz: UInt32 = 1184, timestamptzArray: UInt32 = 1185
    static let numeric: UInt32 = 1700, numericArray: UInt32 = 1231
    static let uuid: UInt32 = 2950, uuidArray: UInt32 = 2951
    static let jsonb: UInt32 = 3802, jsonbArray: UInt32 = 3807

    /// The first OID of user-defined types, such as enumerations, which are sent as text.
    static let firstOfUsers: UInt32 = 16384
}

/// The decoding of a Swift type from PostgreSQL's binary format.
struct WireType<Value>: Sendable {
    let name: String
    let oids: [UInt32]
    let arrayOIDs: [UInt32]
    var acceptsUserTypes = false
    /// Decodes one value from its bytes and the OID of its type; nil for invalid bytes.
    let decode: @Sendable (UnsafeRawBufferPointer, UInt32) -> Value?

    func accepts(_ oid: UInt32) -> Bool {
        oids.contains(oid) || (acceptsUserTypes && oid >= OID.firstOfUsers)
    }

    func acceptsArray(_ oid: UInt32) -> Bool {
        arrayOIDs.contains(oid) || (acceptsUserTypes && oid >= OID.firstOfUsers)
    }

    /// Reads a one-dimensional array with any lower bound and passes its elements to `take`, nil for NULL. False if
    /// `take` returns false, which ends the reading, or if the bytes are not such an array.
    func forEachElement(_ bytes: UnsafeRawBufferPointer, _ take: (Value?) -> Bool) -> Bool {
        guard let dimensions: Int32 = bytes.integer(at: 0) else { return false }
        if dimensions == 0 { return true }
        guard dimensions == 1, let elementOID: UInt32 = bytes.integer(at: 8), accepts(elementOID),
            let count: Int32 = bytes.integer(at: 12), count >= 0
        else { return false }
        var at = 20
        for _ in 0..<count {
            guard let length: Int32 = bytes.integer(at: at) else { return false }
            at += 4
            if length == -1 {
                if !take(nil) { return false }
                continue
            }
            guard length >= 0, at + Int(length) <= bytes.count,
                let value = decode(UnsafeRawBufferPointer(rebasing: bytes[at..<(at + Int(length))]), elementOID),
                take(value)
            else { return false }
            at += Int(length)
        }
        return true
    }
}

/// The types that can be read from rows.
enum Wire {
    static let bool = WireType<Bool>(name: "bool", oids: [OID.bool], arrayOIDs: [OID.boolArray]) { bytes, _ in
        bytes.count == 1 ? bytes[0] != 0 : nil
    }

    static let integer = WireType<Int64>(
        name: "an integer", oids: [OID.int8, OID.int4, OID.int2, OID.oid],
        arrayOIDs: [OID.int8Array, OID.int4Array, OID.int2Array]
    ) { bytes, oid in
        switch bytes.count {
        case 8: bytes.integer(at: 0)
        case 4 where oid == OID.oid: bytes.integer(at: 0).map { (value: UInt32) in Int64(value) }
        case 4: bytes.integer(at: 0).map { (value: Int32) in Int64(value) }
        case 2: bytes.integer(at: 0).map { (value: Int16) in Int64(value) }
        default: nil
        }
    }

    static let double = WireType<Double>(
        name: "a floating-point number", oids: [OID.float8, OID.float4], arrayOIDs: [OID.float8Array, OID.float4Array]
    ) { bytes, _ in
        switch bytes.count {
        case 8: bytes.integer(at: 0).map { Double(bitPattern: $0) }
        case 4: bytes.integer(at: 0).map { Double(Float(bitPattern: $0)) }
        default: nil
        }
    }

    static let text = WireType<String>(
        name: "text", oids: [OID.text, OID.varchar, OID.bpchar, OID.name, OID.char, OID.unknown, OID.json],
        arrayOIDs: [OID.textArray, OID.varcharArray, OID.bpcharArray, OID.nameArray, OID.jsonArray],
        acceptsUserTypes: true
    ) { bytes, oid in
        // A user-defined type may also be a composite or an array; those contain zero bytes, text does not.
        if oid >= OID.firstOfUsers, bytes.contains(0) { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    static let bytea = WireType<[UInt8]>(name: "bytea", oids: [OID.bytea], arrayOIDs: [OID.byteaArray]) { bytes, _ in
        Array(bytes)
    }

    static let uuid = WireType<UUID>(name: "uuid", oids: [OID.uuid], arrayOIDs: [OID.uuidArray]) { bytes, _ in
        bytes.count == 16 ? UUID(uuid: bytes.loadUnaligned(as: uuid_t.self)) : nil
    }

    static let timestamptz = WireType<Timestamp>(
        name: "timestamptz", oids: [OID.timestamptz], arrayOIDs: [OID.timestamptzArray]
    ) { bytes, _ in
        bytes.integer(at: 0).flatMap { Timestamp(wireValue: $0) }
    }

    static let date = WireType<CalendarDate>(name: "date", oids: [OID.date], arrayOIDs: [OID.dateArray]) { bytes, _ in
        bytes.count == 4 ? bytes.integer(at: 0).map { CalendarDate(wireValue: $0) } : nil
    }

    static let numeric = WireType<ExactDecimal>(
        name: "numeric", oids: [OID.numeric], arrayOIDs: [OID.numericArray]
    ) { bytes, _ in
        ExactDecimal(wireFields: stride(from: 0, to: bytes.count, by: 2).compactMap { bytes.integer(at: $0) })
    }

    /// `jsonb` begins with its format version; `json` is plain text.
    static let json = WireType<String>(
        name: "jsonb", oids: [OID.jsonb, OID.json], arrayOIDs: [OID.jsonbArray, OID.jsonArray]
    ) { bytes, oid in
        if oid == OID.json { return String(validating: bytes, as: UTF8.self) }
        guard bytes.first == 1 else { return nil }
        return String(validating: bytes.dropFirst(), as: UTF8.self)
    }
}

extension UnsafeRawBufferPointer {
    /// The big-endian integer at `offset`; nil if it would pass the end.
    fileprivate func integer<T: FixedWidthInteger>(at offset: Int) -> T? {
        guard offset + MemoryLayout<T>.size <= count else { return nil }
        return T(bigEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
    }
}
