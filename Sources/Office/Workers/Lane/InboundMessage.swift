import AMQP
import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Crypto
import Foundation

/// A delivery: the bytes, and the transport properties that a reader needs.
struct Arrival: Sendable {
    /// Empty if the body was too long to be kept.
    let body: [UInt8]
    let routingKey: String
    /// The `user-id`, which the broker has verified.
    let userID: String?
    let type: String?
    let messageID: String?
    var contentType: String?
    var contentEncoding: String?
    /// The number of earlier deliveries.
    var deliveryCount = 0
    var headers: FieldTable = [:]
    /// The size and digest of a body that was too long to be kept.
    var omitted: OmittedBody?
    /// The exchange to which it was published.
    var exchange = ""
}

extension Arrival {
    init(_ delivery: Delivery) {
        self.init(
            body: delivery.body, routingKey: delivery.routingKey, userID: delivery.properties.userID,
            type: delivery.properties.type, messageID: delivery.properties.messageID,
            contentType: delivery.properties.contentType, contentEncoding: delivery.properties.contentEncoding,
            deliveryCount: delivery.deliveryCount, headers: delivery.properties.headers, omitted: delivery.omitted,
            exchange: delivery.exchange)
    }

    /// The form that an SDK may have used instead of the one that the office reads; `nil` if there is none.
    var foreignForm: ForeignForm? {
        // Some clients write the text of a header as bytes.
        let texts = headers.compactMapValues { value in
            if case .bytes(let bytes) = value { String(validating: bytes, as: UTF8.self) } else { value.stringValue }
        }
        return ForeignForm(body: body, contentType: contentType, contentEncoding: contentEncoding, headers: texts)
    }
}

/// A delivery that was read: its sender, the id of its act, and its content or why it cannot be taken.
struct InboundMessage: Sendable {
    enum Content: Sendable {
        case message(Message)
        /// Enough of it can be read to refuse it to its sender.
        case refused(Refused)
        /// No act can be made of it: a dead letter. `type` is its type as written, if it looks like one.
        case dead(Problem, type: String?)
    }

    struct Refused: Sendable {
        /// The type as written, if it looks like one.
        let type: String?
        let problems: [Problem]
    }

    let queue: String
    let arrival: Arrival
    /// The party that gets the answer; `nil` if there is none.
    let sender: Party?
    private(set) var key: InboxKey
    /// The SHA-256 of the body as it arrived. It is stored nowhere, because a name in the body could be found by it.
    let sha256: [UInt8]
    /// The keyed digest of the body, by which the database identifies it.
    let digest: [UInt8]
    /// The subject of answers: the subject of the message, or its message id if it has none.
    private(set) var subject: String
    /// The id to which answers reply: the act's id, or the message id if it has none.
    private(set) var inReplyTo: String?
    private(set) var content: Content
    /// Whether an id of its own can be read, so that its sender can find it again.
    private let hasOwnID: Bool
    /// The id of the dead letter that is replayed.
    let replayOf: UUID?
    /// The work that was done before its transaction; kept while the transaction is tried again.
    var prepared: PreparedReport?
    /// The message, if it can be read, even if it cannot be taken.
    let message: Message?
    /// Further sendings in the same batch of a message of which no act can be made: each sending is answered.
    private(set) var sentAlso: [Sending] = []

    /// One sending of a dead letter, with the subject of its answer and the id to which it replies.
    struct Sending: Sendable {
        let messageID: String?
        let subject: String
        let inReplyTo: String?
    }

