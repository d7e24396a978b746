public import Basics
import Foundation

/// An event with its time and actor: the content of one entry. Only this type writes and reads entries.
public struct LedgerRecord: Hashable, Sendable {
    public let event: LedgerEvent
    public internal(set) var at: Instant
    /// The actor: `unit.u7`, `office.routing`, `person.li`.
    public let by: String

    public init(_ event: LedgerEvent, at: Instant, by: String) {
        self.event = event
        self.at = at
        self.by = by
    }

    /// Reads an entry; `nil` if this version does not write such an entry.
    public init?(_ bytes: [UInt8]) {
        guard let words = LedgerWords(bytes), let at = words.at, let by = words.fields["by"],
            let event = LedgerEvent(words.fields)
        else {
            return nil
        }
        self.init(event, at: at, by: by)
        // An entry with more than its event, or in another form, was written by another program.
        guard self.bytes == bytes else { return nil }
    }

    /// The bytes that are stored and hashed; their form never changes. JSON with sorted keys; all values are strings.
    public var bytes: [UInt8] {
        var fields = event.details.map { (key: $0.key.rawValue, value: $0.value) }
        fields += [("at", at.description), ("by", by), ("event", event.word)]
        fields.sort { $0.key < $1.key }
        var json: [UInt8] = []
        json.reserveCapacity(64 * fields.count)
        for (key, value) in fields {
            json.append(UInt8(ascii: json.isEmpty ? "{" : ","))
            LedgerRecord.append(key, to: &json)
            json.append(UInt8(ascii: ":"))
            LedgerRecord.append(value, to: &json)
        }
        json.append(UInt8(ascii: "}"))
        return json
    }

    /// Codes and ids need no escapes. Any other character is replaced, so that a foreign byte cannot forge a field.
    private static func append(_ text: String, to json: inout [UInt8]) {
        func isPrintable(_ value: some BinaryInteger) -> Bool {
            (0x20...0x7E).contains(value) && value != 0x22 && value != 0x5C
        }
        json.append(UInt8(ascii: "\""))
        if text.utf8.allSatisfy(isPrintable) {
            json += text.utf8
        } else {
            json += text.unicodeScalars.map { isPrintable($0.value) ? UInt8($0.value) : UInt8(ascii: "?") }
        }
        json.append(UInt8(ascii: "\""))
    }
}

/// The names of details in an entry, beside `at`, `by` and `event`.
public enum LedgerKey: String, CaseIterable, Sendable {
    case act, action, addressee, approval, clock, commitment, decision, deadLetter = "dead_letter", disposition, due,
        duty,
        filedOn = "filed_on", first, handoff, key, kind, last, number, office, outcome, policy, reason, report
    case round, rule, settled, source, step, type, unit, verdict
}

extension LedgerEvent {
    /// The words of events that are neither a handoff event nor a clock step; those have their own words.
    private enum Word: String, CaseIterable {
        case entered, registered, sentToReview = "sent_to_review", proposed, routed, passedUp = "passed_up"
        case attachmentReceived = "paper_received", attachmentPassedUp = "paper_passed_up", withdrawn
        case deadLetterSettled = "dead_letter_settled"
        case dutyOpened = "duty_opened", dutyStep = "duty_step", dutyDone = "duty_done", dutyLapsed = "duty_lapsed"
        case dutiesSkipped = "duties_skipped"
    }

    /// The words of what persons decide.
    private enum DecisionWord: String, CaseIterable {
        case approvalAsked = "approval_asked", approvalStep = "approval_step", approvalDecided = "approval_decided"
        case reviewClosed = "review_closed", policyActivated = "policy_activated"
    }

    /// Every word that may be the value of `event`.
    public static let words =
        Word.allCases.map(\.rawValue) + DecisionWord.allCases.map(\.rawValue)
        + ClockPlan.Step.Action.allCases.map(\.rawValue)
        + HandoffEvent.allCases.map(\.rawValue)

