import Text

/// Replaces everything that identifies the reporter, wherever it occurs (invariant 6). The marks are 〔举报人〕 〔电话〕 〔证件号〕
/// 〔邮箱〕 〔住址〕 〔单位〕 for the name, phone, identity number, e-mail, address and organ that the reporter gave.
///
/// The tokens are found in every spelling (see `FoldedText`), in one pass for any number of reporters. Only what the
/// reporter *gave* is hidden. Other hints in the text remain, so a person must check material before it is shown.
public struct Mask: Sendable {
    private let names: Search
    private let rareNames: Search
    private let numbers: Search

    /// - Parameter reporters: without placeholders; see `Submission.stated(without:)`.
    public init(reporters: [Reporter]) {
        let tokens = reporters.flatMap(MaskTokens.of)
        // An unknown character is compared as such in names that contain one, and ignored as filler in all others.
        names = Search(tokens.filter { $0.rule.kind == .name && !$0.hasUnknownCharacter }, .words)
        rareNames = Search(tokens.filter { $0.rule.kind == .name && $0.hasUnknownCharacter }, .names)
        numbers = Search(tokens.filter { $0.rule.kind != .name }, .numbers)
    }

    /// Whether there is nothing to hide.
    public var isEmpty: Bool { names.isEmpty && rareNames.isEmpty && numbers.isEmpty }

    /// The text with every match replaced; the same text if there is none. Overlapping matches are replaced together.
    public func apply(_ text: String) -> String {
        if isEmpty { return text }
        let found = [names, rareNames, numbers].flatMap { $0.hits(in: text) }
        let hits = found.sorted { $0.bytes.lowerBound < $1.bytes.lowerBound }.reduce(into: [Hit]()) {
            $1.merge(into: &$0)
        }
        if hits.isEmpty { return text }
        let bytes = Array(text.utf8)
        var masked: [UInt8] = []
        masked.reserveCapacity(bytes.count)
        var copied = 0
        for hit in hits {
            masked += bytes[copied..<hit.bytes.lowerBound]
            masked += hit.kind.rawValue.utf8
            copied = hit.bytes.upperBound
        }
        masked += bytes[copied...]
        return String(decoding: masked, as: UTF8.self)
    }

    /// The submission as it leaves the vault: every text is masked and the reporters are removed. The name of an
    /// accused stays if all of it is also the reporter's name: the accused must be known.
    public func apply(to submission: Submission) -> Submission {
        var masked = submission
        masked.reporters = []
        var visitor = Visitor(mask: self)
        masked.visitTexts(&visitor)
        return masked
    }

    private struct Visitor: TextVisitor {
        let mask: Mask

        mutating func visit(_ text: inout String, at place: TextPlace, as kind: TextKind) {
            let masked = mask.apply(text)
            if case .accusedName = kind, masked == MaskToken.Kind.name.rawValue { return }
            if masked != text { text = masked }
        }

        /// A code cannot contain a mask, so a code that identifies the reporter is left out.
        mutating func visit(code: inout String?, at place: TextPlace, as kind: CodeKind) {
            guard let given = code else { return }
            switch kind {
            case .vocabulary, .unit, .digest: break
            case .mediaType: code = MediaTypeName.normal(given).flatMap { mask.apply($0) == $0 ? $0 : nil }
            case .placeCode: if mask.apply(given) != given { code = nil }
            }
        }
    }
}

/// A range of the text to be replaced.
private struct Hit {
    let bytes: Range<Int>
    let kind: MaskToken.Kind
    /// Length of the longest token in it.
    let length: Int

    /// Appends the hit to others and joins it with those it overlaps. Hits must come in the order of their starts or
    /// in the order of their ends.
    func merge(into hits: inout [Hit]) {
        var hit = self
        while let last = hits.last, last.bytes.upperBound > hit.bytes.lowerBound {
            hit = Hit(
                bytes: min(
                    last.bytes.lowerBound, hit.bytes.lowerBound)..<max(last.bytes.upperBound, hit.bytes.upperBound),
                kind: hit.length > last.length ? hit.kind : last.kind, length: max(hit.length, last.length))
            hits.removeLast()
        }
        hits.append(hit)
    }
}

