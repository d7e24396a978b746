/// A text folded for comparison, with offsets into the original.
///
/// These are equal: compatibility forms (full width, circled, mathematical, half-width kana, ㈱), radicals and
/// compatibility ideographs, Traditional and Simplified characters and their variants, letter case, letters of other
/// scripts that look like Latin ones, digits of all scripts, precomposed and decomposed letters, characters and their
/// references (`&#29579;`). These are dropped: variation selectors, accents and strokes used with any letter, marks
/// of a script on a letter of another, invisible characters, spaces, control characters, punctuation, symbols; a
/// `Gap` keeps how strongly they separate their neighbours. Private-use and unassigned characters are kept in names,
/// because their meaning is unknown.
public struct FoldedText: Sendable {
    /// The kind of search.
    public enum Purpose: Sendable {
        /// Names, and other text made of letters.
        case names
        /// Numbers: numerals (一 壹 幺 ○) and letters written for digits (O, l) count as digits, also within other
        /// words; private-use characters are dropped.
        case numbers
        /// Words that may be split up to hide them: private-use characters are dropped.
        case words
    }

    /// One compared character.
    public struct Unit: Sendable {
        public let scalar: UInt32
        /// Offsets in the original's UTF-8: of its first byte, and of the byte after its last.
        public fileprivate(set) var start: Int32
        public fileprivate(set) var end: Int32
        /// The number of gaps so far that are separators or stronger, and of those that are ends of clauses.
        fileprivate let separators: Int32
        fileprivate let clauses: Int32
        /// True for a digit or numeral of the original; false for a letter or circle read as one.
        public let isDigit: Bool
        /// The offset of a plus sign directly before it; -1 if there is none.
        public let plusStart: Int32
    }

    public private(set) var units: [Unit] = []

    private let purpose: Purpose
    private var gap = Gap.none
    private var plusStart: Int32 = -1
    private var separators: Int32 = 0
    private var clauses: Int32 = 0
    /// The first of a run of combining marks that is not yet in canonical order.
    private var marksStart: Int?

    public init(_ text: String, for purpose: Purpose = .names) {
        self.purpose = purpose
        let table = FoldingTable.shared
        units.reserveCapacity(text.utf8.count / 3 + 8)
        var text = text
        text.withUTF8 { bytes in
            var offset = 0
            while offset < bytes.count {
                let (value, width) = bytes.reference(at: offset) ?? bytes.scalar(at: offset)
                fold(value, Int32(truncatingIfNeeded: offset), Int32(truncatingIfNeeded: offset + width), table)
                offset += width
            }
        }
        orderMarks(table)
    }

    public var isEmpty: Bool { units.isEmpty }

    /// True for private-use and unassigned characters.
    public static func isUnknown(_ scalar: UInt32) -> Bool { FoldingTable.shared[scalar].kind == .unknown }

    public var scalars: [UInt32] { units.map(\.scalar) }

    /// The folded characters as text.
    public var text: String {
        var text = String.UnicodeScalarView()
        for unit in units { text.append(Unicode.Scalar(unit.scalar) ?? "\u{FFFD}") }
        return String(text)
    }

    /// The bytes of the original for a range of units, including what is between them.
    public func bytes(of range: Range<Int>) -> Range<Int> {
        Int(units[range.lowerBound].start)..<Int(units[range.upperBound - 1].end)
    }

    /// The strongest gap inside a range of units; `.blank` if there is nothing stronger.
    public func gap(within range: Range<Int>) -> Gap {
        let (first, last) = (units[range.lowerBound], units[range.upperBound - 1])
        return last.clauses > first.clauses ? .clause : last.separators > first.separators ? .separator : .blank
    }

    /// True if the unit directly before the range, with nothing between them in the original, satisfies `isSuch`.
    public func touches(before range: Range<Int>, where isSuch: (Unit) -> Bool) -> Bool {
        let before = range.lowerBound - 1
        return before >= 0 && units[before].end == units[range.lowerBound].start && isSuch(units[before])
    }

    public func touches(after range: Range<Int>, where isSuch: (Unit) -> Bool) -> Bool {
        let after = range.upperBound
        return after < units.count && units[after].start == units[after - 1].end && isSuch(units[after])
    }

    // MARK: Folding

    @inline(__always)
    private mutating func fold(_ value: UInt32, _ start: Int32, _ end: Int32, _ table: FoldingTable) {
        let cell = table[value]
        // A fast path for most characters.
        if cell.isPlain, cell.digit == 0, gap == .none, marksStart == nil, !Hangul.isSyllable(value) {
            let isDigit = (0x30...0x39).contains(value)
            units.append(
                Unit(
                    scalar: value, start: start, end: end, separators: separators, clauses: clauses, isDigit: isDigit,
                    plusStart: -1))
        } else {
            fold(value, start, end, cell, table)
        }
    }

    private mutating func fold(
        _ value: UInt32, _ start: Int32, _ end: Int32, _ cell: FoldingTable.Cell, _ table: FoldingTable
    ) {
        if purpose == .numbers, cell.digit != 0 { return append(value, start, end, cell) }
        if cell.isPlain {
            guard Hangul.isSyllable(value) else { return append(value, start, end, cell) }
            return Hangul.decomposed(value).forEach { append($0, start, end, cell) }
        }
        if let single = FoldingTable.single(cell.wide, of: value) { return take(single, start, end, table) }
        for part in table.parts(cell.wide) { take(part, start, end, table) }
    }

