public import Basics
import Text

/// The barrier (invariant 5). It keeps a report from the accused, from a unit the accused belongs to or leads, and
/// from a recused handler.
///
/// Only the *roots* of a report are stored: the units that the report mentions. The units below them are read from
/// the tree each time something is about to be sent, so a unit that is added or moved later is barred at once.
public enum Barrier {
    /// Where the accused of a report work, as far as the office can determine.
    public struct Finding: Hashable, Sendable {
        /// The units of the accused, found by id and by the words of organ, post and name. A doubtful match counts.
        public var roots: Set<UnitID> = []
        /// Whether an accused works in an organ of the office's own kind (纪委, 巡察组 …) that matches no unit of this
        /// office. A person must then decide where the report may go.
        public var isDoubtful = false
    }

    public static func finding(on accused: [Accused], among names: UnitNames, kinds: OwnKind? = nil) -> Finding {
        accused.reduce(into: Finding()) { finding, person in
            let places = person.whereabouts.map { names.place(spokenOf: $0, kinds: kinds) }
            let units = places.reduce(into: Set(person.unit.map { [$0] } ?? [])) { $0.formUnion($1.units) }
            finding.roots.formUnion(units)
            if units.isEmpty, places.contains(where: \.isOwnKind) { finding.isDoubtful = true }
        }
    }

    /// Whether a unit may receive anything about these cases.
    public static func admits(_ unit: UnitID, to cases: [CaseFile]) -> Bool {
        cases.allSatisfy { !$0.barred.contains(unit) }
    }

    /// Whether a staff member may handle or see a case.
    /// - Parameters:
    ///   - unit: the unit the person works in.
    ///   - recusedFrom: the names of people in whose matters the person has a stake.
    ///   - content: the content of the report.
    public static func admits(
        personNamed name: String, unit: UnitID?, recusedFrom: Set<String>, content: Submission, to file: CaseFile
    ) -> Bool {
        if let unit, file.barred.contains(unit) { return false }
        return isFree(personNamed: name, recusedFrom: recusedFrom, of: content)
    }

    /// Whether a person is none of the accused, judged by names, and has no stake in any of them. A person whose
    /// name occurs anywhere in the report may be an accused, so the result is then `false`.
    public static func isFree(personNamed name: String, recusedFrom: Set<String>, of content: Submission) -> Bool {
        let accused = content.accused.flatMap { WrittenName.all(in: $0.name) }
        let own = Set(([name] + recusedFrom).flatMap(NameKey.everyWide))
        if own.contains(where: { key in accused.contains { $0.mayMean(key) } }) { return false }
        // A stake may also be recorded with a title: 沈主任.
        let stakes = recusedFrom.flatMap(WrittenName.all)
        if stakes.contains(where: { stake in accused.contains { stake.mayMean($0.key) } }) { return false }
        // A name that is part of an accused's longer name occurs in the text anyway, so it is not searched for.
        return !speaks(content, of: own.filter { key in !accused.contains { $0.key.contains(key) } })
    }

    /// Whether one of these names occurs in the report.
    private static func speaks(_ content: Submission, of names: Set<String>) -> Bool {
        let keys = names.map { FoldedText($0).scalars }.filter { $0.count >= 2 }
        let finder = TextFinder(keys)
        let purposes: [FoldedText.Purpose] =
            keys.joined().contains(where: FoldedText.isUnknown) ? [.words, .names] : [.words]
        var (texts, submission) = (Texts(), content)
        submission.visitTexts(&texts)
        return texts.found.contains { text in
            purposes.contains { purpose in
                let folded = FoldedText(text, for: purpose)
                var isThere = false
                finder.scan(folded) { _, range in
                    // Two characters may occur in two clauses by chance.
                    isThere = isThere || range.count >= 3 || folded.gap(within: range) < .clause
                    return !isThere
                }
                return isThere
            }
        }
    }

    private struct Texts: TextVisitor {
        var found: [String] = []
        mutating func visit(_ text: inout String, at place: TextPlace, as kind: TextKind) {
            switch kind {
            case .reporter, .accusedName: break
            case .title, .body, .words: found.append(text)
            }
        }
        mutating func visit(code: inout String?, at place: TextPlace, as kind: CodeKind) {}
    }
}

