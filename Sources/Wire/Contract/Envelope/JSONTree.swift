import Foundation

/// Any JSON value, with numbers as written: a ticket of 20 digits keeps all of them.
public enum JSONTree: Hashable, Sendable {
    case null
    case bool(Bool)
    /// The number as written, such as `20230101123456780001`, `1.50` or `-1e3`, and the offset of its first byte in
    /// the body, from 0.
    case number(String, at: Int)
    case text(String)
    case list([JSONTree])
    case object([String: JSONTree])

    /// Reads bytes; throws the problem that the contract defines for them, also for a repeated name, U+0000 and half
    /// a surrogate pair.
    public init(_ body: [UInt8], depthMax: Int) throws(Problem) {
        _ = try JSONShape(of: body, depthMax: depthMax)
        self.init(checked: body)
    }

    /// Reads bytes that `JSONShape` has accepted.
    init(checked body: [UInt8]) {
        self = body.withUnsafeBufferPointer { bytes in
            var reader = TreeReader(bytes: bytes)
            return reader.value()
        }
    }

    /// The value at a path of keys and, in lists, positions from 0; `nil` if there is none or it is null. A key that
    /// an object contains in full, such as `reporter.name`, has priority over the path.
    public func value(at path: ArraySlice<String>) -> JSONTree? {
        guard let key = path.first else { return self == .null ? nil : self }
        switch self {
        case .object(let object):
            if path.count > 1, let whole = object[path.joined(separator: ".")] { return whole.value(at: []) }
            return object[key]?.value(at: path.dropFirst())
        case .list(let list):
            guard let position = Int(key), list.indices.contains(position) else { return nil }
            return list[position].value(at: path.dropFirst())
        case .null, .bool, .number, .text: return nil
        }
    }
}

/// A reader for bytes that are known to be JSON.
private struct TreeReader {
    let bytes: UnsafeBufferPointer<UInt8>
    private var index = 0

    init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    mutating func value() -> JSONTree {
        switch next() {
        case UInt8(ascii: "\""): return .text(text())
        case UInt8(ascii: "{"): return object()
        case UInt8(ascii: "["): return list()
        case UInt8(ascii: "t"): return word(4, .bool(true))
        case UInt8(ascii: "f"): return word(5, .bool(false))
        case UInt8(ascii: "n"): return word(4, .null)
        default: return number()
        }
    }

    private mutating func object() -> JSONTree {
        var fields: [String: JSONTree] = [:]
        index += 1
        while next() != UInt8(ascii: "}") {
            let name = text()
            _ = next()
            index += 1
            fields[name] = value()
            if next() == UInt8(ascii: ",") { index += 1 }
        }
        index += 1
        return .object(fields)
    }

    private mutating func list() -> JSONTree {
        var values: [JSONTree] = []
        index += 1
        while next() != UInt8(ascii: "]") {
            values.append(value())
            if next() == UInt8(ascii: ",") { index += 1 }
        }
        index += 1
        return .list(values)
    }

    private mutating func text() -> String {
        let start = index
        var hasEscapes = false
        index += 1
        while bytes[index] != UInt8(ascii: "\"") {
            if bytes[index] == UInt8(ascii: "\\") {
                hasEscapes = true
                index += 1
            }
            index += 1
        }
        index += 1
        guard hasEscapes else { return String(decoding: bytes[(start + 1)..<(index - 1)], as: UTF8.self) }
        // `JSONShape` has accepted it, so every decoder reads it as a text.
        return (try? JSONDecoder().decode(String.self, from: Data(bytes[start..<index]))) ?? ""
    }

    private mutating func number() -> JSONTree {
        let start = index
        while index < bytes.count, "+-.0123456789eE".utf8.contains(bytes[index]) { index += 1 }
        return .number(String(decoding: bytes[start..<index], as: UTF8.self), at: start)
    }

    private mutating func word(_ length: Int, _ value: JSONTree) -> JSONTree {
        index += length
        return value
    }

    /// The next byte that is not blank, not consumed; 0 at the end.
    private mutating func next() -> UInt8 {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x0A, 0x0D, 0x09: index += 1
            case let byte: return byte
            }
        }
        return 0
    }
}
