public import AMQP
import Casework
import Contract

/// A message of the unit, as the broker hands it over.
public struct Utterance: Sendable {
    public var routingKey: String
    public var properties: Properties
    public var body: [UInt8]

    public init(routingKey: String, properties: Properties, body: [UInt8]) {
        self.routingKey = routingKey
        self.properties = properties
        self.body = body
    }
}

/// A message of the office, ready to be published.
struct Sending: Sendable, Equatable {
    /// Under whose user; the broker vouches for it.
    let sender: Worker
    let queue: String
    let exchange: String
    let type: String
    let subject: String
    let body: [UInt8]
}

/// Something that is wrong, in words for the developers of a unit.
public struct Fault: Sendable, Hashable {
    /// The name of the scenario it belongs to, whichever was being played.
    public let scenario: String
    /// The handoff it was about, where that is known.
    public let subject: String?
    public let text: String
}

/// What the run came to for one scenario.
public struct Verdict: Sendable, Hashable, Codable {
    public enum Outcome: String, Sendable, Hashable, Codable {
        case passed, failed
        /// Something else that is wrong kept it from being judged.
        case notJudged = "not_judged"
    }

    public let scenario: String
    public let expectation: String
    public let outcome: Outcome
    public let reasons: [String]
}