    init(_ arrival: Arrival, from queue: String, digestKey: DigestKey, replayOf letter: UUID? = nil) {
        self.queue = queue
        self.arrival = arrival
        replayOf = letter
        sha256 = arrival.omitted?.digest ?? Array(SHA256.hash(data: arrival.body))
        digest = digestKey.digest(sha256, for: .acts)
        let claimed = arrival.userID.flatMap { Party($0) }
        // Without a `user-id`, the sender is the owner that the routing key names: the broker's topic permissions
        // guarantee it. A user that is no party, such as an administrator, is no sender: its message is not
        // attributed to the owner of its routing key.
        sender = arrival.userID == nil ? Party(ownerOf: arrival.routingKey) : claimed
        let senderName = sender?.description ?? arrival.userID.map(InboundMessage.keepable) ?? "unknown"

        let digestID = InboundMessage.id(of: digest)
        let messageID = arrival.messageID.flatMap { $0.isEmpty ? nil : $0 }
        do throws(Unreadable) {
            if let omitted = arrival.omitted { throw Unreadable.tooLarge(bytes: omitted.bytes) }
            let message = try Message(reading: arrival.body, typeHint: arrival.type)
            // A message without a verified sender, or one that was unroutable, must not use up the id: the act may
            // be sent again correctly.
            let isAstray = claimed == nil || InboundMessage.isGivenUp(queue)
            self.message = message
            hasOwnID = true
            key = InboxKey(sender: senderName, eventID: isAstray ? digestID : message.envelope.id)
            subject = message.envelope.subject
            inReplyTo = message.envelope.id
            content = InboundMessage.judge(message, arrival, claimed: claimed, queue: queue)
        } catch {
            message = nil
            // In a foreign form the attributes are not in the body: the message uses up no id.
            let form =
                ["not_json", "not_utf8", "not_cloudevents"].contains(error.problems.first?.code)
                ? arrival.foreignForm : nil
            let usableID = InboundMessage.printable(form == nil ? error.id : form?.id)
            let isAstray = claimed == nil || InboundMessage.isGivenUp(queue)
            hasOwnID = usableID != nil || form != nil
            // It is identified by its bytes together with the id outside the body: many messages may have the same
            // bytes.
            let besides = form == nil ? nil : usableID ?? InboundMessage.printable(messageID)
            let bytes = sha256
            let formID = besides.map {
                InboundMessage.id(of: digestKey.digest(Array(SHA256.hash(data: bytes + Array($0.utf8))), for: .acts))
            }
            key = InboxKey(
                sender: senderName, eventID: isAstray || form != nil ? formID ?? digestID : usableID ?? digestID)
            subject =
                InboundMessage.printable(form == nil ? error.subject : form?.subject) ?? usableID
                ?? InboundMessage.printable(messageID) ?? digestID
            inReplyTo = usableID ?? InboundMessage.printable(messageID)
            let problems = form.map { [$0.problem] } ?? error.problems
            let problem = problems.first ?? Problem(code: "not_json", text: "the message cannot be read")
            let type = MessageType.repeatable(form == nil ? error.type : form?.type)
            // A message of the office itself is never refused: it is kept as a dead letter if it cannot be read.
            if hasOwnID, !isAstray, !(sender?.isOffice ?? false) {
                content = .refused(Refused(type: type, problems: problems))
            } else {
                content = .dead(problem, type: type)
            }
        }
    }

    private static func judge(_ message: Message, _ arrival: Arrival, claimed: Party?, queue: String) -> Content {
        let type = message.envelope.type.rawValue
        if isGivenUp(queue) {
            let reason = queue == Topology.Queue.dead ? "given_up_by_broker" : "unroutable"
            return .dead(
                Problem(
                    code: reason,
                    text: """
                        the routing key \(keepable(arrival.routingKey).prefix(120)) leads to no queue of the office
                        """),
                type: type)
        }
        if arrival.userID != nil, claimed == nil { return .dead(.unknownSource, type: type) }
        guard
            let problem = Admission.problem(sender: claimed, routingKey: arrival.routingKey, envelope: message.envelope)
        else { return .message(message) }
        // Without a verified sender there is no party to which it can be refused.
        return claimed == nil ? .dead(problem, type: type) : .refused(Refused(type: type, problems: [problem]))
    }

    /// The same message from an unregistered sender. It is kept and answered, but is no act, so that it does not
    /// use up the id: the sender may be registered and send the act again.
    var fromStranger: InboundMessage {
        var inbound = self
        inbound.key = InboxKey(sender: key.sender, eventID: InboundMessage.id(of: digest))
        // No queue takes what an unregistered sender publishes: that it is unknown says more than the wrong key.
        if case .dead = content, !(queue == Topology.Queue.unroutable && hasOwnID) { return inbound }
        inbound.content = .dead(.unknownSource, type: type)
        return inbound
    }

