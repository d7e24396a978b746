package import Basics
import CaseStore
package import Casework
import Contract
import Foundation
import Submitting
import Text
import Yams

/// A file with the units, sources and persons of a new office, as YAML or as CSV.
///
/// YAML has the lists `units`, `sources` and `persons`. CSV has the column `what` (`unit`, `source` or `person`) and a
/// column for each field; several words stand in one field with blanks between. All faults are reported at once.
package enum OfficeFile {
    static let bytesMax = 4 << 20
    private static let fields: [String: [String]] = [
        "unit": ["id", "name", "kind", "region", "parent", "levels", "sealingKey", "active"],
        "source": ["id", "name", "kind", "unit"],
        "person": ["id", "name", "unit", "roles", "recusedFrom", "active"],
    ]
    private static let roles = ["clerk", "leader", "supervisor", "operator"]
    private static let lists = ["units": "unit", "sources": "source", "persons": "person"]

    /// One entry with its values, as written.
    private struct Entry {
        let what: String
        let line: Int
        let values: [String: [String]]
        func one(_ name: String) -> String? { values[name]?.first.flatMap { $0.isEmpty ? nil : $0 } }
        func all(_ name: String) -> [String] { values[name] ?? [] }
    }

    /// - Parameter policy: whose words the kinds and levels must be.
    /// - Throws: `UserError` with every fault, each with its line.
    package static func read(_ path: String, for policy: Policy) throws(UserError) -> OfficeParties {
        let name = URL(filePath: path).lastPathComponent
        var check = Check(policy)
        if path.lowercased().hasSuffix(".csv") {
            try check.take(rows(of: path, &check))
        } else {
            try check.take(lists(of: path, &check))
        }
        check.compare()
        guard check.faults.isEmpty else {
            throw UserError(
                "\(name) is not right:\n"
                    + check.faults.sorted { $0.line < $1.line }.map { "  line \($0.line): \($0.text)" }
                    .joined(separator: "\n"))
        }
        return check.parties
    }

    // MARK: Forms

    private static func rows(of path: String, _ check: inout Check) throws(UserError) -> [Entry] {
        let records: [(line: Int, fields: Result<[String: String], UserError>)]
        do {
            records = try ReportFile(path: path).rows()
        } catch {
            throw UserError("\(path): \(error)")
        }
        var entries: [Entry] = []
        for (line, fields) in records {
            switch fields {
            case .failure(let fault): check.fault(line, fault.description)
            case .success(var values):
                let what = (values.removeValue(forKey: "what") ?? "").trimmingCharacters(in: .whitespaces)
                guard let known = self.fields[what] else {
                    check.fault(line, "what: must be unit, source or person, not \"\(what)\"")
                    continue
                }
                let filled = values.filter { !$0.value.trimmingCharacters(in: .whitespaces).isEmpty }
                let several = ["levels", "roles", "recusedFrom"]
                let split = Dictionary(
                    uniqueKeysWithValues: filled.map { name, text in
                        (
                            name,
                            several.contains(name)
                                ? text.split { " ;；、".contains($0) }.map(String.init)
                                : [text.trimmingCharacters(in: .whitespaces)]
                        )
                    })
                check.refuseUnknown(Array(split.keys), known, line)
                entries.append(Entry(what: what, line: line, values: split))
            }
        }
        return entries
    }

    private static func lists(of path: String, _ check: inout Check) throws(UserError) -> [Entry] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw UserError("\(path) cannot be read: is there such a file?")
        }
        guard let text = String(validating: data, as: UTF8.self) else { throw UserError("\(path) is not in UTF-8") }
        let root: Node?
        do {
            try YAMLText.check(text, bytesMax: bytesMax, subject: "a file of an office")
            root = try Yams.compose(yaml: text)
        } catch let refusal as YAMLText.Refusal {
            throw UserError("\(path): \(refusal.message)" + (refusal.line.map { " (line \($0))" } ?? ""))
        } catch {
            throw UserError("\(path) is no YAML: \(error)")
        }
        guard case .mapping(let top)? = root else { throw UserError("\(path) has no lists units, sources, persons") }
        var entries: [Entry] = []
        for (key, value) in top {
            let line = key.mark?.line ?? 1
            guard let name = key.string, let what = lists[name] else {
                check.fault(
                    line,
                    "unknown list \(key.string ?? "")" + Suggestion.phrase(for: key.string ?? "", among: lists.keys))
                continue
            }
            guard case .sequence(let rows) = value else {
                check.fault(line, "\(name): must be a list")
                continue
            }
            for row in rows { if let entry = entry(row, what, &check) { entries.append(entry) } }
        }
        return entries
    }

    private static func entry(_ row: Node, _ what: String, _ check: inout Check) -> Entry? {
        let line = row.mark?.line ?? 1
        guard case .mapping(let mapping) = row else {
            check.fault(line, "a \(what) has keys and values, such as {id: d1, name: …}")
            return nil
        }
        var values: [String: [String]] = [:]
        for (key, value) in mapping {
            let texts: [String?] =
                switch value {
                case .scalar(let scalar): [scalar.string]
                case .sequence(let items): items.map(\.string)
                default: [nil]
                }
            if texts.contains(nil) { check.fault(line, "\(key.string ?? ""): must be a text, or a list of texts") }
            values[key.string ?? ""] = texts.compactMap(\.self)
        }
        check.refuseUnknown(Array(values.keys), fields[what] ?? [], line)
        return Entry(what: what, line: line, values: values)
    }

    // MARK: Checks

    private struct Check {
        private(set) var faults: [(line: Int, text: String)] = []
        private(set) var parties = OfficeParties()
        private let policy: Policy
        private var lines: [String: Int] = [:]

        init(_ policy: Policy) { self.policy = policy }

        mutating func fault(_ line: Int, _ text: String) { faults.append((line, text)) }

        mutating func refuseUnknown(_ names: [String], _ known: [String], _ line: Int) {
            for name in names.sorted() where !known.contains(name) {
                fault(line, "unknown key \(name)" + Suggestion.phrase(for: name, among: known))
            }
        }

        mutating func take(_ entries: [Entry]) {
            for entry in entries {
                guard let id = entry.one("id"), let name = entry.one("name") else {
                    fault(entry.line, "a \(entry.what) needs an id and a name")
                    continue
                }
                let party = "\(entry.what).\(id)"
                guard Party(party) != nil else {
                    fault(entry.line, "id: must be 1 to 40 of the letters a-z, digits and hyphens, not \"\(id)\"")
                    continue
                }
                if let first = lines.updateValue(entry.line, forKey: party) {
                    fault(entry.line, "\(entry.what) \(id): stands in line \(first) too")
                    continue
                }
                switch entry.what {
                case "unit": unit(entry, UnitID(unchecked: id), name)
                case "source":
                    parties.sources.append(
                        SourceRow(
                            id: SourceID(unchecked: id), name: name,
                            kind: word(entry, "kind", policy.vocabulary.sourceKinds.map(\.id), required: true) ?? "",
                            unit: entry.one("unit").map(UnitID.init(unchecked:))))
                default:
                    let roles = words(entry, "roles", OfficeFile.roles)
                    if roles.isEmpty { fault(entry.line, "person \(id): needs at least one role") }
                    parties.persons.append(
                        PersonRow(
                            id: PersonID(unchecked: id), name: name,
                            unit: entry.one("unit").map(UnitID.init(unchecked:)), roles: Set(roles),
                            active: isActive(entry), recusedFrom: Set(entry.all("recusedFrom"))))
                }
            }
        }

        private mutating func unit(_ entry: Entry, _ id: UnitID, _ name: String) {
            var key: [UInt8]?
            if let text = entry.one("sealingKey") {
                key = Data(base64Encoded: text).map { [UInt8]($0) }
                if key.flatMap({ SealingKey(rawRepresentation: $0) }) == nil {
                    fault(entry.line, "sealingKey: must be the 32 bytes of an X25519 public key in base64")
                }
            }
            parties.units.append(
                UnitRow(
                    id: id, name: name,
                    kind: word(entry, "kind", policy.vocabulary.unitKinds.map(\.id), required: true) ?? "",
                    region: entry.one("region"),
                    levels: Set(words(entry, "levels", policy.vocabulary.levels.map(\.id))),
                    parent: entry.one("parent").map(UnitID.init(unchecked:)), active: isActive(entry),
                    sealingKey: key))
        }

        private mutating func word(_ entry: Entry, _ name: String, _ known: [String], required: Bool) -> String? {
            guard let word = entry.one(name) else {
                if required { fault(entry.line, "\(name): is missing") }
                return nil
            }
            if !known.contains(word) { fault(entry.line, unknown(word, name, known)) }
            return word
        }

        private mutating func words(_ entry: Entry, _ name: String, _ known: [String]) -> [String] {
            let words = entry.all(name)
            for word in words where !known.contains(word) { fault(entry.line, unknown(word, name, known)) }
            return words
        }

        private func unknown(_ word: String, _ name: String, _ known: [String]) -> String {
            let near = Suggestion.phrase(for: word, among: known)
            return "\(name): unknown word \"\(word)\""
                + (near.isEmpty ? ", known: \(known.joined(separator: ", "))" : near)
        }

        private mutating func isActive(_ entry: Entry) -> Bool {
            guard let text = entry.one("active") else { return true }
            if !["true", "false"].contains(text) { fault(entry.line, "active: must be true or false") }
            return text != "false"
        }

        /// Compares the entries with one another.
        mutating func compare() {
            let units = Set(parties.units.map(\.id))
            func demand(_ unit: UnitID?, _ party: String, _ role: String) -> (Int, String)? {
                guard let unit, !units.contains(unit) else { return nil }
                return (
                    lines[party] ?? 0,
                    "\(role): there is no unit \(unit)"
                        + Suggestion.phrase(for: unit.rawValue, among: units.map(\.rawValue))
                )
            }
            faults += parties.units.compactMap { demand($0.parent, "unit.\($0.id)", "parent") }
            faults += parties.sources.compactMap { demand($0.unit, "source.\($0.id)", "unit") }
            faults += parties.persons.compactMap { demand($0.unit, "person.\($0.id)", "unit") }
            for circle in OfficeParties.circles(in: parties.units) {
                let path = (circle + circle.prefix(1)).map(\.rawValue).joined(separator: " under ")
                fault(lines["unit.\(circle[0])"] ?? 0, "units in a circle: \(path)")
            }
            if parties.units.isEmpty { fault(1, "an office needs at least one unit to hand reports to") }
            if parties.sources.isEmpty { fault(1, "an office needs at least one source of reports") }
        }
    }
}
