import Basics
public import Casework
import Yams

/// Reads a policy as officials write it: YAML, UTF-8, one document.
///
/// What YAML allows and a policy does not need is refused: anchors and aliases (a few lines of which can unfold to
/// gigabytes), tags, several documents, a key twice, deep nesting, files beyond `bytesMax` or `YAMLText.valuesMax`.
public enum PolicyFile {
    public static let bytesMax = 1 << 20
    public static let depthMax = 12
    /// A file is given up after this many problems.
    public static let problemsMax = 100

    /// Reads, but does not judge whether the rows make sense together: `Rulebook.init` does that too, and for every policy.
    /// Here the same check runs in order to name all problems of the file at once.
    /// - Parameter named: what to call the file in problems.
    public static func read(_ yaml: String, named name: String) throws(PolicyError) -> Policy {
        func refuse(_ message: String, line: Int? = nil) -> PolicyError {
            PolicyError(.unreadable, name: name, problems: [PolicyProblem(path: "", message: message, line: line)])
        }
        do throws(YAMLText.Refusal) {
            try YAMLText.check(yaml, bytesMax: bytesMax, subject: "a policy")
        } catch {
            throw refuse(error.message, line: error.line)
        }
        let root: Node
        do {
            guard let node = try Yams.compose(yaml: yaml) else { throw refuse("the file is empty") }
            root = node
        } catch let error as PolicyError {
            throw error
        } catch let error as YamlError {
            let (message, line) = explain(error)
            throw refuse(message, line: line)
        } catch {
            throw refuse("the file is no YAML")
        }

        var reader = ShapeReader()
        reader.check(root, PolicyShape.policy, path: "", depth: 0)
        if reader.isFatal { throw PolicyError(.invalid, name: name, problems: reader.problems) }
        let policy: Policy
        do {
            policy = try YAMLDecoder().decode(Policy.self, from: root)
        } catch {
            // The shape was checked, so this tells of a gap between the shape and the type, not of the file.
            throw PolicyError(
                .invalid, name: name,
                problems: reader.problems + [PolicyProblem(path: path(of: error), message: "cannot be read")])
        }
        let problems = reader.problems + policy.validate().map { $0.at(line: reader.lines[$0.path]) }
        guard problems.isEmpty else { throw PolicyError(.invalid, name: name, problems: problems) }
        return policy
    }

    private static func explain(_ error: YamlError) -> (message: String, line: Int?) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            ("the file is no YAML: \(problem)", mark.line)
        case .duplicatedKeysInMapping(let keys, let context):
            ("the same key stands twice: \(keys.prefix(3).map { String($0.prefix(40)) }.joined(separator: ", "))", context.mark.line)
        default:
            ("the file is no YAML", nil)
        }
    }

    private static func path(of error: any Error) -> String {
        let context: DecodingError.Context? =
            switch error as? DecodingError {
            case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
                .dataCorrupted(let context):
                context
            default: nil
            }
        return context?.codingPath.map(\.stringValue).joined(separator: ".") ?? ""
    }
}

extension PolicyProblem {
    fileprivate func at(line: Int?) -> PolicyProblem { PolicyProblem(path: path, message: message, line: line) }
}

/// Holds a tree against the shape of a policy and gathers what differs.
private struct ShapeReader {
    private(set) var problems: [PolicyProblem] = []
    /// Something stands where the type needs something else, so that decoding would fail.
    private(set) var isFatal = false
    /// Where each path stands in the file.
    private(set) var lines: [String: Int] = [:]

    mutating func check(_ node: Node, _ shape: PolicyShape, path: String, depth: Int) {
        lines[path] = node.mark?.line
        guard depth <= PolicyFile.depthMax else {
            return fail(node, path, "is nested too deep: at most \(PolicyFile.depthMax) levels")
        }
        switch shape {
        case .text: if text(of: node) == nil { fail(node, path, "must be a text") }
        case .number: if text(of: node).flatMap({ Int($0) }) == nil { fail(node, path, "must be a whole number") }
        case .flag: if !["true", "false"].contains(text(of: node)) { fail(node, path, "must be true or false") }
        case .span: if text(of: node).flatMap({ Span($0) }) == nil { fail(node, path, Span.shape) }
        case .choice(let words): choice(node, words, path)
        case .list(let element): list(node, element, path, depth)
        case .lists: lists(node, path, depth)
        case .fields(let fields): mapping(node, fields, path, depth)
        }
    }

    private mutating func choice(_ node: Node, _ words: [String], _ path: String) {
        guard let word = text(of: node) else { return fail(node, path, "must be one of \(words.joined(separator: ", "))") }
        if !words.contains(word) {
            if hasEnough { return isFatal = true }
            let hint = Suggestion.phrase(for: word, among: words)
            fail(node, path, "\"\(word.prefix(40))\" is none of \(words.joined(separator: ", "))\(hint)")
        }
    }

    private mutating func list(_ node: Node, _ element: PolicyShape, _ path: String, _ depth: Int) {
        guard case .sequence(let sequence) = node else { return fail(node, path, "must be a list") }
        for (index, item) in sequence.enumerated() { check(item, element, path: "\(path)[\(index)]", depth: depth + 1) }
    }

