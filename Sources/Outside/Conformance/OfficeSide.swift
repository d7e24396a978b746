import AMQP
public import Basics
public import Casework
import Contract
import Crypto
import Foundation

/// The office's side of the exchange with one unit, without I/O. It keeps what was sent, judges the unit's messages
/// and returns the office's answers. The contract's own decoder, admission rules and state machine read every
/// message; an office's policy judges words, returns and conclusions.
public struct OfficeSide: Sendable {
    struct Handoff: Sendable {
        let scenario: String
        let conduct: Conduct
        /// A word of the policy.
        let kind: String
        /// The queue of its message and of its recall.
        let queue: String
        let sending: Sending
        let digest: [UInt8]
        var state = HandoffState.released
        var wasSent = false
        var recallIsKnown = false
        var hasDisposition = false
        var conclusions = 0
        /// The policy's answer to the last return or conclusion that it did not accept.
        var objection: String?
        var refusals = 0
        var early: [Message] = []
    }

    private struct Act: Sendable {
        let digest: [UInt8]
        let answers: [Sending]
    }

    public let unit: UnitID
    var handoffs: [String: Handoff] = [:]
    private var acts: [String: Act] = [:]
    public private(set) var faults: [Fault] = []
    /// The number of messages received from the unit.
    public private(set) var heardCount = 0
    let letters: Letters
    private let rulebook: Rulebook

    /// - Parameter run: eight hexadecimal digits that distinguish this run's handoffs from those of an earlier run.
    public init(unit: UnitID, run: String, rulebook: Rulebook) {
        self.unit = unit
        self.rulebook = rulebook
        letters = Letters(unit: unit, run: run)
    }

    // MARK: Messages of the office

    /// Creates a handoff without sending its message. Returns its id.
    mutating func announce(
        _ style: Style, express: Bool, conduct: Conduct, of scenario: String, at now: Instant
    ) -> String {
        let id = letters.newHandoffID(at: now)
        let kind =
            rulebook.policy.vocabulary.handoffKinds.first { $0.express == express }?.id
            ?? (express ? "assignment" : "transfer")
        let sending = letters.dispatch(id, style, kind: kind, express: express, at: now)
        handoffs[id] = Handoff(
            scenario: scenario, conduct: conduct, kind: kind, queue: sending.queue, sending: sending,
            digest: Array(SHA256.hash(data: sending.body)))
        return id
    }

    /// The message of a handoff, identical each time.
    mutating func dispatch(_ id: String) -> [Sending] {
        handoffs[id]?.wasSent = true
        return (handoffs[id]?.sending).map { [$0] } ?? []
    }

    mutating func recall(_ id: String, at now: Instant) -> [Sending] {
        guard var handoff = handoffs[id] else { return [] }
        do { _ = try handoff.state.apply(.recalled) } catch { return [] }
        handoffs[id] = handoff
        return [letters.recall(id, queue: handoff.queue, cause: "recalled", reason: "检验：收回该件", inReplyTo: nil, at: now)]
    }

    mutating func recallIsKnown(_ id: String) { handoffs[id]?.recallIsKnown = true }

    func isFulfilled(_ wish: Wish, of id: String) -> Bool {
        guard let handoff = handoffs[id] else { return false }
        switch wish {
        case .signature: return handoff.state != .released && handoff.state != .dispatched
        case .answer: return handoff.state == .closed || handoff.state == .returned
        case .secondConclusion: return handoff.conclusions >= 2 || handoff.state == .returned
        case .refusedAct: return handoff.refusals > 0
        }
    }

    // MARK: Messages of the unit

    /// Judges one message and returns the office's answers.
    mutating func hear(_ utterance: Utterance, at now: Instant) -> [Sending] {
        heardCount += 1
        let message: Message
        do {
            message = try Message(reading: utterance.body, typeHint: utterance.properties.type)
        } catch {
            return hearUnreadable(error, at: now)
        }
        let (id, subject) = (message.envelope.id, message.envelope.subject)
        let digest = Array(SHA256.hash(data: utterance.body))
        if let known = acts[id] {
            if known.digest == digest { return known.answers }
            note(
                Scenario.ids, subject,
                """
                two messages with the id \(id) differ; a resend is the same bytes under the same id, another act \
                has another id
                """
            )
            return [refusal(message, .idReused, "the id was used before for another message", at: now)]
        }
        noteForm(utterance, message)
        if let problem = Admission.problem(
            sender: utterance.properties.userID.flatMap { Party($0) }, routingKey: utterance.routingKey,
            envelope: message.envelope)
        {
            note(Scenario.form, subject, "\(message.envelope.type.short): \(problem)")
            // Not stored: a message with an unverified sender must not use up the id of the act.
            return [letters.refusal(of: id, type: message.envelope.type.rawValue, subject, [problem], at: now)]
        }
        let answers = perform(message, at: now)
        acts[id] = Act(digest: digest, answers: answers)
        return answers
    }

