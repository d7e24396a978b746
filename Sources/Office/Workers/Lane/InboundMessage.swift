import AMQP
import Basics
import BrokerTopology
import CaseStore
import Casework
import Contract
import Crypto
import Foundation

/// What arrived: the bytes, and what of the transport a reader needs.
struct Arrival: Sendable {
    /// Empty where it was too long to be kept.
    let body: [UInt8]
    let routingKey: String
    /// Whom the broker vouches for.
    let userID: String?
    let type: String?
    let messageID: String?
    var contentType: String?
    var contentEncoding: String?
    /// How often it was delivered before.
    var deliveryCount = 0
    var headers: FieldTable = [:]
    /// Of a body that was too long to be kept.
    var omitted: OmittedBody?
}

extension Arrival {
    init(_ delivery: Delivery) {
        self.init(
            body: delivery.body, routingKey: delivery.routingKey, userID: delivery.properties.userID,
            type: delivery.properties.type, messageID: delivery.properties.messageID,
            contentType: delivery.properties.contentType, contentEncoding: delivery.properties.contentEncoding,
            deliveryCount: delivery.deliveryCount, headers: delivery.properties.headers, omitted: delivery.omitted)
    }

    /// What an SDK may have sent instead of the one form that the office reads.
    var foreignForm: ForeignForm? {
        // Some clients write a header's text as bytes.
        let texts = headers.compactMapValues { value in
            if case .bytes(let bytes) = value { String(validating: bytes, as: UTF8.self) } else { value.stringValue }
        }
        return ForeignForm(body: body, contentType: contentType, contentEncoding: contentEncoding, headers: texts)
    }
}

/// An arrival, read: who sent it, what act it is, and what it says or why it cannot be taken.
struct InboundMessage: Sendable {
    enum Content: Sendable {
        case message(Message)
        /// Readable enough to be refused to its sender.
        case refused(Refused)
        /// No act of anybody can be made of it: a dead letter. Its type as written, where it looks like one.
        case dead(Problem, type: String?)
    }

    struct Refused: Sendable {
        /// As written, where it looks like a type.
        let type: String?
        let problems: [Problem]
    }

    let queue: String
    let arrival: Arrival
    /// Who is answered; `nil` where there is nobody.
    let sender: Party?
    private(set) var key: InboxKey
    /// Of the body as it arrived. It is written nowhere: a name in the body would be found by it.
    let sha256: [UInt8]
    /// What the body is known by in the database: keyed.
    let digest: [UInt8]
    /// What answers are about: the subject, or of what has none the message id.
    private(set) var subject: String
    /// What answers reply to: the act's id, or of what has none the message id.
    private(set) var inReplyTo: String?
    private(set) var content: Content
    /// The dead letter that this was, when it goes through the line once more.
    let replayOf: UUID?
    /// What was done of it before its transaction; kept while that is tried again.
    var prepared: PreparedReport?
    /// What it says, where it can be read at all, also where it cannot be taken.
    let message: Message?
    /// The same that nobody can make an act of came more than once in a batch: each sending is answered.
    private(set) var sentAlso: [Sending] = []

    /// One sending of what ends as a dead letter: what its answer is about, and replies to.
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
        // Where nobody vouches for a name, the topic rule vouches for the owner that the key names. A user that is no
        // party, such as an administrator, speaks for nobody: what it sent is not held against the owner of its key.
        sender = arrival.userID == nil ? Party(ownerOf: arrival.routingKey) : claimed
        let senderName = sender?.description ?? arrival.userID.map(InboundMessage.keepable) ?? "unknown"

