import Basics
import Casework
import Foundation

/// The contract of one message type. It is in the file of its type; `MessageDefinition.all` lists all of them. The
/// senders, the readers, the routing keys, the limits and the example follow from it; the published schema and the
/// AsyncAPI document are tested against it.
public final class MessageDefinition: Sendable {
    public let type: MessageType
    public let sender: Sender
    /// The meaning of `subject` and `correlation-id`.
    public let subject: Subject
    /// The workers that read it; empty if outsiders read it.
    public let readers: [Worker]
    /// The destinations to which the office sends it; empty for a type that the office only receives.
    public let destinations: [Destination]
    /// The paths of fields with a whole number, such as `data`, `attachments`, `*`, `bytes`.
    let wholeNumbers: [[String]]
    let read: (@Sendable (Data, Limits) throws -> Message)?
    private let write: @Sendable (_ source: Party, _ id: String, _ subject: String, _ inReplyTo: String?) -> [UInt8]
    private let reencode: @Sendable (Data) throws -> [UInt8]

    /// The sender of a type. Each type comes from one kind of party only.
    public enum Sender: Hashable, Sendable {
        case source, unit, person
        /// Any of the office's workers; the value is the one in the example.
        case office(Worker)
    }

    /// The thing that `subject` names.
    public enum Subject: Hashable, Sendable {
        /// The message's own id.
        case itself
        /// A report, by the id that its source gave to the submission.
        case submission
        case report, handoff, deadLetter, approval
        /// A version of the policy: `cn-discipline@2`.
        case policy
        /// What a unit or the office owes for a period: `unit.d1/duty-quarterly-return/2026-Q1`.
        case duty
        /// The subject of the message that is answered.
        case answered
    }

    /// A destination of the office's messages.
    public enum Destination: Hashable, Sendable {
        /// The unit's queue of handoffs: `unit.<id>.inbox`, or `.express`.
        case unitInbox
        case unitNotice, sourceNotice, personReply
        /// Another worker of the office.
        case worker
    }

    /// A type that outsiders or workers send to the office.
    /// - Parameters:
    ///   - example: the data of its golden message, with every field set.
    ///   - problem: the first problem beyond the types of fields; `nil`: none, or the desk finds it.
    ///   - words: the words of the policy in it.
    ///   - body: the family to which it belongs.
    convenience init<Payload: Codable & Sendable>(
        _ type: MessageType, from sender: Sender, about subject: Subject, to readers: [Worker],
        andSentTo destinations: [Destination] = [], example: Payload, wholeNumbers: [[String]] = [],
        problem: @escaping @Sendable (Payload, Limits) -> Problem? = { _, _ in nil },
        words: @escaping @Sendable (Payload) -> [PolicyWord] = { _ in [] },
        body: @escaping @Sendable (Payload) -> Message.Body
    ) {
        self.init(
            type, sender, subject, readers, destinations, example, wholeNumbers,
            read: { json, limits in
                let event = try JSONDecoder().decode(CloudEvent<Payload>.self, from: json)
                return Message(
                    envelope: Envelope(event), body: body(event.data), words: words(event.data),
                    problem: problem(event.data, limits))
            })
    }

    /// A type that the office only sends.
    convenience init(
        _ type: MessageType, from worker: Worker, about subject: Subject, sentTo destinations: [Destination],
        example: some Codable & Sendable
    ) {
        self.init(type, .office(worker), subject, [], destinations, example, [], read: nil)
    }

    private init<Payload: Codable & Sendable>(
        _ type: MessageType, _ sender: Sender, _ subject: Subject, _ readers: [Worker], _ destinations: [Destination],
        _ example: Payload, _ wholeNumbers: [[String]], read: (@Sendable (Data, Limits) throws -> Message)?
    ) {
        self.type = type
        self.sender = sender
        self.subject = subject
        self.readers = readers
        self.destinations = destinations
        self.wholeNumbers = wholeNumbers.map { ["data"] + $0 }
        self.read = read
        write = { source, id, subject, answered in
            Wire.encode(
                CloudEvent(
                    id: id, source: source, type: type, subject: subject, time: Example.moment, inreplyto: answered,
                    data: example))
        }
        reencode = { Wire.encode(try JSONDecoder().decode(CloudEvent<Payload>.self, from: $0)) }
    }

    /// True if an outsider of this kind may send it.
    func mayComeFrom(_ party: Party) -> Bool {
        switch (sender, party) {
        case (.source, .source), (.unit, .unit), (.person, .person): true
        default: false
        }
    }

    /// The bytes of the golden message.
    public var example: [UInt8] {
        let id = "example-" + type.short.replacing(".", with: "-")
        let (source, answered): (Party, String?) =
            switch sender {
            case .source: (Example.source, nil)
            case .unit: (type == .caseNotified ? Example.caseOffice : Example.unit, nil)
            case .person: (Example.person, nil)
            case .office(let worker): (.office(worker), "act-1")
            }
        let subject =
            switch subject {
            case .itself: id
            case .submission: "s-1"
            case .report, .handoff, .answered: Example.handoff.description
            case .approval: Example.approval
            case .policy: "cn-discipline@2"
            case .deadLetter: Example.deadLetter
            case .duty: Example.duty
            }
        return write(source, id, subject, answered)
    }

    /// Decodes a body as this type and encodes it again.
    public func rewritten(_ body: [UInt8]) throws -> [UInt8] { try reencode(Data(body)) }
}

/// The parties and subjects of the golden messages.
enum Example {
    static let moment = Instant(microsecondsSinceEpoch: 1_772_438_400_000_000)
    static let source = Party.source(SourceID(unchecked: "web"))
    static let unit = Party.unit(UnitID(unchecked: "d1"))
    static let caseOffice = Party.unit(UnitID(unchecked: "case-office"))
    static let person = Party.person(PersonID(unchecked: "li"))
    static let report = ReportID(UUID(uuid: (1, 149, 165, 242, 108, 0, 122, 188, 141, 239, 0, 0, 0, 0, 0, 10)))
    static let handoff = HandoffID(
        UUID(uuid: (1, 149, 165, 242, 108, 0, 122, 188, 141, 239, 1, 35, 69, 103, 137, 171)))
    static let deadLetter = "0195a5f2-6c00-7abc-8def-00000000000d"
    static let approval = "0195a5f2-6c00-7abc-8def-00000000000e"
    static let duty = "unit.d1/duty-quarterly-return/2026-Q1"
    static let sha256 = String(repeating: "0b", count: 32)
    static let problems = [
        Problem(code: "unknown_word", path: "data.accused[0].level", text: "the policy does not know \"x\""),
        Problem(code: "not_json", text: "no JSON"),
    ]
}
