package import Basics
package import Casework
import Text
import Yams

/// Reads a policy file: YAML, UTF-8, one document.
///
/// YAML features that a policy does not need are refused: anchors and aliases (a few lines of them can expand to
/// gigabytes), tags, several documents, duplicate keys, deep nesting, and files larger than `bytesMax` or
/// `YAMLText.valuesMax`.
package enum PolicyFile {
    package static let bytesMax = 1 << 20
    package static let depthMax = 12
    /// Reading stops after this many problems.
    package static let problemsMax = 100

    /// The result of reading a file.
    package struct Reading: Sendable {
        /// `nil` if there is a fault.
        package let policy: Policy?
        /// Faults and warnings, in the order of the lines of the file.
        package let problems: [PolicyProblem]

        package var faults: [PolicyProblem] { problems.filter { !$0.isWarning } }

        fileprivate init(_ policy: Policy?, _ problems: [PolicyProblem]) {
            self.policy = problems.allSatisfy(\.isWarning) ? policy : nil
            self.problems = problems
        }
    }

    /// Reads the policy from a text.
    /// - Parameter name: the name of the file in problems.
    /// - Throws: a `PolicyError` with all faults of the text.
    package static func read(_ yaml: String, named name: String) throws(PolicyError) -> Policy {
        let reading = check(yaml)
        if let policy = reading.policy { return policy }
        let isInvalid = reading.faults.contains { !$0.path.isEmpty }
        throw PolicyError(isInvalid ? .invalid : .unreadable, name: name, problems: reading.faults)
    }

    /// The text of a file.
    /// - Throws: a `YAMLText.Refusal` if the file is larger than `bytesMax` or is not UTF-8.
    package static func text(of bytes: some Collection<UInt8>) throws(YAMLText.Refusal) -> String {
        guard bytes.count <= bytesMax else { throw YAMLText.Refusal(message: tooLong, line: nil) }
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        // Decoding leaves the bytes before the first wrong byte unchanged.
        let right = zip(bytes, String(decoding: bytes, as: UTF8.self).utf8).prefix { $0 == $1 }
        let line = 1 + right.count { $0.0 == UInt8(ascii: "\n") }
        throw YAMLText.Refusal(
            message: "the file is not encoded in UTF-8 (perhaps GB18030 or UTF-16): save it as UTF-8", line: line)
    }

    /// Finds all faults and warnings of a file.
    package static func check(_ bytes: some Collection<UInt8>) -> Reading {
        do throws(YAMLText.Refusal) { return check(try text(of: bytes)) } catch {
            return Reading(nil, [PolicyProblem(path: "", message: error.message, line: error.line)])
        }
    }

    package static func check(_ yaml: String) -> Reading {
        func refusal(_ message: String, _ line: Int?) -> PolicyProblem {
            PolicyProblem(path: "", message: message, line: line)
        }
        do throws(YAMLText.Refusal) {
            try YAMLText.check(yaml, bytesMax: bytesMax, subject: "a policy")
        } catch {
            return Reading(nil, [refusal(error.message, error.line)])
        }
        var doubled = DoubledKeys(yaml: yaml)
        let root: Node
        do {
            guard let node = try doubled.compose() else {
                return Reading(nil, [refusal("the file is empty: begin with a copy of a policy that works", nil)])
            }
            root = node
        } catch {
            let (message, line) = explain(error, in: doubled.yaml)
            return Reading(nil, doubled.problems + [refusal(message, line)])
        }

        var reader = PolicyShapeReader()
        reader.ignored = doubled.renamed
        let mended = reader.check(root, PolicyShape.policy, path: "", line: root.mark?.line, depth: 0)
        var problems = doubled.problems + reader.problems
        if reader.broken.contains("") || reader.problems.count >= problemsMax { return Reading(nil, problems) }
        let policy: Policy
        do {
            policy = try YAMLDecoder().decode(Policy.self, from: mended)
        } catch {
            // The shape was checked, so the fault is a difference between `PolicyShape` and `Policy`, not in the
            // file.
            return Reading(nil, problems + [PolicyProblem(path: path(of: error), message: "cannot be read")])
        }
        problems += policy.validate(found: reader.problems, broken: reader.broken).map {
            $0.at(line: reader.line(of: $0.path))
        }
        let told = problems.filter { !$0.isWarning }.prefix(problemsMax) + problems.filter(\.isWarning)
        let inOrder = told.enumerated().sorted { ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset) }
        return Reading(policy, inOrder.map(\.element))
    }

    private static var tooLong: String { "a policy has at most \(bytesMax) bytes" }

    private static func explain(_ error: any Error, in yaml: String) -> (message: String, line: Int?) {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            let lines = yaml.split(separator: "\n", maxSplits: mark.line, omittingEmptySubsequences: false)
            let hasTab =
                mark.line <= lines.count && lines[mark.line - 1].prefix { $0 == " " || $0 == "\t" }.contains("\t")
            return (
                hasTab
                    ? "the file is no YAML: the line begins with a tab; indent by spaces"
                    : "the file is no YAML: \(problem)", mark.line
            )
        case .reader(let problem, let offset, _, _):
            let line = offset.map { 1 + yaml.utf8.prefix($0).count { $0 == UInt8(ascii: "\n") } }
            return ("the file is no YAML: \(problem)", line)
        case .duplicatedKeysInMapping(let keys, let context):
            return (DoubledKeys.message(keys), context.mark.line)
        default:
            return ("the file is no YAML", nil)
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
    fileprivate func at(line: Int?) -> PolicyProblem {
        PolicyProblem(path: path, message: message, line: line, isWarning: isWarning)
    }
}

