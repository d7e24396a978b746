/// One requirement for a unit: a description, the messages to send, and the messages to expect.
public struct Scenario: Sendable {
    /// A stable name, for `--only` and for programs that read the results.
    public let name: String
    /// The expectation, in a sentence for the developers of a unit.
    public let expectation: String
    let steps: [Step]
    /// Whether it concerns every message of the whole run and has no steps of its own.
    public var isAboutAll: Bool { steps.isEmpty }

    /// All scenarios, in the order in which they run and are judged. Without a signature no later one can be judged.
    public static let all: [Scenario] = played + aboutAll

    static let played: [Scenario] = [
        Scenario(
            name: signs, expectation: "signs a handoff with the SHA-256 of its exact body",
            steps: [.dispatch("a"), .await(.signature, "a")]),
        Scenario(
            name: "concludes",
            expectation: "answers a handoff it has signed: concludes it, or returns it, in a way that the policy takes",
            steps: [.dispatch("a"), .await(.answer, "a")]),
        Scenario(
            name: "chinese-text",
            expectation: "signs rightly for Chinese text, rare characters, escapes and odd spacing",
            steps: [.dispatch("a", style: .chinese), .await(.signature, "a")]),
        Scenario(
            name: "large-body", expectation: "signs rightly for a body of 200 KB",
            steps: [.dispatch("a", style: .large), .await(.signature, "a")]),
        Scenario(
            name: "unknown-fields", expectation: "passes over fields it does not know",
            steps: [.dispatch("a", style: .unknownFields), .await(.signature, "a")]),
        Scenario(
            name: "express", expectation: "reads the express queue too",
            steps: [.dispatch("a"), .dispatch("b", express: true), .await(.signature, "b"), .await(.signature, "a")]),
        Scenario(
            name: deliveredTwice,
            expectation: "a handoff delivered twice is signed once, or again by the same act: same id, same bytes",
            steps: [
                .dispatch("a"), .await(.signature, "a"), .dispatchAgain("a"), .dispatch("marker"),
                .await(.signature, "marker"), .listen,
            ]),
        Scenario(
            name: "concludes-again",
            expectation: "concludes again, as a new act, when the office sends a conclusion back",
            steps: [.dispatch("a", conduct: .sendsBackOnce), .await(.secondConclusion, "a")]),
        Scenario(
            name: "recall", expectation: "does nothing more about a handoff once its recall is acknowledged",
            steps: [
                .dispatch("a"), .recall("a"), .dispatch("marker"), .await(.signature, "marker"), .listen,
                .recallIsKnown("a"),
                .dispatchAgain("a"), .dispatch("second marker"), .await(.signature, "second marker"), .listen,
            ]),
        Scenario(
            name: "recall-first",
            expectation: "keeps a recall that comes before its handoff, and never begins that handoff",
            steps: [
                .announce("a"), .recall("a"), .recallIsKnown("a"), .dispatchAgain("a"), .dispatch("marker"),
                .await(.signature, "marker"), .listen,
            ]),
        Scenario(
            name: refusal, expectation: "reads message.refused and does not send the same again and again",
            steps: [.dispatch("a", conduct: .refusesAll), .await(.refusedAct, "a"), .listen, .noticesRead]),
        Scenario(
            name: "unknown-type", expectation: "passes over types and versions it does not know, and goes on",
            steps: [.unknownTypes, .dispatch("a"), .await(.signature, "a")]),
    ]

    static let aboutAll: [Scenario] = [
        Scenario(
            name: form, expectation: "every message is well formed: user-id, source, routing key, properties, data",
            steps: []),
        Scenario(
            name: words, expectation: "every word is one of the policy's: outcomes, dispositions, reasons of a return",
            steps: []),
        Scenario(
            name: ids, expectation: "an id names one act: what is sent again under it is the same bytes", steps: []),
        Scenario(name: order, expectation: "every act fits the state of its handoff", steps: []),
        Scenario(name: uninvited, expectation: "publishes nothing about handoffs it never got", steps: []),
    ]

    static let signs = "signs"
    static let deliveredTwice = "delivered-twice"
    static let refusal = "refusal"
    static let form = "form"
    static let words = "words"
    static let ids = "ids"
    static let order = "order"
    static let uninvited = "uninvited"

    init(name: String, expectation: String, steps: [Step]) {
        self.name = name
        self.expectation = expectation
        self.steps = steps
    }

    /// The scenarios to run for one name. A scenario about all messages is judged on a handoff from beginning to end.
    static func playing(_ name: String) -> [Scenario]? {
        guard let wanted = all.first(where: { $0.name == name }) else { return nil }
        return wanted.isAboutAll ? played.filter { ["concludes", "concludes-again"].contains($0.name) } : [wanted]
    }
}

/// One step of a scenario. Handoffs have names within the scenario.
enum Step: Sendable {
    case dispatch(String, style: Style = .plain, express: Bool = false, conduct: Conduct = .judges)
    /// The handoff exists at the office, but its message is still in transit.
    case announce(String)
    /// The identical message again, as a broker redelivers it.
    case dispatchAgain(String)
    case recall(String)
    /// From here on the unit has acknowledged the recall, so no message may cross it any more.
    case recallIsKnown(String)
    /// Messages of types that a unit cannot know, in each of its queues.
    case unknownTypes
    case await(Wish, String)
    /// Waits for unexpected messages.
    case listen
    /// The unit has emptied its notice queue.
    case noticesRead
}

/// The form of a handoff's body.
enum Style: Sendable { case plain, chinese, large, unknownFields }

/// How the office answers a unit's acts in one handoff.
enum Conduct: Sendable {
    case judges
    /// The first conclusion is sent back.
    case sendsBackOnce
    /// Every act after the signature is refused.
    case refusesAll
}

/// The act that is expected of a unit.
enum Wish: Sendable {
    case signature
    /// A conclusion or a return.
    case answer
    /// A conclusion after the one that was sent back; a return also counts.
    case secondConclusion
    case refusedAct

    /// The text for a person if the act did not come.
    var words: String {
        switch self {
        case .signature: "no handoff.signed"
        case .answer: "no handoff.concluded and no handoff.returned that the office takes"
        case .secondConclusion: "no second handoff.concluded after conclusion.returned"
        case .refusedAct: "no act after the signature"
        }
    }
}