extension Accused {
    /// The fields that may say who a person is and where the person works: sources put names into any of them.
    fileprivate var whereabouts: [String] { [organ, position, name].compactMap(\.self) }
}

/// The units of an office by name, as the barrier compares them. Several units may have the same name.
public struct UnitNames: Sendable {
    /// Names shorter than this are compared only as a whole.
    static let partCharactersMin = 4

    private let bearing: [String: Set<UnitID>]
    /// The same map, with the bytes of each name.
    private let names: [(bytes: [UInt8], isPart: Bool, units: Set<UnitID>)]

    public init(_ units: some Sequence<(id: UnitID, name: String)>) {
        var bearing: [String: Set<UnitID>] = [:]
        for unit in units { bearing[NameKey.organ(unit.name), default: []].insert(unit.id) }
        bearing[""] = nil
        self.bearing = bearing
        names = bearing.map { (Array($0.key.utf8), $0.key.count >= Self.partCharactersMin, $0.value) }
    }

    /// The units that words about a person's organ or post may mean. A unit matches if its whole name occurs in
    /// the words, or if its name ends with the words (东区纪委监委 for 甲市东区纪委监委). If the words name an organ of the
    /// office's own kind, a unit whose name contains the words also matches (甲市纪委). An ordinary organ inside a
    /// unit's name (省自然资源厅 in 派驻省自然资源厅纪检监察组) is the organ that the unit supervises, so it does not match.
    func place(spokenOf text: String, kinds: OwnKind?) -> (units: Set<UnitID>, isOwnKind: Bool) {
        let organ = NameKey.organ(text)
        let isOwnKind = kinds?.isSpokenOf(organ: organ) ?? false
        // A post with its title (甲市纪委书记), and without it.
        let found = Set([organ, NameKey.wide(text)]).reduce(into: Set<UnitID>()) {
            $0.formUnion(units(named: $1, isOwnKind: isOwnKind))
        }
        return (found, isOwnKind)
    }

    private func units(named key: String, isOwnKind: Bool) -> Set<UnitID> {
        var units = bearing[key] ?? []
        let bytes = Array(key.utf8)
        let isPart = key.count >= Self.partCharactersMin
        for name in names {
            if name.bytes.count < bytes.count {
                if name.isPart, bytes.holds(name.bytes) { units.formUnion(name.units) }
            } else if isPart, name.bytes.count > bytes.count {
                if isOwnKind ? name.bytes.holds(bytes) : name.bytes.suffix(bytes.count).elementsEqual(bytes) {
                    units.formUnion(name.units)
                }
            }
        }
        return units
    }
}

/// The words that mark an organ of the office's own kind (纪委, 派驻, 巡察 …), and ordinary words that contain them (村监委会).
public struct OwnKind: Sendable {
    private let words: [[UInt8]]
    private let exceptions: [String]

    public init(words: [String], except exceptions: [String] = []) {
        self.words = words.map { Array(NameKey.organ($0).utf8) }.filter { !$0.isEmpty }
        self.exceptions = exceptions.map(NameKey.organ).filter { !$0.isEmpty }
    }

    /// - Parameter key: the words, in the form in which organs are compared.
    func isSpokenOf(organ key: String) -> Bool {
        var key = key
        // Most texts contain no such word. An exception is replaced by a blank, so that no new word forms across it.
        guard holdsWord(key) else { return false }
        for exception in exceptions { key = key.replacing(exception, with: " ") }
        return holdsWord(key)
    }

    private func holdsWord(_ key: String) -> Bool {
        let bytes = Array(key.utf8)
        return words.contains { bytes.holds($0) }
    }
}

extension [UInt8] {
    /// Whether these bytes occur somewhere in the array.
    fileprivate func holds(_ part: [UInt8]) -> Bool {
        guard let first = part.first, part.count <= count else { return false }
        return (0...(count - part.count)).contains { start in
            self[start] == first && self[start..<(start + part.count)].elementsEqual(part)
        }
    }
}