/// Tokens that are searched in the same folding of a text. Tokens with the same boundary share a finder, because the
/// check after a match is the same for all that end at one place.
private struct Search: Sendable {
    private struct Group: Sendable {
        let boundary: MaskToken.Boundary
        /// The rule of each token, by its number in the finder.
        let rules: [MaskToken.Rule]
        let finder: TextFinder
    }

    private let groups: [Group]
    private let purpose: FoldedText.Purpose

    init(_ tokens: [MaskToken], _ purpose: FoldedText.Purpose) {
        self.purpose = purpose
        groups = MaskToken.Boundary.allCases.compactMap { boundary in
            let tokens = tokens.filter { $0.rule.boundary == boundary }
            guard !tokens.isEmpty else { return nil }
            return Group(boundary: boundary, rules: tokens.map(\.rule), finder: TextFinder(tokens.map(\.scalars)))
        }
    }

    var isEmpty: Bool { groups.isEmpty }

    func hits(in text: String) -> [Hit] {
        if isEmpty { return [] }
        let folded = FoldedText(text, for: purpose)
        return groups.flatMap { group in
            var hits: [Hit] = []
            group.finder.scan(folded) { index, range in
                if folded.touches(after: range, where: { group.boundary.forbids($0) }) { return false }
                let rule = group.rules[index]
                guard let bytes = rule.place(in: folded, range) else { return true }
                Hit(bytes: bytes, kind: rule.kind, length: range.count).merge(into: &hits)
                // A shorter token that ends here is inside this one.
                return false
            }
            return hits
        }
    }
}

/// A token to search for, folded in the same way as the text.
struct MaskToken: Sendable {
    enum Kind: String, Sendable {
        case name = "〔举报人〕"
        case phone = "〔电话〕"
        case identityNumber = "〔证件号〕"
        case email = "〔邮箱〕"
        case address = "〔住址〕"
        case organ = "〔单位〕"
    }

    /// What may not be adjacent to a token: part of a longer number is another number, part of a longer word another
    /// word.
    enum Boundary: Sendable, CaseIterable {
        case none, digits, letters

        func forbids(_ unit: FoldedText.Unit) -> Bool {
            switch self {
            case .none: false
            case .digits: unit.isDigit
            case .letters: unit.isLetterOrDigit
            }
        }
    }

    let scalars: [UInt32]
    let rule: Rule

    var hasUnknownCharacter: Bool { scalars.contains(where: FoldedText.isUnknown) }

    struct Rule: Sendable {
        let kind: Kind
        let boundary: Boundary
        /// A short token could occur across two clauses by chance.
        let acrossClauses: Bool
    }
}

extension MaskToken.Rule {
    /// The bytes to be replaced for a match, including a country code before a number; `nil` if the text before the
    /// match makes it another word or number.
    func place(in text: FoldedText, _ range: Range<Int>) -> Range<Int>? {
        if !acrossClauses, text.gap(within: range) == .clause { return nil }
        let bytes = text.bytes(of: range)
        if kind == .phone, let code = text.startOfCountryCode(before: range.lowerBound) {
            return code..<bytes.upperBound
        }
        return text.touches(before: range, where: { boundary.forbids($0) }) ? nil : bytes
    }
}

extension FoldedText.Unit {
    /// Whether it is a Latin letter or a digit.
    fileprivate var isLetterOrDigit: Bool { (0x30...0x39).contains(scalar) || (0x61...0x7A).contains(scalar) }
}

extension FoldedText {
    /// Where the number begins if a country code precedes it: `+86`, `0086`, `+852`.
    fileprivate func startOfCountryCode(before index: Int) -> Int? {
        func isCode(_ first: Int) -> Bool {
            (first..<index).allSatisfy { units[$0].isDigit && gap(within: $0..<$0 + 2) <= .separator }
        }
        for first in stride(from: index - 1, through: max(0, index - 3), by: -1) where units[first].plusStart >= 0 {
            return isCode(first) ? Int(units[first].plusStart) : nil
        }
        for first in stride(from: index - 5, through: max(0, index - 4), by: 1)
        where first >= 0 && units[first].scalar == 0x30 && units[first + 1].scalar == 0x30 && isCode(first) {
            return touches(before: first..<index, where: \.isDigit) ? nil : bytes(of: first..<index).lowerBound
        }
        return nil
    }
}
