package import Basics
package import Casework
package import Contract
import Yams

/// A map from the fields of a foreign file (JSON or CSV) to the parts of a report. Its YAML:
///
/// ```yaml
/// source: web                # one source for all lines, or a field: { from: channel, table: { "1": letter } }
/// fields:
///   id: { from: id, prefix: "petition-" }
///   text: body.content       # a path; list positions count from 0; of CSV a column's name
///   receivedAt: { from: at, format: ["yyyy/M/d H:mm", excel], zone: "+08:00" }
///   matterKind: { value: accusation }
///   reporter.name: { from: sender, empty: [无, "/"], default: "" }
/// ignored: [reply]           # fields that are not read, on purpose
/// ```
///
/// `table` translates values; a value that is not in it makes the line a problem, unless there is a `default`.
/// `format` is one of `TimePattern`'s or a list of them; patterns, `excel` and `any` need a `zone`, and a zone alone
/// means `any`. Blanks around a value are removed; blanks alone, `null` and the words of `empty` count as no value.
public struct FieldMap: Sendable {
    /// The origin of a target's value.
    struct Rule: Sendable {
        var path: [String]?
        var value: String?
        var prefix = ""
        var fallback: String?
        var table: [String: String]?
        /// Words that count as no value.
        var empty: Set<String> = []
        var times = [TimePattern.rfc3339]
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

    /// The map for CSV without a map: each column has the name of a part of a report; other columns are ignored.
    package static let columns = FieldMap(
        rules: Dictionary(uniqueKeysWithValues: Target.allCases.map { ($0, Rule(path: [$0.rawValue])) }))

    private init(rules: [Target: Rule]) { self.rules = rules }

    /// Parses a map.
    /// - Throws: `FieldMapError` with all problems of the file at once.
    public init(yaml: String) throws(FieldMapError) {
        var parser = FieldMapParser()
        rules = parser.parse(yaml)
        if !parser.problems.isEmpty { throw FieldMapError(problems: parser.problems) }
    }

    /// The report of a line, in the words of the contract.
    package func apply(
        to line: JSONTree
    ) throws(LineRefusal) -> (source: SourceID?, id: String?, submission: Submission) {
        var found: [Target: String] = [:]
        for target in Target.allCases where target != .receivedAt {
            if let rule = rules[target] { found[target] = try text(rule, of: line, for: target) }
        }
        guard let body = found[.text] else { throw LineRefusal("the field \(name(of: .text)) is missing") }
        var submission = Submission(title: found[.title] ?? "", text: body)
        submission.receivedAt = try receivedAt(of: line)
        submission.matterKind = found[.matterKind]
        submission.region = found[.region]
        submission.reporters = try reporter(found).map { [$0] } ?? []
        submission.accused = try accused(found).map { [$0] } ?? []
        submission.allegations =
            found[.allegationAct].map { [Allegation(category: found[.allegationCategory], act: $0)] } ?? []
        var source: SourceID?
        if let word = found[.source] {
            guard let id = SourceID(word) else {
                throw LineRefusal("the source \(name(of: .source)) is no id: [a-z0-9-]{1,40}")
            }
            source = id
        }
        return (source, found[.id], submission)
    }

    // MARK: Steps

    /// The text for a target; `nil` if the line has no value and the map no default.
    private func text(_ rule: Rule, of line: JSONTree, for target: Target) throws(LineRefusal) -> String? {
        if let value = rule.value { return value }
        guard let path = rule.path else { return nil }
        let field = "\"\(path.joined(separator: "."))\""
        guard let value = line.value(at: path[...]) else { return rule.fallback }
        guard let written = value.asText else { throw LineRefusal("the field \(field) is neither text nor a number") }
        let clean = written.withoutSpreadsheetEscapes
        let trimmed = clean.trimmed
        if trimmed.isEmpty || FieldMap.emptyWords.contains(trimmed.lowercased()) || rule.empty.contains(trimmed) {
            return rule.fallback
        }
        var text = target == .text ? clean : trimmed
        if let reason = target.lostDigits(in: text, isNumber: value.isNumber) {
            throw LineRefusal("the field \(field) \(reason)")
        }
        if let table = rule.table {
            guard let translated = table[trimmed] ?? rule.fallback else {
                throw LineRefusal("the field \(field) holds a value that the map's table does not")
            }
            text = translated
        }
        return rule.prefix + text
    }

