import Basics
import Casework
import Foundation

/// A decoded message: its envelope and its content.
public struct Message: Sendable {
    public var envelope: Envelope
    public var body: Body
    /// The words of the policy in the message.
    let words: [PolicyWord]
    /// The first problem beyond the types of fields: lengths, blank texts, fields that depend on each other.
    fileprivate let problem: Problem?

    init(envelope: Envelope, body: Body, words: [PolicyWord], problem: Problem?) {
        self.envelope = envelope
        self.body = body
        self.words = words
        self.problem = problem
    }
}

/// A message that could not be read, with the fields of its envelope that could.
public struct Unreadable: Error, Sendable {
    public var problems: [Problem]
    public var id: String?
    public var type: String?
    public var subject: String?

    init(_ problems: [Problem], id: String? = nil, type: String? = nil, subject: String? = nil) {
        self.problems = problems
        self.id = id
        self.type = type
        self.subject = subject
    }
}

extension Unreadable {
    /// A message beyond the size limit; nothing of it is read.
    public static func tooLarge(bytes: Int, limits: Limits = .standard) -> Unreadable {
        Unreadable([
            Problem(code: "too_large", text: "the message has \(bytes) bytes; the limit is \(limits.messageBytesMax)")
        ])
    }
}

extension Message {
    /// Reads a body. `typeHint` is the AMQP property `type`; if it is right, the body is decoded only once.
    public init(reading body: [UInt8], typeHint: String?, limits: Limits = .standard) throws(Unreadable) {
        guard body.count <= limits.messageBytesMax else { throw .tooLarge(bytes: body.count, limits: limits) }
        let json = Data(body)
        let shape: JSONShape
        do {
            shape = try JSONShape(of: body, depthMax: limits.jsonDepthMax)
        } catch {
            // If it is almost JSON, the envelope may still name the sender's message for the answer.
            let head = error.code == "not_json" ? try? JSONDecoder().decode(LooseEnvelope.self, from: json) : nil
            throw Unreadable([error], id: head?.id, type: head?.type, subject: head?.subject)
        }
        if shape.hasBase64Data {
            let head = try? JSONDecoder().decode(LooseEnvelope.self, from: json)
            throw Unreadable([.base64Data], id: head?.id, type: head?.type, subject: head?.subject)
        }
        if let hint = typeHint.flatMap({ MessageDefinition.byName[$0] }),
            let message = try? Message(json, as: hint, limits), message.envelope.type == hint.type,
            message.envelope.specversion == "1.0"
        {
            self = message
        } else {
            self = try Message(carefully: json, limits)
        }
        if let problem = envelope.problem(limits: limits) ?? problem {
            throw Unreadable([problem], id: envelope.id, type: envelope.type.rawValue, subject: envelope.subject)
        }
    }

    /// The slow path: finds out what is wrong, and in which message.
    private init(carefully json: Data, _ limits: Limits) throws(Unreadable) {
        let loose: LooseEnvelope
        do {
            loose = try JSONDecoder().decode(LooseEnvelope.self, from: json)
        } catch {
            throw Unreadable([Problem(code: "not_json", text: "the body is not a JSON object")])
        }
        func fail(_ problem: Problem) -> Unreadable {
            Unreadable([problem], id: loose.id, type: loose.type, subject: loose.subject)
        }
        guard loose.specversion == "1.0" else {
            throw fail(
                Problem(
                    code: "not_cloudevents", path: "specversion", text: "specversion must be \"1.0\" (CloudEvents 1.0)")
            )
        }
        guard let name = loose.type else {
            throw fail(Problem(code: "missing_field", path: "type", text: "the message has no type"))
        }
        guard let type = MessageType(rawValue: name) else { throw fail(.unknownType(name)) }
        do {
            self = try Message(json, as: type.definition, limits)
        } catch let error as DecodingError {
            let problem = Problem(error)
            throw fail(
                problem.code == "not_json"
                    ? WholeNumbers.problem(in: [UInt8](json), type.definition.wholeNumbers) ?? problem : problem)
        } catch let problem as Problem {
            throw fail(problem)
        } catch {
            throw fail(Problem(code: "not_json", text: "the body cannot be read as JSON"))
        }
    }

    private init(_ json: Data, as definition: MessageDefinition, _ limits: Limits) throws {
        guard let read = definition.read else {
            let name = definition.type.rawValue
            throw Problem(code: "unknown_type", path: "type", text: "\(name) is sent by the office, not to it")
        }
        self = try read(json, limits)
    }
}