    var sendings: [Sending] {
        [Sending(messageID: InboundMessage.printable(arrival.messageID), subject: subject, inReplyTo: inReplyTo)]
            + sentAlso
    }

    /// Merges each message of which no act can be made with its repeats in the same batch. They differ at most in
    /// the subjects and reply ids of their answers.
    static func gathered(_ received: [InboundMessage]) -> [InboundMessage] {
        var places: [InboxKey: Int] = [:]
        return received.reduce(into: []) { gathered, inbound in
            guard case .dead = inbound.content, inbound.givenBack == nil else { return gathered.append(inbound) }
            if let place = places[inbound.key] {
                gathered[place].sentAlso += inbound.sendings
            } else {
                places[inbound.key] = gathered.count
                gathered.append(inbound)
            }
        }
    }

    /// The same message without any text that its sender chose, except its bytes, which are sealed: the database
    /// can always store it.
    func bare(_ problem: Problem) -> InboundMessage {
        var inbound = self
        let id = InboundMessage.id(of: digest)
        inbound.key = InboxKey(sender: key.sender, eventID: id)
        (inbound.subject, inbound.inReplyTo) = (id, nil)
        inbound.content = .dead(problem, type: nil)
        return inbound
    }

    private static func id(of digest: [UInt8]) -> String { "keyed:" + digest.hexadecimal }

    /// Whether the queue is one of those for messages that the broker could not route or gave up.
    static func isGivenUp(_ queue: String) -> Bool {
        queue == Topology.Queue.unroutable || queue == Topology.Queue.dead
    }

    private static func keepable(_ text: String) -> String { text.replacing("\0", with: "\u{FFFD}") }

    /// The id of the message itself, if one can be read; otherwise the id in the inbox.
    var ownID: String { inReplyTo ?? key.eventID }

    private static func printable(_ text: String?) -> String? {
        text.flatMap { Limits.standard.admitsID($0) ? $0 : nil }
    }

    var body: [UInt8] { arrival.body }
    /// The size of the body, even if it was not kept.
    var bytes: Int { arrival.omitted?.bytes ?? arrival.body.count }
    /// The sender for a dead letter, or the broker's user if it is no party.
    var senderName: String? { sender?.description ?? arrival.userID.map(InboundMessage.keepable) }
    var isDead: Bool { if case .dead = content { true } else { false } }
    /// The parts of a message of the office that its addressee rejected without requeueing (`basic.reject`), or
    /// that the broker gave up; `nil` for other messages.
    var givenBack: (worker: Worker, addressee: Party, eventID: UUID)? {
        guard queue == Topology.Queue.dead, case .office(let worker) = sender, message == nil,
            let id = inReplyTo.flatMap(UUID.init(uuidString:)),
            let addressee = Party(ownerOf: arrival.routingKey)
        else { return nil }
        return (worker, addressee, id)
    }

    /// Whether it is a person's command about a dead letter.
    var isAboutDeadLetter: Bool {
        guard case .message(let message) = content else { return false }
        if case .deadLetter = message.body { return true }
        return false
    }
    /// The worker that takes commands about the message if it becomes a dead letter. For an unroutable message it
    /// is the worker that reads what is published to that exchange.
    func ownerAsDeadLetter(of lane: Worker) -> Worker {
        guard InboundMessage.isGivenUp(queue) else { return lane }
        switch arrival.exchange {
        case Topology.Exchange.intake: return .intake
        case Topology.Exchange.feedback: return .feedback
        case Topology.Exchange.command:
            let words = routingKey.split(separator: ".")
            return words.count > 2 ? Worker(rawValue: String(words[2])) ?? lane : lane
        default: return type.flatMap(MessageType.init(rawValue:))?.definition.readers.first ?? lane
        }
    }
    /// The routing key as the database can store it: it may contain U+0000, which a text in PostgreSQL cannot.
    var routingKey: String { InboundMessage.keepable(arrival.routingKey) }
    var contentType: String? { arrival.contentType }

    /// The type as written, if it looks like one, for refusals and dead letters.
    var type: String? {
        switch content {
        case .message(let message): message.envelope.type.rawValue
        case .refused(let refused): refused.type
        case .dead(_, let type): type
        }
    }
}
