import Text

/// Replaces what would tell who the reporter is, wherever it stands (invariant 6): 〔举报人〕 〔电话〕 〔证件号〕 〔邮箱〕 〔住址〕
/// 〔单位〕 for the name, phone, identity number, e-mail, address and organ the reporter gave.
///
/// Found however it is written (see `FoldedText`), in one pass whatever the reporters are called. It hides what the reporter
/// *gave*; what the text tells in other words stays, so that a person must still look before material is shown.
public struct Mask: Sendable {
    private let names: Search
    private let numbers: Search

    /// - Parameter reporters: without placeholders; see `Submission.stated(without:)`.
    public init(reporters: [Reporter]) {
        let tokens = reporters.flatMap(MaskTokens.of)
        names = Search(tokens.filter { $0.kind == .name }, .names)
        numbers = Search(tokens.filter { $0.kind != .name }, .numbers)
    }

    /// Nothing is known that could be hidden.
    public var isEmpty: Bool { names.isEmpty && numbers.isEmpty }

    /// The text with everything found replaced; the same text where there is nothing. What overlaps is replaced together.
    public func apply(_ text: String) -> String {
        if isEmpty { return text }
        let hits = Hit.merged((names.hits(in: text) + numbers.hits(in: text)).sorted { $0.bytes.lowerBound < $1.bytes.lowerBound })
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

    /// The submission as it leaves the vault: every text masked, the reporters gone. The name of an accused stays where all of
    /// it is the reporter's too: who is accused must be known.
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

        /// A code cannot hold a mask; one that tells of the reporter is left out.
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

/// What is to be replaced.
private struct Hit {
    let bytes: Range<Int>
    let kind: MaskToken.Kind
    /// Of the longest token that is part of it.
    let length: Int

    /// - Parameter hits: in the order in which they begin.
    static func merged(_ hits: [Hit]) -> [Hit] {
        hits.reduce(into: []) { merged, hit in
            guard let last = merged.last, last.bytes.upperBound > hit.bytes.lowerBound else { return merged.append(hit) }
            let longer = hit.length > last.length ? hit : last
            merged[merged.count - 1] = Hit(
                bytes: last.bytes.lowerBound..<max(last.bytes.upperBound, hit.bytes.upperBound), kind: longer.kind, length: longer.length)
        }
    }
}

/// Tokens that are sought in the same folding of a text: those of each boundary together, since what stands behind a place is
/// the same for all that end there.
private struct Search: Sendable {
    private struct Group: Sendable {
        let boundary: MaskToken.Boundary
        let tokens: [MaskToken]
        let finder: TextFinder
    }

    private let groups: [Group]
    private let purpose: FoldedText.Purpose

    init(_ tokens: [MaskToken], _ purpose: FoldedText.Purpose) {
        self.purpose = purpose
        groups = MaskToken.Boundary.allCases.compactMap { boundary in
            let tokens = tokens.filter { $0.boundary == boundary }
            return tokens.isEmpty ? nil : Group(boundary: boundary, tokens: tokens, finder: TextFinder(tokens.map(\.scalars)))
        }
    }

    var isEmpty: Bool { groups.isEmpty }

    func hits(in text: String) -> [Hit] {
        if isEmpty { return [] }
        let folded = FoldedText(text, for: purpose)
        return groups.flatMap { group in
            var hits: [Hit] = []
            group.finder.scan(folded) { index, range in
                if folded.touches(after: range, where: group.boundary.forbids) { return false }
                guard let bytes = group.tokens[index].place(in: folded, range) else { return true }
                // What a later one covers stands last, since they come in the order of their ends.
                while let last = hits.last, last.bytes.lowerBound >= bytes.lowerBound { hits.removeLast() }
                hits.append(Hit(bytes: bytes, kind: group.tokens[index].kind, length: range.count))
                // A shorter one that ends here lies within it.
                return false
            }
            return hits
        }
    }
}

/// One thing to look for, folded as the text is.
struct MaskToken: Sendable {
    enum Kind: String, Sendable {
        case name = "〔举报人〕"
        case phone = "〔电话〕"
        case identityNumber = "〔证件号〕"
        case email = "〔邮箱〕"
        case address = "〔住址〕"
        case organ = "〔单位〕"
    }

    /// What may not stand beside it: part of a longer number is another number, part of a longer word another word.
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

    let kind: Kind
    let scalars: [UInt32]
    let boundary: Boundary
    /// What is short could stand in two clauses by chance.
    let acrossClauses: Bool

    /// The bytes to be replaced where its characters stand, a country code before a number included; `nil`: what stands before
    /// them makes it another word or number.
    func place(in text: FoldedText, _ range: Range<Int>) -> Range<Int>? {
        if !acrossClauses, text.gap(within: range) == .clause { return nil }
        let bytes = text.bytes(of: range)
        if kind == .phone, let code = text.startOfCountryCode(before: range.lowerBound) { return code..<bytes.upperBound }
        return text.touches(before: range, where: boundary.forbids) ? nil : bytes
    }
}

extension FoldedText.Unit {
    /// Of Latin script, or a digit.
    fileprivate var isLetterOrDigit: Bool { (0x30...0x39).contains(scalar) || (0x61...0x7A).contains(scalar) }
}

extension FoldedText {
    /// Where the number begins if a country code stands before it: `+86`, `0086`, `+852`.
    fileprivate func startOfCountryCode(before index: Int) -> Int? {
        var first = index
        while first > 0, index - first < 5, units[first - 1].isDigit, gap(within: first - 1..<first + 1) <= .separator {
            first -= 1
            if index - first <= 3, units[first].plusStart >= 0 { return Int(units[first].plusStart) }
        }
        guard index - first >= 4, units[first].scalar == 0x30, units[first + 1].scalar == 0x30 else { return nil }
        return touches(before: first..<index, where: \.isDigit) ? nil : bytes(of: first..<index).lowerBound
    }
}
