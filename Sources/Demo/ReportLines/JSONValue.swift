/// Any JSON, as far as a field map must walk through it.
enum JSONValue: Hashable, Codable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case text(String)
    case list([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if let bool = try? container.decode(Bool.self) {
            self = .bool(bool)
        } else if let integer = try? container.decode(Int64.self) {
            self = .integer(integer)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
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
        case .bool(let bool): try container.encode(bool)
        case .integer(let integer): try container.encode(integer)
        case .number(let number): try container.encode(number)
        case .text(let text): try container.encode(text)
        case .list(let list): try container.encode(list)
        case .object(let object): try container.encode(object)
        }
    }

    /// The value at a path of keys and, in lists, of positions from 0; `nil` where there is none or it is null.
    func value(at path: [String]) -> JSONValue? {
        guard let key = path.first else { return self == .null ? nil : self }
        let rest = Array(path.dropFirst())
        switch self {
        case .object(let object): return object[key]?.value(at: rest)
        case .list(let list):
            guard let position = Int(key), list.indices.contains(position) else { return nil }
            return list[position].value(at: rest)
        case .null, .bool, .integer, .number, .text: return nil
        }
    }

    /// Text and numbers as text; `nil` for what has no single value.
    var asText: String? {
        switch self {
        case .text(let text): text
        case .integer(let integer): String(integer)
        case .number(let number): String(number)
        case .bool(let bool): bool ? "true" : "false"
        case .null, .list, .object: nil
        }
    }
}
