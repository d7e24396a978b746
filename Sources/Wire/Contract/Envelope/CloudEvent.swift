public import Basics
import Casework

/// One message on the wire: CloudEvents 1.0, structured JSON.
///
/// `id` identifies the act and is the same on every resend; `subject` names what the message is about and is repeated
/// on every reply; `inreplyto` is the id of the act that is answered.
public struct CloudEvent<Payload: Codable & Sendable>: Codable, Sendable {
    public var specversion = "1.0"
    public var id: String
    public var source: Party
    public var type: MessageType
    public var subject: String
    public var time: Instant
    public var inreplyto: String?
    public var datacontenttype: String? = MediaType.json
    public var data: Payload

    public init(
        id: String, source: Party, type: MessageType, subject: String, time: Instant, inreplyto: String? = nil,
        datacontenttype: String? = MediaType.json, data: Payload
    ) {
        self.id = id
        self.source = source
        self.type = type
        self.subject = subject
        self.time = time
        self.inreplyto = inreplyto
        self.datacontenttype = datacontenttype
        self.data = data
    }
}

/// The head of a message without its data.
public struct Envelope: Codable, Hashable, Sendable {
    public var specversion: String
    public var id: String
    public var source: Party
    public var type: MessageType
    public var subject: String
    public var time: Instant
    public var inreplyto: String?
    public var datacontenttype: String?

    init<Payload>(_ event: CloudEvent<Payload>) {
        specversion = event.specversion
        id = event.id
        source = event.source
        type = event.type
        subject = event.subject
        time = event.time
        inreplyto = event.inreplyto
        datacontenttype = event.datacontenttype
    }
}

/// The media types of bodies and of sealed data.
public enum MediaType {
    public static let json = "application/json"
    public static let cloudEvents = "application/cloudevents+json"
    /// Several events in one body; the office does not read it.
    static let cloudEventsBatch = "application/cloudevents-batch"
    static let cloudEventsOfAnyFormat = "application/cloudevents"
    public static let sealed = "application/vnd.bihuan.sealed+json"
}
