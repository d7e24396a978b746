import Basics
import Casework
import Text
import Yams

/// Compares a YAML tree with the shape of a policy, collects the differences, and repairs the tree so that it can be
/// decoded.
struct PolicyShapeReader {
    private(set) var problems: [PolicyProblem] = []
    /// The paths of values that cannot be read or are missing. The tree has a placeholder there.
    private(set) var broken: [String] = []
    /// The line of each path in the file: that of its key, or of its item in a list.
    private(set) var lines: [String: Int] = [:]
    /// Keys that were already reported.
    var ignored: Set<String> = []

    mutating func check(_ node: Node, _ shape: PolicyShape, path: String, line: Int?, depth: Int) -> Node {
        lines[path] = line
        guard depth <= PolicyFile.depthMax else {
            return fail("is nested too deep: at most \(PolicyFile.depthMax) levels", shape, path, line)
        }
        switch shape {
        case .text: return text(of: node) != nil ? node : fail("must be a text", shape, path, line)
        case .id:
            return text(of: node).flatMap { UnitID($0) } != nil
                ? node : fail("an id matches [a-z0-9-]{1,40}", shape, path, line)
        case .number:
            // Rewritten because the decoder reads 010 as 8, and does not read a number in quotes.
            return text(of: node).flatMap { Int($0) }.map { Node("\($0)") }
                ?? fail("must be a whole number, such as 3", shape, path, line)
        case .flag:
            return text(of: node).flatMap { Bool($0) }.map { Node("\($0)") }
                ?? fail("must be true or false", shape, path, line)
        case .span: return text(of: node).flatMap { Span($0) } != nil ? node : fail(Span.shape, shape, path, line)
        case .choice(let words): return choice(node, words, path, line)
        case .list(let element): return list(node, element, path, line, depth)
        case .lists: return lists(node, path, line, depth)
        case .fields(let fields): return mapping(node, fields, path, line, depth)
        }
    }

    private mutating func choice(_ node: Node, _ words: [String], _ path: String, _ line: Int?) -> Node {
        let known = words.joined(separator: ", ")
        guard let word = text(of: node) else { return fail("must be one of \(known)", .choice(words), path, line) }
        if words.contains(word) { return node }
        let hint = hasEnough ? "" : Suggestion.phrase(for: word, among: words)
        return fail("\"\(word.prefix(40))\" is none of \(known)\(hint)", .choice(words), path, line)
    }

    private mutating func list(_ node: Node, _ element: PolicyShape, _ path: String, _ line: Int?, _ depth: Int) -> Node
    {
        guard case .sequence(let sequence) = node else {
            return fail("must be a list: [a, b], or lines that begin with a dash", .list(element), path, line)
        }
        return Node(
            sequence.enumerated().map { index, item in
                check(item, element, path: "\(path)[\(index)]", line: item.mark?.line, depth: depth + 1)
            })
    }

    private mutating func lists(_ node: Node, _ path: String, _ line: Int?, _ depth: Int) -> Node {
        guard case .mapping(let mapping) = node else {
            return fail("must be lists of words, each under its name", .lists, path, line)
        }
        var pairs: [(Node, Node)] = []
        for (key, value) in mapping {
            guard let name = text(of: key) else { return fail("a name must be a text", .lists, path, key.mark?.line) }
            if ignored.contains(name) { continue }
            pairs.append(
                (key, check(value, .list(.text), path: "\(path).\(name)", line: key.mark?.line, depth: depth + 1)))
        }
        return Node(pairs)
    }

    private mutating func mapping(
        _ node: Node, _ fields: [String: PolicyShape.Field], _ path: String, _ line: Int?, _ depth: Int
    ) -> Node {
        let prefix = path.isEmpty ? "" : path + "."
        guard case .mapping(let mapping) = node else {
            let keys = fields.keys.sorted().joined(separator: ", ")
            return fail("must hold keys and values; its keys are \(keys)", .fields(fields), path, line)
        }
        var missing = Set(fields.filter { $0.value.isRequired }.keys)
        var pairs: [(Node, Node)] = []
        for (key, value) in mapping {
            guard let name = text(of: key) else {
                return fail("a key must be a text", .fields(fields), path, key.mark?.line)
            }
            guard let field = fields[name] else {
                if !ignored.contains(name), !hasEnough {
                    unknown(String(name.prefix(40)), fields, prefix, key.mark?.line)
                }
                continue
            }
            missing.remove(name)
            pairs.append((key, check(value, field.shape, path: prefix + name, line: key.mark?.line, depth: depth + 1)))
        }
        for name in missing.sorted() {
            guard let shape = fields[name]?.shape else { continue }
            pairs.append((Node(name), fail("is missing: add it (\(shape.words))", shape, prefix + name, line)))
        }
        return Node(pairs)
    }

    private mutating func unknown(_ name: String, _ fields: [String: PolicyShape.Field], _ prefix: String, _ line: Int?)
    {
        let near = Suggestion.phrase(for: name, among: fields.keys)
        let known = near.isEmpty ? "; known here are " + fields.keys.sorted().joined(separator: ", ") : near
        add("unknown key" + known, prefix + name, line)
    }

    /// The text of a scalar; `nil` if the value is empty or one that YAML reads as empty.
    private func text(of node: Node) -> String? {
        guard case .scalar(let scalar) = node else { return nil }
        if scalar.style == .plain, ["", "~", "null", "Null", "NULL"].contains(scalar.string) { return nil }
        return scalar.string
    }

    private mutating func fail(_ message: String, _ shape: PolicyShape, _ path: String, _ line: Int?) -> Node {
        if !hasEnough { broken.append(path) }
        add(message, path, line)
        return shape.placeholder
    }

    /// Whether no more problems are added, and no more suggestions are looked for.
    private var hasEnough: Bool { problems.count >= PolicyFile.problemsMax }

    private mutating func add(_ message: String, _ path: String, _ line: Int?) {
        guard !hasEnough else { return }
        problems.append(PolicyProblem(path: path, message: message, line: line))
    }
}