    /// Adds the faults that can be known only at the end.
    mutating func finish() {
        // If an earlier fault was found, the signature may have come and not counted.
        let found = Set(faults.compactMap(\.subject))
        for (id, handoff) in handoffs.sorted(by: { $0.key < $1.key })
        where !handoff.recallIsKnown && !found.contains(id) {
            for message in handoff.early {
                note(Scenario.order, id, "\(message.envelope.type.short) came, and handoff.signed before it never did")
            }
        }
    }

    private mutating func hearUnreadable(_ unreadable: Unreadable, at now: Instant) -> [Sending] {
        let problems = unreadable.problems
        // The contract has more types than the office handles. Sending one is no fault; it is answered with a refusal.
        if !problems.contains(where: { $0.code == "not_handled_yet" }) {
            for problem in problems {
                note(Scenario.form, unreadable.subject, "\(unreadable.type ?? "a message"): \(problem)")
            }
        }
        guard let id = unreadable.id, let subject = unreadable.subject ?? unreadable.id else { return [] }
        return [letters.refusal(of: id, type: unreadable.type, subject, problems, at: now)]
    }

    private mutating func noteForm(_ utterance: Utterance, _ message: Message) {
        let (envelope, properties) = (message.envelope, utterance.properties)
        let checks: [(Bool, String)] = [
            (properties.type == envelope.type.rawValue, "the property type must be \(envelope.type.rawValue)"),
            (
                properties.contentType == MediaType.cloudEvents,
                "the property content-type must be \(MediaType.cloudEvents)"
            ),
            (
                properties.deliveryMode == .persistent,
                "the property delivery-mode must be 2, or a restart of the broker loses the message"
            ),
            (properties.correlationID == envelope.subject, "the property correlation-id must be the subject"),
        ]
        for (isRight, text) in checks where !isRight {
            note(Scenario.form, envelope.subject, "\(envelope.type.short): \(text)")
        }
    }

    // MARK: Acts

    private mutating func perform(_ message: Message, at now: Instant) -> [Sending] {
        let subject = message.envelope.subject
        guard var handoff = handoffs[subject], handoff.wasSent || handoff.recallIsKnown else {
            // A unit that was stopped during an earlier run finishes what it began then.
            if !letters.isOfEarlierRun(subject) {
                note(
                    Scenario.uninvited, subject,
                    "\(message.envelope.type.short) is about \(subject), which was never handed to this unit")
            }
            return [refusal(message, .unknownHandoff, "no handoff with this id was addressed to you", at: now)]
        }
        if handoff.recallIsKnown {
            note(handoff.scenario, subject, "\(message.envelope.type.short) came after the recall was acknowledged")
            return [refusal(message, .recalled, "it was recalled and is no longer yours", at: now)]
        }
        if handoff.conduct == .refusesAll, handoff.state.isInHand {
            handoff.refusals += 1
            handoffs[subject] = handoff
            if handoff.refusals == Self.refusalsMax + 1 {
                note(
                    handoff.scenario, subject,
                    "\(handoff.refusals) acts were sent although each was refused: the unit loops")
            }
            return [
                refusal(
                    message, .wrongState, "the office takes no more acts of this handoff; send nothing again", at: now)
            ]
        }
        do {
            return try apply(message, to: subject, at: now)
        } catch {
            switch error {
            case .early: handoffs[subject]?.early.append(message)
            case .refused(let refusal, let state):
                noteRefused(message, refusal, state)
                return [self.refusal(message, refusal, "the handoff is \(state.replacing("_", with: " "))", at: now)]
            }
            return []
        }
    }

    /// The most acts a unit may send after refusals before it counts as looping.
    private static let refusalsMax = 5

    private mutating func noteRefused(_ message: Message, _ refusal: Refusal, _ state: String) {
        let subject = message.envelope.subject
        // The message crossed the recall, so it is no fault.
        if refusal == .recalled { return }
        if case .act(.signed) = message.body {
            note(
                Scenario.deliveredTwice, subject,
                "handoff.signed came again under another id (\(message.envelope.id)); the same act keeps its id")
        } else {
            note(
                Scenario.order, subject,
                "\(message.envelope.type.short) came while the handoff was \(state.replacing("_", with: " "))")
        }
    }