    /// A stable word: `registered`, `routed`, `signed` …
    public var word: String {
        switch self {
        case .entered: Word.entered.rawValue
        case .registered: Word.registered.rawValue
        case .sentToReview: Word.sentToReview.rawValue
        case .proposed: Word.proposed.rawValue
        case .routed: Word.routed.rawValue
        case .passedUp: Word.passedUp.rawValue
        case .attachmentReceived: Word.attachmentReceived.rawValue
        case .attachmentPassedUp: Word.attachmentPassedUp.rawValue
        case .withdrawn: Word.withdrawn.rawValue
        case .deadLetterSettled: Word.deadLetterSettled.rawValue
        case .dutyOpened: Word.dutyOpened.rawValue
        case .dutyStep: Word.dutyStep.rawValue
        case .dutyDone: Word.dutyDone.rawValue
        case .dutyLapsed: Word.dutyLapsed.rawValue
        case .dutiesSkipped: Word.dutiesSkipped.rawValue
        case .approvalAsked: DecisionWord.approvalAsked.rawValue
        case .approvalStep: DecisionWord.approvalStep.rawValue
        case .approvalDecided: DecisionWord.approvalDecided.rawValue
        case .reviewClosed: DecisionWord.reviewClosed.rawValue
        case .policyActivated: DecisionWord.policyActivated.rawValue
        case .clockStep(let step): step.action.rawValue
        case .moved(_, let move, _): move.event.rawValue
        }
    }

    public subscript(key: LedgerKey) -> String? { details.first { $0.key == key }?.value }

    public var details: [(key: LedgerKey, value: String)] {
        switch self {
        case .entered(let subject): [(subject.kind == .unit ? .unit : .office, subject.id)]
        case .registered(let new):
            [
                (.report, new.report.description), (.number, new.number), (.source, new.source.rawValue),
                (.verdict, new.verdict.rawValue),
                (.rule, new.rule), (.commitment, new.commitment),
            ]
        case .sentToReview(let rule, let act): [(.rule, rule), (.act, act)]
        case .proposed(let new), .routed(let new):
            [
                (.handoff, new.handoff.description), (.unit, new.unit.rawValue), (.kind, new.kind), (.rule, new.rule),
                (.act, new.act),
                (.commitment, new.commitment),
            ]
        case .passedUp(let handoff, let unit, let key, let rule, let commitment):
            [
                (.handoff, handoff.description), (.unit, unit.rawValue), (.key, key), (.rule, rule),
                (.commitment, commitment),
            ]
        case .attachmentReceived(let act, let commitment): [(.act, act), (.commitment, commitment)]
        case .attachmentPassedUp(let handoff, let key, let act, let commitment):
            [(.handoff, handoff.description), (.key, key), (.act, act), (.commitment, commitment)]
        case .withdrawn(let type, let addressee, let handoff):
            [(.type, type), (.addressee, addressee)] + (handoff.map { [(.handoff, $0.description)] } ?? [])
        case .deadLetterSettled(let letter, let end, let reason):
            [(.deadLetter, letter.lowercased), (.settled, end.rawValue), (.reason, reason)]
        case .dutyOpened(let key, let due, let rule):
            [(.duty, key.description), (.due, due.description), (.rule, rule)]
        case .dutyStep(let key, let action, let step, let due, let rule):
            [
                (.duty, key.description), (.action, action.rawValue), (.step, String(step)), (.due, due.description),
                (.rule, rule),
            ]
        case .dutyDone(let key, let act): [(.duty, key.description), (.act, act)]
        case .dutyLapsed(let key): [(.duty, key.description)]
        case .dutiesSkipped(let duty, let first, let last):
            [(.duty, duty), (.first, first.description), (.last, last.description)]
        case .approvalAsked(let id, let what, let handoff, let rule, let act):
            [(.approval, id.description), (.kind, what.rawValue)]
                + (handoff.map { [(.handoff, $0.description)] } ?? []) + [(.rule, rule), (.act, act)]
        case .approvalStep(let id, let action, let step, let due, let rule):
            [
                (.approval, id.description), (.action, action.rawValue), (.step, String(step)),
                (.due, due.description), (.rule, rule),
            ]
        case .approvalDecided(let id, let state, let act):
            [(.approval, id.description), (.decision, state.rawValue), (.act, act)]
        case .reviewClosed(let state, let rule, let act):
            [(.verdict, state.rawValue), (.rule, rule), (.act, act)]
        case .policyActivated(let policy, let act): [(.policy, policy), (.act, act)]
        case .clockStep(let step):
            [
                (.handoff, step.handoff.description), (.clock, step.clock), (.round, String(step.round)),
                (.step, String(step.step)),
                (.due, step.due.description), (.rule, step.rule),
            ]
        case .moved(let handoff, let move, let act):
            [(.handoff, handoff.description)] + (act.map { [(.act, $0)] } ?? []) + move.details
        }
    }

