import Casework
import Contract
import Foundation
import TestOffice
import Yams

/// What `docs/contract` publishes, as files.
enum PublishedContract {
    static let folder = SchemaJudge.script.deletingLastPathComponent()
    static let root = folder.deletingLastPathComponent().deletingLastPathComponent()

    /// Inside the office, and so no part of the contract.
    static let internalTypes = Set(MessageType.allCases.filter { $0.definition.destinations == [.worker] })

    static func names(in path: String) throws -> Set<String> {
        Set(
            try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: path).path).filter {
                $0.hasSuffix(".json")
            })
    }

    static func bytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: folder.appending(path: path))) }

    static func text(_ path: String) throws -> String { String(decoding: try bytes(path), as: UTF8.self) }

    static func json(_ path: String) throws -> JSONValue { try JSONValue(try bytes(path)) }

    static func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: folder.appending(path: path))
    }

    static func asyncAPI() throws -> JSONValue {
        try YAMLDecoder().decode(JSONValue.self, from: try text("asyncapi.yaml"))
    }

    static func schema(_ type: MessageType) throws -> JSONValue {
        try json("schemas/\(internalTypes.contains(type) ? "internal/" : "")\(type.short).json")
    }

    static func schema(_ type: PlannedMessageType) throws -> JSONValue { try json("schemas/\(type.short).json") }

    /// The field names that a schema gives to a value, with those of what it refers to: `data/accused/*/name`.
    static func declaredFields(of schema: JSONValue, common: JSONValue) -> Set<String> {
        var found: Set<String> = []
        if let reference = schema["$ref"]?.text, let name = reference.split(separator: "/").last,
            let target = common["$defs"]?[String(name)]
        {
            found.formUnion(declaredFields(of: target, common: common))
        }
        for (key, value) in schema["properties"]?.object ?? [:] {
            found.insert(key)
            found.formUnion(declaredFields(of: value, common: common).map { "\(key)/\($0)" })
        }
        if let items = schema["items"] { found.formUnion(declaredFields(of: items, common: common).map { "*/\($0)" }) }
        for part in (schema["allOf"]?.list ?? []) + [schema["then"], schema["else"]].compactMap({ $0 }) {
            found.formUnion(declaredFields(of: part, common: common))
        }
        return found
    }
}

extension PlannedMessageType {
    var short: String { String(rawValue.dropFirst("bihuan.".count).dropLast(".v1".count)) }
}