    /// Words that programs write for an empty value.
    private static let emptyWords: Set = ["null", "\\n"]

    private func receivedAt(of line: JSONTree) throws(LineRefusal) -> Instant? {
        guard let rule = rules[.receivedAt], let text = try text(rule, of: line, for: .receivedAt) else { return nil }
        let readings = rule.times.compactMap { time in time.instant(of: text).map { (time, $0) } }
        guard let first = readings.first else {
            throw LineRefusal(
                """
                the date in \(name(of: .receivedAt)) does not exist, or is not written as expected: \
                \(TimePattern.words(rule.times))
                """
            )
        }
        if let other = readings.first(where: { $0.1 != first.1 }) {
            throw LineRefusal(
                """
                the date in \(name(of: .receivedAt)) can be read in two ways, as \(first.0) and as \(other.0); \
                give one format
                """
            )
        }
        return first.1
    }

    private func reporter(_ found: [Target: String]) throws(LineRefusal) -> Reporter? {
        var reporter = Reporter(
            name: found[.reporterName], organ: found[.reporterOrgan], phone: found[.reporterPhone],
            email: found[.reporterEmail], idNumber: found[.reporterIDNumber], address: found[.reporterAddress])
        if reporter == Reporter() { return nil }
        if let word = found[.reporterConsent] {
            guard let consent = Reporter.Consent(rawValue: word) else {
                throw LineRefusal("the consent \(name(of: .reporterConsent)) is \(Reporter.Consent.shape)")
            }
            reporter.consent = consent
        }
        return reporter
    }

    private func accused(_ found: [Target: String]) throws(LineRefusal) -> Accused? {
        guard let accusedName = found[.accusedName] else { return nil }
        var unit: UnitID?
        if let word = found[.accusedUnit] {
            // A unit that cannot be read must not be dropped: the barrier depends on it.
            guard let id = UnitID(word) else {
                throw LineRefusal("the unit \(name(of: .accusedUnit)) is no id: [a-z0-9-]{1,40}")
            }
            unit = id
        }
        return Accused(
            name: accusedName, organ: found[.accusedOrgan], position: found[.accusedPosition],
            level: found[.accusedLevel], region: found[.accusedRegion], unit: unit)
    }

    /// The foreign field that gives a target.
    func path(of target: Target) -> String { rules[target]?.path?.joined(separator: ".") ?? target.rawValue }

    private func name(of target: Target) -> String { "\"\(path(of: target))\"" }
}

extension FieldMap.Target {
    /// Why a number cannot be trusted; `nil` if it can. Spreadsheets and floating-point programs cut digits from
    /// tickets and telephone numbers.
    fileprivate func lostDigits(in text: String, isNumber: Bool) -> String? {
        guard self == .id || self == .reporterPhone || self == .reporterIDNumber else { return nil }
        if isNumber, text.contains(where: { ".eE".contains($0) }) {
            return "is a number with a fraction or an exponent, whose digits cannot be trusted: write it as text"
        }
        if text.wholeMatch(of: /[+-]?[0-9]+(\.[0-9]+)?[eE]\+?[0-9]+/) != nil {
            return
                "was written by a spreadsheet with its last digits lost: format the column as text, and export it anew"
        }
        if self != .id, text.wholeMatch(of: /[0-9]+\.0+/) != nil {
            return "is a number with a fraction: format the column as text, and export it anew"
        }
        return nil
    }
}

extension JSONTree {
    fileprivate var isNumber: Bool { if case .number = self { true } else { false } }

    /// Strings and numbers as they are written; `nil` for a value that is not single.
    fileprivate var asText: String? {
        switch self {
        case .text(let text), .number(let text, at: _): text
        case .bool(let bool): bool ? "true" : "false"
        case .null, .list, .object: nil
        }
    }
}

extension String {
    /// Spreadsheets write a line break within a cell as `_x000D_`, often before the break itself.
    fileprivate var withoutSpreadsheetEscapes: String {
        guard contains("_x000") else { return self }
        return replacing(/(_x000[dD]_|\r)?(_x000[aA]_|\n)|_x000[dD]_/, with: "\n")
    }
}

/// All problems of a field map, one sentence each.
public struct FieldMapError: Error, Sendable, Hashable, CustomStringConvertible {
    public let problems: [String]

    public var description: String { problems.joined(separator: "\n") }
}
