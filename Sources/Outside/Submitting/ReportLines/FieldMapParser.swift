import Basics
import Casework
import Text
import Yams

/// Parses a field map and collects all its problems, so that one round of correction is enough.
struct FieldMapParser {
    static let bytesMax = 1 << 18
    /// For a path and a time pattern; also for text repeated in a problem.
    private static let wordBytesMax = 200
    private static let problemsMax = 100
    private static let formatsMax = 20

    private(set) var problems: [String] = []

    private static let topKeys = ["source", "fields", "ignored"]
    private static let ruleKeys = ["from", "value", "prefix", "default", "table", "empty", "format", "zone"]

    /// The rules that could be read; usable only if there are no problems.
    mutating func parse(_ yaml: String) -> [FieldMap.Target: FieldMap.Rule] {
        let root: Node?
        do {
            try YAMLText.check(yaml, bytesMax: Self.bytesMax, subject: "a field map")
            root = try Yams.compose(yaml: yaml)
        } catch let refusal as YAMLText.Refusal {
            problem(refusal.message + (refusal.line.map { " (line \($0))" } ?? ""))
            return [:]
        } catch {
            // The parser's message shows the place, which may be a very long line.
            problem("not YAML: \("\(error)".prefix(400))")
            return [:]
        }
        guard let top = root?.mapping else {
            problem("a field map is a mapping with the keys \(Self.topKeys.joined(separator: ", "))")
            return [:]
        }
        var rules: [FieldMap.Target: FieldMap.Rule] = [:]
        var ignored: [String] = []
        for (key, node) in top {
            switch key.string {
            case "source": rules[.source] = source(node)
            case "fields": fields(node, into: &rules)
            case "ignored": ignored = list(node)
            default: unknown(key.string, "key", among: Self.topKeys)
            }
        }
        if rules[.text] == nil { problem("fields.text is missing: a report needs its text") }
        for (target, rule) in rules.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            if let path = rule.path?.joined(separator: "."), ignored.contains(path) {
                problem("\"\(path)\" is ignored and gives \(target.rawValue): only one can be")
            }
        }
        return rules
    }

    // MARK: Steps

    private mutating func source(_ node: Node) -> FieldMap.Rule? {
        // Here a bare word is the source itself; elsewhere it is a path.
        if let word = node.scalar?.string {
            checkSource(word)
            return FieldMap.Rule(value: word)
        }
        let rule = rule(node, for: .source)
        for word in rule?.table?.values.sorted() ?? [] { checkSource(word) }
        return rule
    }

    private mutating func checkSource(_ word: String) {
        if SourceID(word) == nil { problem("source: \"\(word.prefix(40))\" is no id, which matches [a-z0-9-]{1,40}") }
    }

    private mutating func fields(_ node: Node, into rules: inout [FieldMap.Target: FieldMap.Rule]) {
        guard let mapping = node.mapping else { return problem("fields must be a mapping") }
        for (key, node) in mapping {
            guard let target = key.string.flatMap(FieldMap.Target.init(rawValue:)), target != .source else {
                let targets = FieldMap.Target.allCases.filter { $0 != .source }.map(\.rawValue)
                unknown(key.string, "part of a report in fields", among: targets)
                continue
            }
            rules[target] = rule(node, for: target)
        }
    }

    private mutating func rule(_ node: Node, for target: FieldMap.Target) -> FieldMap.Rule? {
        let name = target == .source ? "source" : "fields.\(target.rawValue)"
        if let path = node.scalar?.string { return FieldMap.Rule(path: self.path(path, name)) }
        guard let mapping = node.mapping else {
            problem("\(name) must be a field's path or a mapping")
            return nil
        }
        var rule = FieldMap.Rule()
        var formats: [String]?
        var zone: String?
        for (key, node) in mapping {
            switch key.string {
            case "from": rule.path = path(text(node, "\(name).from"), name)
            case "value": rule.value = text(node, "\(name).value")
            case "prefix": rule.prefix = text(node, "\(name).prefix")
            case "default": rule.fallback = text(node, "\(name).default")
            case "table": rule.table = table(node, "\(name).table")
            case "empty": rule.empty = Set(words(node, "\(name).empty").map(\.trimmed))
            case "format": formats = words(node, "\(name).format")
            case "zone": zone = text(node, "\(name).zone")
            default: unknown(key.string, "key in \(name)", among: Self.ruleKeys)
            }
        }
        if (rule.path == nil) == (rule.value == nil) { problem("\(name) needs either from or value") }
        if target == .receivedAt {
            rule.times = times(formats, zone, name)
        } else if formats != nil || zone != nil {
            problem("\(name): only receivedAt has a format and a zone")
        }
        return rule
    }

    private mutating func times(_ formats: [String]?, _ zone: String?, _ name: String) -> [TimePattern] {
        if let zone, zone.utf8.count > Self.wordBytesMax || Instant("2000-01-01T00:00:00" + zone) == nil {
            problem("\(name).zone is not as in \"+08:00\" or \"Z\"")
            return []
        }
        let formats = formats ?? [zone == nil ? "rfc3339" : "any"]
        if zone != nil, formats.allSatisfy(TimePattern.carriesZone) {
            problem("\(name).zone: these times carry their zone")
        }
        var times: [TimePattern] = []
        for format in formats.prefix(Self.formatsMax) {
            if let time = TimePattern(format, zone: TimePattern.carriesZone(format) ? nil : zone) {
                times.append(time)
            } else if zone == nil, TimePattern(format, zone: "Z") != nil {
                problem("\(name).zone is missing or not as in \"+08:00\" or \"Z\"")
            } else {
                problem(
                    """
                    \(name).format is none of \(TimePattern.names.joined(separator: ", ")) and no pattern such as \
                    yyyy/M/d H:mm:ss
                    """
                )
            }
        }
        if formats.isEmpty || formats.count > Self.formatsMax {
            problem("\(name).format has 1 to \(Self.formatsMax) formats")
        }
        return times
    }

    private mutating func table(_ node: Node, _ name: String) -> [String: String]? {
        guard let mapping = node.mapping else {
            problem("\(name) must be a mapping")
            return nil
        }
        var table: [String: String] = [:]
        for (key, value) in mapping { table[text(key, name)] = text(value, name) }
        return table
    }

    private mutating func list(_ node: Node) -> [String] {
        guard let sequence = node.sequence else {
            problem("ignored must be a list of fields")
            return []
        }
        return sequence.map { text($0, "ignored") }
    }

    /// One word, or a list of words.
    private mutating func words(_ node: Node, _ name: String) -> [String] {
        guard let sequence = node.sequence else { return [text(node, name)] }
        return sequence.map { text($0, name) }
    }

    private mutating func path(_ text: String, _ name: String) -> [String]? {
        guard text.utf8.count <= Self.wordBytesMax else {
            problem("\(name): a path has at most \(Self.wordBytesMax) bytes")
            return nil
        }
        let path = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        if path.contains("") { problem("\(name): \"\(text)\" is no path such as body.text") }
        return path
    }

    private mutating func text(_ node: Node, _ name: String) -> String {
        if let text = node.scalar?.string { return text }
        problem("\(name) must be text")
        return ""
    }

    private mutating func unknown(_ key: String?, _ what: String, among known: [String]) {
        guard let key = key?.prefix(40) else { return problem("a \(what) must be text") }
        problem("\"\(key)\" is no \(what)" + Suggestion.phrase(for: String(key), among: known))
    }

    /// Adds a problem, up to the limit: nobody corrects more at once.
    private mutating func problem(_ text: String) {
        if problems.count < Self.problemsMax { problems.append(text) }
    }
}
