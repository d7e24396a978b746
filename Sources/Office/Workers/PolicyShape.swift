import Basics
import Casework
import Yams

/// The keys of a policy and the shape of the value of each. `docs/policy.md` describes every key; a test compares the
/// two.
indirect enum PolicyShape: Sendable {
    case text, id, number, flag, span
    case choice([String])
    case list(PolicyShape)
    /// Lists of texts; the keys are free names.
    case lists
    case fields([String: Field])

    struct Field: Sendable {
        let shape: PolicyShape
        let isRequired: Bool
    }

    /// A mapping with the required keys `needed` and the keys `optional`.
    private static func object(
        _ needed: KeyValuePairs<String, PolicyShape>, _ optional: KeyValuePairs<String, PolicyShape> = [:]
    )
        -> PolicyShape
    {
        var fields: [String: Field] = [:]
        for (name, shape) in needed { fields[name] = Field(shape: shape, isRequired: true) }
        for (name, shape) in optional { fields[name] = Field(shape: shape, isRequired: false) }
        return .fields(fields)
    }

    /// The expected value, for error texts.
    var words: String {
        switch self {
        case .text: "text"
        case .id: "id"
        case .number: "whole number"
        case .flag: "true or false"
        case .span: "length of time"
        case .choice(let words): "one of " + words.joined(separator: ", ")
        case .list(.text): "list of texts"
        case .list(.choice(let words)): "list of " + words.joined(separator: ", ")
        case .list: "list of rows"
        case .lists: "lists of texts by name"
        case .fields: "keys"
        }
    }

    /// A valid value in place of one that cannot be read, so that the rest of the file can be checked.
    var placeholder: Node {
        switch self {
        case .text, .id: "-"
        case .number: "1"
        case .flag: "false"
        case .span: "1 day"
        case .choice(let words): Node(words.first ?? "")
        case .list: Node([Node]())
        case .lists: Node([(Node, Node)]())
        case .fields(let fields):
            Node(fields.filter(\.value.isRequired).map { (Node($0.key), $0.value.shape.placeholder) })
        }
    }

    static let policy = object(
        [
            "name": .text, "version": .number, "title": .text, "vocabulary": vocabulary, "sealed": .list(sealedRow),
            "scope": scope, "repeats": .list(repeatRow), "routing": routing, "clocks": .list(clockRow),
            "returns": .list(returnRow), "conclusions": .list(conclusionRow),
        ],
        [
            "word_lists": .lists, "placeholders": .list(.text), "case_office": .id, "barrier": barrierRow,
            "time_zone": .text, "duties": .list(dutyRow), "approvals": .list(approvalRow),
        ])

    private static let term = object(["id": .text, "name": .text])

    private static let vocabulary = object([
        "levels": .list(term), "categories": .list(term), "source_kinds": .list(term), "unit_kinds": .list(term),
        "return_reasons": .list(term), "conclusion_outcomes": .list(term), "authorities": .list(term),
        "matter_kinds": .list(object(["id": .text, "name": .text, "counts_as_accusation": .flag, "accepted": .flag])),
        "handoff_kinds": .list(
            object(
                ["id": .text, "name": .text, "result_owed": .flag, "needs_approval": .flag, "express": .flag],
                ["no_clock_reason": .text])),
        "dispositions": .list(object(["id": .text, "name": .text, "terminal": .flag], ["look_again_after": .span])),
    ])

    /// The facts, and the conditions on the text.
    private static let condition: PolicyShape = {
        var fields = ["any_of": list(.text), "none_of": list(.text), "proposal": flag]
        for fact in Fact.all {
            fields[fact.name] = if case .flag = fact.answer { flag } else { list(.text) }
        }
        return .fields(fields.mapValues { Field(shape: $0, isRequired: false) })
    }()

    private static let otherwise = object(["id": .text, "reason": .text], ["citation": .text])

    private static let barrierRow = object(
        ["id": .text, "organ_words": .list(.text), "reason": .text],
        ["ordinary_words": .list(.text), "citation": .text])

    private static let sealedRow = object(
        ["id": .text, "when": condition, "unit_kind": .text, "handoff_kind": .text], ["citation": .text])

    private static let scope = object([
        "rows": .list(
            object(
                ["id": .text, "when": condition, "decide": .choice(ScopeRow.Decision.allCases.map(\.rawValue))],
                ["matter_kind": .text, "authority": .text, "reason": .text, "citation": .text])),
        "proposals": .list(
            object(["id": .text, "authority": .text, "category": .text, "words": .list(.text)], ["citation": .text])),
        "title_weight": .number, "otherwise": otherwise,
    ])

    private static let repeatRow = object(
        ["id": .text, "same": .choice(RepeatRow.Basis.allCases.map(\.rawValue))], ["citation": .text])

    private static let routing = object([
        "rows": .list(
            object(
                [
                    "id": .text, "when": condition, "handoff_kind": .text,
                    "to": object(
                        ["unit_kinds": .list(.text)],
                        ["place": .choice(RoutingRow.Target.Place.allCases.map(\.rawValue))]),
                ], ["citation": .text])),
        "otherwise": otherwise,
    ])

    private static let clockRow = object(
        [
            "id": .text, "kind": .choice(ClockRow.Kind.allCases.map(\.rawValue)), "handoff_kinds": .list(.text),
            "starts": .choice(ClockStart.allCases.map(\.rawValue)), "within": .span, "steps": .list(step),
        ], ["citation": .text])

    private static let step = object(
        ["action": .choice(ClockPlan.Step.Action.allCases.map(\.rawValue))],
        ["after_start": .span, "before_due": .span, "after_due": .span, "every": .span, "times": .number])

    private static let dutyRow = object(
        [
            "id": .text, "name": .text, "owed_by": .choice(DutyRow.Owner.allCases.map(\.rawValue)),
            "each": .choice(DutyRow.Length.allCases.map(\.rawValue)), "within": .span, "steps": .list(step),
        ], ["unit_kinds": .list(.text), "citation": .text])

    private static let approvalRow = object(
        [
            "id": .text, "acts": .list(.choice(PersonAct.allCases.map(\.rawValue))),
            "roles": .list(.choice(PersonRole.allCases.map(\.rawValue))), "within": .span, "steps": .list(step),
        ], ["handoff_kinds": .list(.text), "citation": .text])

    private static let returnRow = object(
        ["id": .text, "approve": .flag, "message": .text],
        [
            "reasons": .list(.text), "handoff_kinds": .list(.text), "hops_max": .number, "text_characters_min": .number,
            "citation": .text,
        ])

    private static let conclusionRow = object(
        ["id": .text, "accept": .flag, "message": .text],
        [
            "outcomes": .list(.text), "disposition_given": .flag, "summary_given": .flag, "real_name": .flag,
            "real_name_answered": .flag, "times_returned_min": .number, "citation": .text,
        ])
}
