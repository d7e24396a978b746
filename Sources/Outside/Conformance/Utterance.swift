public import AMQP
import Casework
import Contract

/// A message of the unit, as the broker delivers it.
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
    /// The worker whose user publishes it; the broker verifies the user.
    let sender: Worker
    let queue: String
    let exchange: String
    let type: String
    let subject: String
    let body: [UInt8]
}

/// One fault, in words for the developers of a unit.
public struct Fault: Sendable, Hashable {
    /// The name of the scenario it belongs to, whichever scenario was running.
    public let scenario: String
    /// The handoff it concerns, if known.
    public let subject: String?
    public let text: String
}

/// The result of the run for one scenario.
public struct Verdict: Sendable, Hashable, Codable {
    public enum Outcome: String, Sendable, Hashable, Codable {
        case passed, failed
        /// Another fault prevented the judgement.
        case notJudged = "not_judged"
    }

    public let scenario: String
    public let expectation: String
    public let outcome: Outcome
    public let reasons: [String]
}
