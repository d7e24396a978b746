import Foundation

/// Any JSON, so that a test can take it apart, change it and write it for readers.
indirect enum JSONValue: Codable, Equatable {
    case null, flag(Bool), whole(Int), number(Double), text(String), list([JSONValue]), object([String: JSONValue])

    init(_ bytes: some Sequence<UInt8>) throws { self = try JSONDecoder().decode(JSONValue.self, from: Data(bytes)) }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let flag = try? container.decode(Bool.self) {
            self = .flag(flag)
        } else if let whole = try? container.decode(Int.self) {
            self = .whole(whole)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if let list = try? container.decode([JSONValue].self) {
            self = .list(list)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .flag(let flag): try container.encode(flag)
        case .whole(let whole): try container.encode(whole)
        case .number(let number): try container.encode(number)
        case .text(let text): try container.encode(text)
        case .list(let list): try container.encode(list)
        case .object(let object): try container.encode(object)
        }
    }

    var bytes: [UInt8] {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return [UInt8](try encoder.encode(self))
        }
    }

    var text: String? { if case .text(let text) = self { text } else { nil } }
    var whole: Int? { if case .whole(let whole) = self { whole } else { nil } }
    var list: [JSONValue]? { if case .list(let list) = self { list } else { nil } }
    var object: [String: JSONValue]? { if case .object(let object) = self { object } else { nil } }

    subscript(key: String) -> JSONValue? { object?[key] }

    // MARK: Places within

    enum Step: Hashable, CustomStringConvertible {
        case key(String), index(Int)

        var description: String {
            switch self {
            case .key(let key): "/\(key)"
            case .index(let index): "/\(index)"
            }
        }
    }

    /// All places below this one that are fields of objects.
    var fields: [[Step]] {
        switch self {
        case .object(let object):
            object.sorted { $0.key < $1.key }.flatMap { key, value in
                [[.key(key)]] + value.fields.map { [.key(key)] + $0 }
            }
        case .list(let list): list.enumerated().flatMap { index, value in value.fields.map { [.index(index)] + $0 } }
        case .null, .flag, .whole, .number, .text: []
        }
    }

    /// With another value at a place; `nil` takes the field away.
    func replacing(_ path: some Collection<Step>, with value: JSONValue?) -> JSONValue {
        guard let step = path.first else { return value ?? .null }
        let rest = path.dropFirst()
        switch (self, step) {
        case (.object(var object), .key(let key)):
            object[key] = rest.isEmpty ? value : object[key]?.replacing(rest, with: value)
            return .object(object)
        case (.list(var list), .index(let index)) where list.indices.contains(index):
            list[index] = list[index].replacing(rest, with: value)
            return .list(list)
        default: return self
        }
    }

    func value(at path: some Collection<Step>) -> JSONValue? {
        path.reduce(self as JSONValue?) { value, step in
            switch step {
            case .key(let key): value?[key]
            case .index(let index): value?.list.flatMap { $0.indices.contains(index) ? $0[index] : nil }
            }
        }
    }

    // MARK: For readers

    /// The order in which a person reads a head; what else there is follows by name.
    private static let headOrder = [
        "specversion", "id", "source", "type", "subject", "time", "inreplyto", "datacontenttype", "data",
    ]

    /// Indented by two, one field a line, the head first and the data last; ends with a newline.
    var page: String {
        get throws { try lines(indent: "", order: JSONValue.headOrder) + "\n" }
    }

    private func lines(indent: String, order: [String] = []) throws -> String {
        let inner = indent + "  "
        switch self {
        case .object(let object) where !object.isEmpty:
            let keys = order.filter { object[$0] != nil } + object.keys.filter { !order.contains($0) }.sorted()
            let fields = try keys.map { key in
                """
                \(inner)\(try JSONValue.text(key).lines(indent: "")): \
                \(try (object[key] ?? .null).lines(indent: inner))
                """
            }
            return "{\n\(fields.joined(separator: ",\n"))\n\(indent)}"
        case .list(let list) where !list.isEmpty:
            return "[\n\(try list.map { inner + (try $0.lines(indent: inner)) }.joined(separator: ",\n"))\n\(indent)]"
        case .null, .flag, .whole, .number, .text, .list, .object: return String(decoding: try bytes, as: UTF8.self)
        }
    }
}