extension Problem: Error {
    /// The problem of a decoding error in the `data` of a message of this type, given without its envelope.
    public init(_ error: DecodingError, inData data: JSONTree, of type: MessageType) {
        let problem = Problem(error)
        let fields = type.definition.wholeNumbers.map { Array($0.dropFirst()) }
        self = problem.code == "not_json" ? WholeNumbers.problem(in: data, fields) ?? problem : problem
    }

    /// The problem of a decoding error, as text for a person.
    init(_ error: DecodingError) {
        func path(_ keys: [any CodingKey]) -> String {
            keys.reduce(into: "") { path, key in
                if let index = key.intValue {
                    path += "[\(index)]"
                } else {
                    path += path.isEmpty ? key.stringValue : ".\(key.stringValue)"
                }
            }
        }
        switch error {
        case .keyNotFound(let key, let context):
            self.init(
                code: "missing_field", path: path(context.codingPath + [key]), text: "this field is missing")
        case .typeMismatch(let type, let context):
            self.init(
                code: "mistyped_field", path: path(context.codingPath),
                text: "this field must be \(Problem.word(for: type))")
        case .valueNotFound(let type, let context):
            self.init(
                code: "missing_field", path: path(context.codingPath),
                text: "this field is null, but must be \(Problem.word(for: type))")
        case .dataCorrupted(let context) where context.codingPath.isEmpty:
            self.init(
                code: "not_json",
                text:
                    """
                    the body cannot be read as JSON: perhaps a text holds a bare control character or half a \
                    surrogate pair, or a number a fraction
                    """
            )
        case .dataCorrupted(let context):
            self.init(code: "bad_value", path: path(context.codingPath), text: Problem.own(context.debugDescription))
        @unknown default:
            self.init(code: "not_json", text: "the body cannot be read")
        }
    }

    /// The text of our own types for a value. Foundation's texts quote the value, and a reason quotes nothing of the
    /// message (invariant 6).
    private static func own(_ text: String) -> String {
        ownTexts.contains(text) ? text : "this value cannot be taken; see the contract for those that can"
    }

    private static let ownTexts = Set(
        [Instant.shape, CivilDate.shape, ReportID.shape, UnitID.shape, Party.shape, Reporter.Consent.shape]
            + Instant.Complaint.allCases.map(\.rawValue))

    fileprivate static let base64Data = Problem(
        code: "data_base64", path: "data_base64",
        text: "the office reads data as a JSON object in the field data; write it there and leave data_base64 out")

    private static func word(for type: Any.Type) -> String {
        switch type {
        case is String.Type: "a text"
        case is Int.Type: "a whole number"
        case is Bool.Type: "true or false"
        case is [Any].Type: "a list"
        default: "an object"
        }
    }

    static func unknownType(_ name: String) -> Problem {
        if PlannedMessageType(rawValue: name) != nil {
            return Problem(
                code: "not_handled_yet", path: "type",
                text: "the contract describes this type, but this version of the office does not handle it")
        }
        let base = name.split(separator: ".").dropLast().joined(separator: ".")
        let other = MessageType.allCases.first { $0.rawValue.hasPrefix(base + ".v") }
        let text =
            other.map { "this version is not known; the office reads \($0.rawValue)" } ?? "this type is not known"
        return Problem(code: other == nil ? "unknown_type" : "unknown_version", path: "type", text: text)
    }
}

extension Envelope {
    fileprivate func problem(limits: Limits) -> Problem? {
        guard specversion == "1.0" else {
            return Problem(
                code: "not_cloudevents", path: "specversion", text: "specversion must be \"1.0\" (CloudEvents 1.0)")
        }
        guard limits.admitsID(id) else {
            return Problem(
                code: "bad_value", path: "id",
                text: "an id has 1 to \(limits.eventIDBytesMax) printable ASCII characters")
        }
        guard limits.admitsID(subject) else {
            return Problem(
                code: "bad_value", path: "subject",
                text: "a subject has 1 to \(limits.eventIDBytesMax) printable ASCII characters")
        }
        return refinementProblem(limits: limits)
    }
}

/// The readable fields of an envelope in which any field may be wrong.
private struct LooseEnvelope: Decodable {
    var specversion, id, type, subject: String?

    enum Key: CodingKey { case specversion, id, type, subject }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        func text(_ key: Key) -> String? {
            do { return try container.decodeIfPresent(String.self, forKey: key) } catch { return nil }
        }
        specversion = text(.specversion)
        id = text(.id)
        type = text(.type)
        subject = text(.subject)
    }
}