    private mutating func lists(_ node: Node, _ path: String, _ depth: Int) {
        guard case .mapping(let mapping) = node else { return fail(node, path, "must be lists of words, each under its name") }
        for (key, value) in mapping {
            guard let name = text(of: key) else { return fail(key, path, "a name must be a text") }
            check(value, .list(.text), path: "\(path).\(name)", depth: depth + 1)
        }
    }

    private mutating func mapping(_ node: Node, _ fields: [String: PolicyShape.Field], _ path: String, _ depth: Int) {
        guard case .mapping(let mapping) = node else { return fail(node, path, "must hold keys and values") }
        let prefix = path.isEmpty ? "" : path + "."
        var missing = Set(fields.filter { $0.value.isRequired }.keys)
        for (key, value) in mapping {
            guard let name = text(of: key) else { return fail(key, path, "a key must be a text") }
            guard let field = fields[name] else {
                if hasEnough { continue }
                let shown = String(name.prefix(40))
                add(key, prefix + shown, "unknown key" + Suggestion.phrase(for: shown, among: fields.keys))
                continue
            }
            missing.remove(name)
            check(value, field.shape, path: prefix + name, depth: depth + 1)
        }
        for name in missing.sorted() { fail(node, prefix + name, "is missing") }
    }

    /// A scalar without a tag of its own. An empty value is none.
    private func text(of node: Node) -> String? {
        guard case .scalar(let scalar) = node else { return nil }
        if scalar.style == .plain, scalar.string.isEmpty { return nil }
        return scalar.string
    }

    private mutating func fail(_ node: Node, _ path: String, _ message: String) {
        isFatal = true
        add(node, path, message)
    }

    /// What a further slip should have been is not looked for, and nothing more is told.
    private var hasEnough: Bool { problems.count >= PolicyFile.problemsMax }

    private mutating func add(_ node: Node, _ path: String, _ message: String) {
        guard !hasEnough else { return }
        problems.append(PolicyProblem(path: path, message: message, line: node.mark?.line))
    }
}

/// What keys a policy has, and what stands under each.
private indirect enum PolicyShape: Sendable {
    case text, number, flag, span
    case choice([String])
    case list(PolicyShape)
    /// Lists of texts under free names.
    case lists
    case fields([String: Field])

    struct Field: Sendable {
        let shape: PolicyShape
        let isRequired: Bool
    }

    /// `needed` and `optional` name the keys that stand under the same shape.
    private static func object(_ needed: KeyValuePairs<String, PolicyShape>, _ optional: KeyValuePairs<String, PolicyShape> = [:])
        -> PolicyShape
    {
        var fields: [String: Field] = [:]
        for (name, shape) in needed { fields[name] = Field(shape: shape, isRequired: true) }
        for (name, shape) in optional { fields[name] = Field(shape: shape, isRequired: false) }
        return .fields(fields)
    }

    static let policy = object(
        [
            "name": .text, "version": .number, "title": .text, "vocabulary": vocabulary, "sealed": .list(sealedRow),
            "scope": scope, "repeats": .list(repeatRow), "routing": routing, "clocks": .list(clockRow),
            "returns": .list(returnRow), "conclusions": .list(conclusionRow),
        ], ["word_lists": .lists, "placeholders": .list(.text), "case_office": .text, "barrier": barrierRow])

    private static let term = object(["id": .text, "name": .text])

    private static let vocabulary = object([
        "levels": .list(term), "categories": .list(term), "source_kinds": .list(term), "unit_kinds": .list(term),
        "return_reasons": .list(term), "conclusion_outcomes": .list(term),
        "matter_kinds": .list(object(["id": .text, "name": .text, "counts_as_accusation": .flag, "accepted": .flag])),
        "handoff_kinds": .list(
            object(
                ["id": .text, "name": .text, "result_owed": .flag, "needs_approval": .flag, "express": .flag],
                ["no_clock_reason": .text])),
        "dispositions": .list(object(["id": .text, "name": .text, "terminal": .flag], ["look_again_after": .span])),
        "authorities": .list(object(["id": .text, "name": .text], ["unit": .text])),
    ])

    private static let condition = object(
        [:],
        [
            "source_kind": .list(.text), "matter_kind": .list(.text), "level": .list(.text), "category": .list(.text),
            "region": .list(.text), "accused_named": .flag, "allegation_categorised": .flag, "real_name": .flag,
            "any_of": .list(.text), "none_of": .list(.text), "proposal": .flag,
        ])

    private static let otherwise = object(["id": .text, "reason": .text], ["citation": .text])

    private static let barrierRow = object(
        ["id": .text, "organ_words": .list(.text), "reason": .text], ["ordinary_words": .list(.text), "citation": .text])

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
            "starts": .choice(ClockStart.allCases.map(\.rawValue)), "within": .span,
            "steps": .list(
                object(
                    ["action": .choice(ClockPlan.Step.Action.allCases.map(\.rawValue))],
                    ["after_start": .span, "before_due": .span, "after_due": .span, "every": .span, "times": .number])),
        ], ["citation": .text])

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