    /// The event in an entry's fields; other fields are ignored.
    init?(_ fields: [String: String]) {
        do { self = try LedgerEvent(Details(fields: fields)) } catch { return nil }
    }

    private init(_ details: Details) throws(Details.Missing) {
        let word = details.fields["event"] ?? ""
        if let event = HandoffEvent(rawValue: word) {
            self = .moved(
                try details.handoff, try HandoffMove(event, details), act: try details.act(of: event))
        } else if let action = ClockPlan.Step.Action(rawValue: word) {
            self = .clockStep(
                ClockStep(
                    action: action, handoff: try details.handoff, clock: try details.text(.clock),
                    round: try details.read(.round) { Int($0) }, step: try details.read(.step) { Int($0) },
                    due: try details.due, rule: try details.text(.rule)))
        } else if let word = DecisionWord(rawValue: word) {
            self = try LedgerEvent(word, details)
        } else {
            switch try details.word(word) as Word {
            case .entered: self = .entered(try details.subject)
            case .registered:
                self = .registered(
                    Registration(
                        report: try details.read(.report) { ReportID($0) }, number: try details.text(.number),
                        source: try details.read(.source) { SourceID($0) },
                        verdict: try details.word(details.text(.verdict)), rule: try details.text(.rule),
                        commitment: try details.text(.commitment)))
            case .sentToReview: self = .sentToReview(rule: try details.text(.rule), act: try details.text(.act))
            case .proposed: self = .proposed(try NewHandoff(details))
            case .routed: self = .routed(try NewHandoff(details))
            case .passedUp:
                self = .passedUp(
                    handoff: try details.handoff, unit: try details.unit, key: try details.text(.key),
                    rule: try details.text(.rule), commitment: try details.text(.commitment))
            case .attachmentReceived:
                self = .attachmentReceived(act: try details.text(.act), commitment: try details.text(.commitment))
            case .attachmentPassedUp:
                self = .attachmentPassedUp(
                    handoff: try details.handoff, key: try details.text(.key), act: try details.text(.act),
                    commitment: try details.text(.commitment))
            case .withdrawn:
                self = .withdrawn(
                    type: try details.text(.type), addressee: try details.text(.addressee),
                    handoff: try details.handoffOrNone)
            case .deadLetterSettled:
                self = .deadLetterSettled(
                    try details.read(.deadLetter) { UUID(uuidString: $0) },
                    as: try details.word(details.text(.settled)),
                    reason: try details.text(.reason))
            case .dutyOpened: self = .dutyOpened(try details.duty, due: try details.due, rule: try details.text(.rule))
            case .dutyStep:
                self = .dutyStep(
                    try details.duty, try details.word(details.text(.action)),
                    step: try details.read(.step) { Int($0) }, due: try details.due, rule: try details.text(.rule))
            case .dutyDone: self = .dutyDone(try details.duty, act: try details.text(.act))
            case .dutyLapsed: self = .dutyLapsed(try details.duty)
            case .dutiesSkipped:
                self = .dutiesSkipped(
                    duty: try details.text(.duty), first: try details.read(.first) { DutyPeriod($0) },
                    last: try details.read(.last) { DutyPeriod($0) })
            }
        }
    }

    private init(_ word: DecisionWord, _ details: Details) throws(Details.Missing) {
        switch word {
        case .approvalAsked:
            self = .approvalAsked(
                try details.approval, try details.word(details.text(.kind)), handoff: try details.handoffOrNone,
                rule: try details.text(.rule), act: try details.text(.act))
        case .approvalStep:
            self = .approvalStep(
                try details.approval, try details.word(details.text(.action)),
                step: try details.read(.step) { Int($0) }, due: try details.due, rule: try details.text(.rule))
        case .approvalDecided:
            self = .approvalDecided(
                try details.approval, as: try details.word(details.text(.decision)), act: try details.text(.act))
        case .reviewClosed:
            self = .reviewClosed(
                as: try details.word(details.text(.verdict)), rule: try details.text(.rule),
                act: try details.text(.act))
        case .policyActivated: self = .policyActivated(try details.text(.policy), act: try details.text(.act))
        }
    }
}