    /// Adds a character of the folded form, according to its kind.
    private mutating func take(_ value: UInt32, _ start: Int32, _ end: Int32, _ table: FoldingTable) {
        let cell = table[value]
        switch cell.kind {
        case .kept: append(value, start, end, cell)
        case .unknown:
            if purpose == .names { append(value, start, end, cell) } else { gap = max(gap, .separator) }
        case .scriptMark:
            // On a letter of another script it counts as an accent.
            if let last = units.last, last.scalar < 0x80 || last.scalar >= 0x3400 {
                stretch(from: start, to: end)
            } else {
                append(value, start, end, cell)
            }
        case .mark, .variationSelector: stretch(from: start, to: end)
        case .invisible, .blank:
            gap = max(gap, .blank)
        case .space, .punctuation, .symbol, .clause:
            gap = max(gap, cell.kind.gap)
            plusStart = value == 0x2B ? start : -1
        }
    }

    /// Extends the last unit by a mark on it.
    private mutating func stretch(from start: Int32, to end: Int32) {
        if let last = units.indices.last, units[last].end == start { units[last].end = end }
    }

    private mutating func append(_ value: UInt32, _ start: Int32, _ end: Int32, _ cell: FoldingTable.Cell) {
        if gap != .none {
            if gap >= .separator { separators += 1 }
            if gap == .clause { clauses += 1 }
            gap = .none
        }
        if cell.combining != 0 {
            marksStart = marksStart ?? units.count
        } else if marksStart != nil {
            orderMarks(.shared)
        }
        let scalar = purpose == .numbers && cell.digit != 0 ? UInt32(cell.digit) : value
        units.append(
            Unit(
                scalar: scalar, start: start, end: end, separators: separators, clauses: clauses,
                // Letters read as digits are below U+2000, numerals above.
                isDigit: (0x30...0x39).contains(scalar) && (scalar == value || value >= 0x2000 && cell.kind == .kept),
                plusStart: plusStart))
        plusStart = -1
    }

    /// Sorts combining marks into canonical order, so that all ways of writing them are equal.
    private mutating func orderMarks(_ table: FoldingTable) {
        guard let first = marksStart else { return }
        marksStart = nil
        guard units.count - first > 1 else { return }
        let (start, end) = (units[first].start, units[units.count - 1].end)
        let marks = units[first...].enumerated().map {
            (rank: table[$0.element.scalar].combining, offset: $0.offset, scalar: $0.element.scalar)
        }.sorted { ($0.rank, $0.offset) < ($1.rank, $1.offset) }
        let model = units[first]
        units.replaceSubrange(
            first...,
            with: marks.map {
                Unit(
                    scalar: $0.scalar, start: start, end: end, separators: model.separators, clauses: model.clauses,
                    isDigit: false, plusStart: -1)
            })
    }
}

/// Hangul syllables and their letters (The Unicode Standard, 3.12).
enum Hangul {
    @inline(__always) static func isSyllable(_ value: UInt32) -> Bool { (0xAC00...0xD7A3).contains(value) }

    static func decomposed(_ syllable: UInt32) -> [UInt32] {
        let index = syllable - 0xAC00
        let last = index % 28
        return [0x1100 + index / 588, 0x1161 + index % 588 / 28] + (last == 0 ? [] : [0x11A7 + last])
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// The scalar at an offset, and its number of bytes. The bytes must be valid UTF-8.
    @inline(__always) func scalar(at offset: Int) -> (value: UInt32, width: Int) {
        let first = UInt32(self[offset])
        if first < 0x80 { return (first, 1) }
        func next(_ distance: Int) -> UInt32 { UInt32(self[offset + distance]) & 0x3F }
        if first < 0xE0 { return ((first & 0x1F) << 6 | next(1), 2) }
        if first < 0xF0 { return ((first & 0x0F) << 12 | next(1) << 6 | next(2), 3) }
        return ((first & 0x07) << 18 | next(1) << 12 | next(2) << 6 | next(3), 4)
    }

    /// The character written as a reference at an offset, and the reference's number of bytes: `&#29579;`,
    /// `&#x738B;`, `&nbsp;`. Web forms send references for characters missing in their encoding, mainly in rare
    /// names.
    @inline(__always) func reference(at offset: Int) -> (value: UInt32, width: Int)? {
        self[offset] == 0x26 ? longReference(at: offset) : nil
    }

    private func longReference(at offset: Int) -> (value: UInt32, width: Int)? {
        // The longest form is `&#x0010FFFF;`.
        guard let end = self[offset..<Swift.min(offset + 12, count)].firstIndex(of: 0x3B) else { return nil }
        let name = String(decoding: self[(offset + 1)..<end], as: UTF8.self).lowercased()
        let value =
            if name.hasPrefix("#x") { UInt32(name.dropFirst(2), radix: 16) } else if name.hasPrefix("#") {
                UInt32(name.dropFirst())
            } else {
                named[name]
            }
        guard let value, Unicode.Scalar(value) != nil else { return nil }
        return (value, end + 1 - offset)
    }
}

/// Named references of spaces, marks and quotation marks.
private let named: [String: UInt32] = [
    "nbsp": 0xA0, "ensp": 0x2002, "emsp": 0x2003, "thinsp": 0x2009, "zwnj": 0x200C, "zwj": 0x200D, "shy": 0xAD,
    "middot": 0xB7,
    "bull": 0x2022, "amp": 0x26, "lt": 0x3C, "gt": 0x3E, "quot": 0x22, "apos": 0x27, "ldquo": 0x201C, "rdquo": 0x201D,
    "hellip": 0x2026,
    "ndash": 0x2013, "mdash": 0x2014,
]
