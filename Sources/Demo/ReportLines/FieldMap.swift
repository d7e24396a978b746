import Casework
import Yams

/// Says which field of a foreign JSON-lines file gives which part of a report. Its YAML:
///
/// ```yaml
/// source: web                # one source for all lines, or a field: { from: channel, table: { "1": letter } }
/// fields:
///   id: { from: id, prefix: "petition-" }
///   text: body.content       # a path; list positions count from 0
///   receivedAt: { from: at, format: "yyyy-MM-ddTHH:mm:ss", zone: "+08:00" }
///   matterKind: { value: accusation }
///   reporter.name: { from: sender, default: "" }
/// ignored: [reply]           # read by nobody, and said so
/// ```
///
/// `table` translates values; a value it does not hold makes the line a problem, unless there is a `default`. `format` is `rfc3339`
/// (without saying so), `unix`, `unix-ms` or a pattern of `yyyy MM dd HH mm ss`; a pattern needs a `zone`.
public struct FieldMap: Sendable {
    /// What a target is read from.
    struct Rule: Sendable {
        var path: [String]?
        var value: String?
        var prefix = ""
        var fallback: String?
        var table: [String: String]?
        var time = TimePattern.rfc3339
    }

    /// The parts of a report that a map may fill: the first reporter, accused and allegation.
    enum Target: String, CaseIterable, Sendable {
        case id, source, receivedAt, matterKind, title, text, region
        case reporterName = "reporter.name"
        case reporterOrgan = "reporter.organ"
        case reporterPhone = "reporter.phone"
        case reporterEmail = "reporter.email"
        case reporterIDNumber = "reporter.idNumber"
        case reporterAddress = "reporter.address"
        case reporterConsent = "reporter.consent"
        case accusedName = "accused.name"
        case accusedOrgan = "accused.organ"
        case accusedPosition = "accused.position"
        case accusedLevel = "accused.level"
        case accusedRegion = "accused.region"
        case accusedUnit = "accused.unit"
        case allegationCategory = "allegation.category"
        case allegationAct = "allegation.act"
    }

    let rules: [Target: Rule]

    /// Throws all problems of the file at once.
    public init(yaml: String) throws(FieldMapError) {
        var parser = FieldMapParser()
        rules = parser.parse(yaml)
        if !parser.problems.isEmpty { throw FieldMapError(problems: parser.problems) }
    }

    /// What a line says, in the words of the contract.
    func apply(to line: JSONValue) throws(LineRefusal) -> (source: SourceID?, id: String?, submission: Submission) {
        var found: [Target: String] = [:]
        for target in Target.allCases where target != .receivedAt {
            if let rule = rules[target] { found[target] = try text(rule, of: line) }
        }
        guard let body = found[.text] else { throw LineRefusal("the field \(name(of: .text)) is missing") }
        var submission = Submission(title: found[.title] ?? "", text: body)
        submission.receivedAt = try receivedAt(of: line)
        submission.matterKind = found[.matterKind]
        submission.region = found[.region]
        submission.reporters = try reporter(found).map { [$0] } ?? []
        submission.accused = try accused(found).map { [$0] } ?? []
        submission.allegations = found[.allegationAct].map { [Allegation(category: found[.allegationCategory], act: $0)] } ?? []
        var source: SourceID?
        if let word = found[.source] {
            guard let id = SourceID(word) else { throw LineRefusal("the source \(name(of: .source)) is no id: [a-z0-9-]{1,40}") }
            source = id
        }
        return (source, found[.id], submission)
    }

    // MARK: Steps

    /// `nil` where the line has nothing there and the map no default. An empty text counts as nothing.
    private func text(_ rule: Rule, of line: JSONValue) throws(LineRefusal) -> String? {
        if let value = rule.value { return value }
        guard let path = rule.path else { return nil }
        guard let value = line.value(at: path) else { return rule.fallback }
        guard var text = value.asText else { throw LineRefusal("the field \"\(path.joined(separator: "."))\" is neither text nor a number") }
        if text.isEmpty { return rule.fallback }
        if let table = rule.table {
            guard let translated = table[text] ?? rule.fallback else {
                throw LineRefusal("the field \"\(path.joined(separator: "."))\" holds a value that the map's table does not")
            }
            text = translated
        }
        return rule.prefix + text
    }

    private func receivedAt(of line: JSONValue) throws(LineRefusal) -> Instant? {
        guard let rule = rules[.receivedAt], let text = try text(rule, of: line) else { return nil }
        guard let instant = rule.time.instant(of: text) else {
            throw LineRefusal("the date in \(name(of: .receivedAt)) is not as the map says: \(rule.time)")
        }
        return instant
    }

    private func reporter(_ found: [Target: String]) throws(LineRefusal) -> Reporter? {
        var reporter = Reporter(
            name: found[.reporterName], organ: found[.reporterOrgan], phone: found[.reporterPhone],
            email: found[.reporterEmail], idNumber: found[.reporterIDNumber], address: found[.reporterAddress])
        if reporter == Reporter() { return nil }
        if let word = found[.reporterConsent] {
            guard let consent = Reporter.Consent(rawValue: word) else {
                throw LineRefusal("the consent \(name(of: .reporterConsent)) is none of anonymous, inside, handler")
            }
            reporter.consent = consent
        }
        return reporter
    }

    private func accused(_ found: [Target: String]) throws(LineRefusal) -> Accused? {
        guard let accusedName = found[.accusedName] else { return nil }
        var unit: UnitID?
        if let word = found[.accusedUnit] {
            // A unit that cannot be read must not be dropped: the barrier stands on it.
            guard let id = UnitID(word) else { throw LineRefusal("the unit \(name(of: .accusedUnit)) is no id: [a-z0-9-]{1,40}") }
            unit = id
        }
        return Accused(
            name: accusedName, organ: found[.accusedOrgan], position: found[.accusedPosition], level: found[.accusedLevel],
            region: found[.accusedRegion], unit: unit)
    }

    /// The foreign field that gives a target, in quotes.
    private func name(of target: Target) -> String {
        "\"" + (rules[target]?.path?.joined(separator: ".") ?? target.rawValue) + "\""
    }
}

/// Everything that is wrong with a field map, one sentence each.
public struct FieldMapError: Error, Sendable, Hashable, CustomStringConvertible {
    public let problems: [String]

    public var description: String { problems.joined(separator: "\n") }
}