extension LedgerEvent.NewHandoff {
    fileprivate init(_ details: Details) throws(Details.Missing) {
        self.init(
            handoff: try details.handoff, unit: try details.unit, kind: try details.text(.kind),
            rule: try details.text(.rule), act: try details.text(.act), commitment: try details.text(.commitment))
    }
}

extension HandoffMove {
    fileprivate var details: [(key: LedgerKey, value: String)] {
        switch self {
        case .approved, .confirmed, .unroutable, .signed, .progressed, .recalled, .sentAgain, .resent: []
        case .returned(let reason, let rule): [(.reason, reason), (.rule, rule)]
        case .decided(let disposition): [(.disposition, disposition)]
        case .caseFiled(let day), .caseNotified(let day): [(.filedOn, day.description)]
        case .concluded(let outcome): [(.outcome, outcome)]
        case .conclusionAccepted(let rule), .conclusionSentBack(let rule): [(.rule, rule)]
        }
    }

    fileprivate init(_ event: HandoffEvent, _ details: Details) throws(Details.Missing) {
        switch event {
        case .approved: self = .approved
        case .confirmed: self = .confirmed
        case .unroutable: self = .unroutable
        case .signed: self = .signed
        case .returned: self = .returned(reason: try details.text(.reason), rule: try details.text(.rule))
        case .progressed: self = .progressed
        case .decided: self = .decided(disposition: try details.text(.disposition))
        case .caseFiled: self = .caseFiled(on: try details.read(.filedOn) { CivilDate($0) })
        case .caseNotified: self = .caseNotified(filedOn: try details.read(.filedOn) { CivilDate($0) })
        case .concluded: self = .concluded(outcome: try details.text(.outcome))
        case .conclusionAccepted: self = .conclusionAccepted(rule: try details.text(.rule))
        case .conclusionSentBack: self = .conclusionSentBack(rule: try details.text(.rule))
        case .recalled: self = .recalled
        case .sentAgain: self = .sentAgain
        case .resent: self = .resent
        }
    }
}

/// The details of an entry while it is read.
private struct Details {
    struct Missing: Error {}

    let fields: [String: String]

    func read<Value>(_ key: LedgerKey, _ value: (String) -> Value?) throws(Missing) -> Value {
        guard let value = fields[key.rawValue].flatMap(value) else { throw Missing() }
        return value
    }

    func text(_ key: LedgerKey) throws(Missing) -> String { try read(key) { $0 } }

    func word<Word: RawRepresentable>(_ text: String) throws(Missing) -> Word where Word.RawValue == String {
        guard let word = Word(rawValue: text) else { throw Missing() }
        return word
    }

    /// The act that caused an event. Events of the broker have none, nor does a recall by a new barrier.
    func act(of event: HandoffEvent) throws(Missing) -> String? {
        switch event {
        case .confirmed, .unroutable: nil
        case .recalled: fields[LedgerKey.act.rawValue]
        default: try text(.act)
        }
    }

    var handoff: HandoffID { get throws(Missing) { try read(.handoff) { HandoffID($0) } } }
    var handoffOrNone: HandoffID? {
        get throws(Missing) { fields[LedgerKey.handoff.rawValue] == nil ? nil : try handoff }
    }
    var approval: ApprovalID { get throws(Missing) { try read(.approval) { ApprovalID($0) } } }
    var due: Instant { get throws(Missing) { try read(.due) { Instant($0) } } }
    var duty: DutyKey { get throws(Missing) { try read(.duty) { DutyKey($0) } } }
    var unit: UnitID { get throws(Missing) { try read(.unit) { UnitID($0) } } }
    var subject: LedgerSubject {
        get throws(Missing) {
            if let unit = fields[LedgerKey.unit.rawValue] { return LedgerSubject(kind: .unit, id: unit) }
            return LedgerSubject(kind: .office, id: try text(.office))
        }
    }
}