extension PolicyShapeReader {
    /// The line of the path, or of its nearest parent that is in the file.
    fileprivate func line(of path: String) -> Int? {
        var path = path[...]
        while lines[String(path)] == nil, let end = path.lastIndex(where: { $0 == "." || $0 == "[" }) {
            path = path[..<end]
        }
        return lines[String(path)]
    }
}

/// Finds duplicate keys. The parser stops at the first one, so each is reported and renamed, and the text parsed
/// again.
private struct DoubledKeys {
    private(set) var yaml: String
    private(set) var problems: [PolicyProblem] = []
    private(set) var renamed: Set<String> = []

    private static let roundsMax = 10

    init(yaml: String) { self.yaml = yaml }

    static func message(_ keys: [String]) -> String {
        let shown = keys.prefix(3).map { String($0.prefix(40)) }.joined(separator: ", ")
        return "the same key stands twice: \(shown); keep one of them"
    }

    mutating func compose() throws -> Node? {
        while true {
            do {
                return try Yams.compose(yaml: yaml)
            } catch YamlError.duplicatedKeysInMapping(let keys, let context) where problems.count < Self.roundsMax {
                guard let key = keys.first, let range = range(of: key, at: context.mark) else {
                    throw YamlError.duplicatedKeysInMapping(duplicates: keys, context: context)
                }
                let name = "told_twice_\(problems.count)"
                yaml.unicodeScalars.replaceSubrange(range, with: name.unicodeScalars)
                renamed.insert(name)
                problems.append(PolicyProblem(path: "", message: Self.message([key]), line: context.mark.line))
            }
        }
    }

    /// The range of the key in the text, with its quotes; `nil` if the key is written with escapes.
    private func range(of key: String, at mark: Mark) -> Range<String.Index>? {
        let scalars = yaml.unicodeScalars
        var (index, line) = (scalars.startIndex, 1)
        while line < mark.line, index < scalars.endIndex {
            let isBreak =
                scalars[index] == "\n"
                || scalars[index] == "\r" && scalars[scalars.index(after: index)...].first != "\n"
            if isBreak { line += 1 }
            index = scalars.index(after: index)
        }
        guard let start = scalars.index(index, offsetBy: mark.column - 1, limitedBy: scalars.endIndex) else {
            return nil
        }
        for written in [key, "\"\(key)\"", "'\(key)'"] where scalars[start...].starts(with: written.unicodeScalars) {
            return start..<scalars.index(start, offsetBy: written.unicodeScalars.count)
        }
        return nil
    }
}