        let digestID = InboundMessage.id(of: digest)
        let messageID = arrival.messageID.flatMap { $0.isEmpty ? nil : $0 }
        do throws(Unreadable) {
            if let omitted = arrival.omitted { throw Unreadable.tooLarge(bytes: omitted.bytes) }
            let message = try Message(reading: arrival.body, typeHint: arrival.type)
            // What nobody vouches for, or came astray, must not take the id from the act when it is sent again as it
            // should be.
            let isAstray = claimed == nil || InboundMessage.isGivenUp(queue)
            self.message = message
            key = InboxKey(sender: senderName, eventID: isAstray ? digestID : message.envelope.id)
            subject = message.envelope.subject
            inReplyTo = message.envelope.id
            content = InboundMessage.judge(message, arrival, claimed: claimed, queue: queue)
        } catch {
            message = nil
            // Its head did not come as a body: it has used up no id.
            let form =
                ["not_json", "not_utf8", "not_cloudevents"].contains(error.problems.first?.code)
                ? arrival.foreignForm : nil
            let usableID = InboundMessage.printable(form == nil ? error.id : form?.id)
            let isAstray = claimed == nil || InboundMessage.isGivenUp(queue)
            // What has no head of its own is known by its bytes and what stands beside them: bytes alone may come in
            // many messages.
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
            // The office cannot be refused: what it sent itself and cannot read must be kept.
            if usableID != nil || form != nil, !isAstray, !(sender?.isOffice ?? false) {
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
        // Without a name that the broker vouched for there is nobody to hold to it.
        return claimed == nil ? .dead(problem, type: type) : .refused(Refused(type: type, problems: [problem]))
    }

    /// The same where the office does not know its sender: kept and answered, but nobody's act, so that it does not
    /// take the id from the act when that is sent again by one who is registered by then.
    var fromStranger: InboundMessage {
        var inbound = self
        inbound.key = InboxKey(sender: key.sender, eventID: InboundMessage.id(of: digest))
        if case .dead = content { return inbound }
        inbound.content = .dead(.unknownSource, type: type)
        return inbound
    }

    var sendings: [Sending] {
        [Sending(messageID: InboundMessage.printable(arrival.messageID), subject: subject, inReplyTo: inReplyTo)]
            + sentAlso
    }

    /// What no act can be made of, and its repeats in the same batch, as one. They differ at most in what their answers
    /// are about.
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

    /// The same without a word that its sender chose, but for its bytes, which are sealed: nothing that the database
    /// cannot take.
    func bare(_ problem: Problem) -> InboundMessage {
        var inbound = self
        let id = InboundMessage.id(of: digest)
        inbound.key = InboxKey(sender: key.sender, eventID: id)
        (inbound.subject, inbound.inReplyTo) = (id, nil)
        inbound.content = .dead(problem, type: nil)
        return inbound
    }

    private static func id(of digest: [UInt8]) -> String { "keyed:" + digest.hexadecimal }

    /// Queues in which only what the broker could not place ends.
    static func isGivenUp(_ queue: String) -> Bool {
        queue == Topology.Queue.unroutable || queue == Topology.Queue.dead
    }

    private static func keepable(_ text: String) -> String { text.replacing("\0", with: "\u{FFFD}") }

    /// The id that the message itself carries, where one can be read.
    var ownID: String { inReplyTo ?? key.eventID }

    private static func printable(_ text: String?) -> String? {
        text.flatMap { Limits.standard.admitsID($0) ? $0 : nil }
    }

    var body: [UInt8] { arrival.body }
    /// How many it had, also where they were not held.
    var bytes: Int { arrival.omitted?.bytes ?? arrival.body.count }
    /// The sender, or the broker's user where it is none, as a dead letter keeps it.
    var senderName: String? { sender?.description ?? arrival.userID.map(InboundMessage.keepable) }
    var isDead: Bool { if case .dead = content { true } else { false } }
    /// A message of the office's own that its addressee gave back for good (`basic.reject` without requeue), or that
    /// the broker gave up.
    var givenBack: (worker: Worker, addressee: Party, eventID: UUID)? {
        guard queue == Topology.Queue.dead, case .office(let worker) = sender, message == nil,
            let id = inReplyTo.flatMap(UUID.init(uuidString:)),
            let addressee = Party(ownerOf: arrival.routingKey)
        else { return nil }
        return (worker, addressee, id)
    }

    /// A person's word about a dead letter.
    var isAboutDeadLetter: Bool {
        guard case .message(let message) = content else { return false }
        if case .deadLetter = message.body { return true }
        return false
    }
    /// Who hears commands about it, should it end as a dead letter. What came astray is heard by the one it was meant
    /// for.
    func ownerAsDeadLetter(of lane: Worker) -> Worker {
        guard InboundMessage.isGivenUp(queue) else { return lane }
        guard let definition = type.flatMap(MessageType.init(rawValue:))?.definition else { return lane }
        switch definition.sender {
        case .source: return definition.readers.first ?? lane
        case .person:
            let words = routingKey.split(separator: ".")
            return words.count > 2 ? Worker(rawValue: String(words[2])) ?? lane : lane
        case .unit, .office: return lane
        }
    }
    /// As the database can keep it: a key may hold U+0000, which no text of PostgreSQL does.
    var routingKey: String { InboundMessage.keepable(arrival.routingKey) }
    var contentType: String? { arrival.contentType }

    /// The message's type as written, where it looks like one, for refusals and dead letters.
    var type: String? {
        switch content {
        case .message(let message): message.envelope.type.rawValue
        case .refused(let refused): refused.type
        case .dead(_, let type): type
        }
    }
}