    private mutating func apply(_ message: Message, to id: String, at now: Instant) throws(Rejection) -> [Sending] {
        guard var handoff = handoffs[id] else { return [] }
        if let problem = rulebook.unknownWord(in: message) {
            note(Scenario.words, id, "\(message.envelope.type.short): \(problem)")
            return [
                letters.refusal(of: message.envelope.id, type: message.envelope.type.rawValue, id, [problem], at: now)
            ]
        }
        var answers: [Sending] = []
        let act = message.envelope.id
        // The admission rules have already refused all messages that a unit may not send.
        guard case .act(let said) = message.body else { return [] }
        switch said {
        case .signed(let data):
            // The state comes first, as at the office: a second signature is refused as such, whatever its digest.
            _ = try handoff.state.apply(.signed)
            guard [UInt8](hexadecimal: data.digest) == handoff.digest else {
                noteWrongDigest(data.digest, id, handoff)
                return [
                    refusal(
                        message, .wrongDigest,
                        "this is not the SHA-256 of the body that was sent; it is \(handoff.digest.hexadecimal)",
                        path: "data.digest", at: now)
                ]
            }
        case .returned(let data):
            _ = try handoff.state.apply(.returned)
            let ruling = rulebook.judgeReturn(
                reason: data.reason, text: data.text ?? "", handoffKind: handoff.kind, hopsSoFar: 0)
            guard ruling.approved else {
                let words = "\(ruling.message) (\(ruling.rule))"
                handoffs[id]?.objection = "the return was not approved: \(words)"
                return [refusal(message, .returnNotApproved, words, at: now)]
            }
            answers = [
                letters.recall(
                    id, queue: handoff.queue, cause: "return_approved", reason: ruling.message, inReplyTo: act, at: now)
            ]
        case .progressed: _ = try handoff.state.apply(.progressed)
        case .decided:
            _ = try handoff.state.apply(.decided)
            handoff.hasDisposition = true
        case .caseFiled: _ = try handoff.state.apply(.caseFiled)
        case .caseNotified: _ = try handoff.state.apply(.caseNotified)
        case .resendRequested:
            _ = try handoff.state.apply(.resent)
            answers = [handoff.sending]
        case .concluded(let data):
            _ = try handoff.state.apply(.concluded)
            let judged = judge(data, &handoff)
            _ = try handoff.state.apply(judged.accepted ? .conclusionAccepted : .conclusionSentBack)
            answers = [letters.judgement(id, accepted: judged.accepted, judged.data, inReplyTo: act, at: now)]
        }
        let held = handoff.early
        handoff.early = []
        handoffs[id] = handoff
        // Messages that came before the signature fit now, or never.
        for message in held { answers += perform(message, at: now) }
        return answers
    }

    /// Judges a conclusion by the policy. No reporter is known, so none has to be answered.
    private func judge(_ data: HandoffConcluded, _ handoff: inout Handoff) -> (accepted: Bool, data: ConclusionJudged) {
        // Every conclusion before this one was sent back.
        let ruling = rulebook.judgeConclusion(
            outcome: data.outcome, hasDisposition: handoff.hasDisposition,
            hasSummary: data.summary.contains { !$0.isWhitespace }, realNameAnswered: data.reporterAnswered,
            isRealName: false, timesReturned: handoff.conclusions)
        handoff.conclusions += 1
        if ruling.accepted, handoff.conduct == .sendsBackOnce, handoff.conclusions == 1 {
            return (false, ConclusionJudged(rule: "conformance@1/sent-back", text: "检验：请补充后再报"))
        }
        if !ruling.accepted {
            handoff.objection = "the last conclusion was sent back: \(ruling.message) (\(ruling.rule))"
        }
        return (ruling.accepted, ConclusionJudged(rule: ruling.rule.description, text: ruling.message))
    }

    private mutating func noteWrongDigest(_ digest: String, _ id: String, _ handoff: Handoff) {
        let scenario = Scenario.all.first { $0.name == handoff.scenario && $0.steps.count <= 2 }?.name ?? Scenario.signs
        var text =
            """
            handoff.signed carries the digest \(digest.prefix(64)), the body's SHA-256 is \
            \(handoff.digest.hexadecimal)
            """
        if let other = handoffs.first(where: { [UInt8](hexadecimal: digest) == $0.value.digest })?.key {
            text += "; it is that of handoff \(other)"
        } else if [UInt8](hexadecimal: digest)?.count != 32 {
            text += "; a digest is 64 hexadecimal digits"
        } else {
            text += "; hash the bytes as they came, before anything reads and writes them again"
        }
        note(scenario, id, text)
    }

    private func refusal(
        _ message: Message, _ refusal: Refusal, _ text: String, path: String? = nil, at now: Instant
    ) -> Sending {
        letters.refusal(
            of: message.envelope.id, type: message.envelope.type.rawValue, message.envelope.subject,
            [Problem(code: refusal.rawValue, path: path, text: text)], at: now)
    }

    private mutating func note(_ scenario: String, _ subject: String?, _ text: String) {
        let fault = Fault(scenario: scenario, subject: subject, text: text)
        if !faults.contains(fault) { faults.append(fault) }
    }
}
