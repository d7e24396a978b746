/// A text as it is compared, with offsets back into the original.
///
/// Alike are: compatibility forms (full width, circled, mathematical, half-width kana, ㈱), radicals and compatibility
/// ideographs, Traditional and Simplified characters and their variants, letter case, letters of other scripts that
/// look like Latin ones, digits of all scripts, precomposed and decomposed letters, characters and their references
/// (`&#29579;`). Left out are: variation selectors, accents and strokes that go with any letter, marks of a script on a
/// letter of another, what is invisible, spaces, control characters, punctuation, symbols; how far they part the
/// characters beside them is kept as a `Gap`. Characters of private use and unassigned ones are kept in names, since
/// nobody here can tell what they mean.
public struct FoldedText: Sendable {
    /// What is sought in the text.
    public enum Purpose: Sendable {
        /// Names, and everything else made of letters.
        case names
        /// Numbers: numerals (一 壹 幺 ○) and letters written for digits (O, l) are digits, also those within other words;
        /// characters of private use are left out.
        case numbers
        /// Words that somebody may have taken apart: characters of private use are left out.
        case words
    }

    /// One character that is compared.
    public struct Unit: Sendable {
        public let scalar: UInt32
        /// Offsets in the UTF-8 of the original: of its first byte, and of the byte after its last.
        public fileprivate(set) var start: Int32
        public fileprivate(set) var end: Int32
        /// How many gaps there are up to here that are separators or more, and that are ends of clauses.
        fileprivate let separators: Int32
        fileprivate let clauses: Int32
        /// A digit or numeral in the original too, no letter or circle that is read for one.
        public let isDigit: Bool
        /// Offset of a plus sign right before it; -1: there is none.
        public let plusStart: Int32
    }

    public private(set) var units: [Unit] = []

    private let purpose: Purpose
    private var gap = Gap.none
    private var plusStart: Int32 = -1
    private var separators: Int32 = 0
    private var clauses: Int32 = 0
    /// Where a run of combining marks begins that has not been put in order.
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

    /// Of private use or unassigned.
    public static func isUnknown(_ scalar: UInt32) -> Bool { FoldingTable.shared[scalar].kind == .unknown }

    public var scalars: [UInt32] { units.map(\.scalar) }

    /// The folded characters as text.
    public var text: String {
        var text = String.UnicodeScalarView()
        for unit in units { text.append(Unicode.Scalar(unit.scalar) ?? "\u{FFFD}") }
        return String(text)
    }

    /// The bytes of the original that a range of units stands for, with what lies between them.
    public func bytes(of range: Range<Int>) -> Range<Int> {
        Int(units[range.lowerBound].start)..<Int(units[range.upperBound - 1].end)
    }

    /// The strongest gap inside a range of units.
    public func gap(within range: Range<Int>) -> Gap {
        let (first, last) = (units[range.lowerBound], units[range.upperBound - 1])
        return last.clauses > first.clauses ? .clause : last.separators > first.separators ? .separator : .blank
    }

    /// Whether the unit beside the range, with nothing in between in the original, is such a one.
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
        // Most characters, quickly.
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

    /// What a character became.
    private mutating func take(_ value: UInt32, _ start: Int32, _ end: Int32, _ table: FoldingTable) {
        let cell = table[value]
        switch cell.kind {
        case .kept: append(value, start, end, cell)
        case .unknown:
            if purpose == .names { append(value, start, end, cell) } else { gap = max(gap, .separator) }
        case .scriptMark:
            // On no letter of its own it is as good as an accent.
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

    /// What stands on a character belongs to it.
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
                // Letters that are read for digits are below U+2000, numerals above.
                isDigit: (0x30...0x39).contains(scalar) && (scalar == value || value >= 0x2000 && cell.kind == .kept),
                plusStart: plusStart))
        plusStart = -1
    }

    /// Combining marks in canonical order, so that all ways of writing them are alike.
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

/// Syllables of Hangul and their letters (The Unicode Standard, 3.12).
enum Hangul {
    @inline(__always) static func isSyllable(_ value: UInt32) -> Bool { (0xAC00...0xD7A3).contains(value) }

    static func decomposed(_ syllable: UInt32) -> [UInt32] {
        let index = syllable - 0xAC00
        let last = index % 28
        return [0x1100 + index / 588, 0x1161 + index % 588 / 28] + (last == 0 ? [] : [0x11A7 + last])
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// The scalar that begins here, and its bytes. Of valid UTF-8.
    @inline(__always) func scalar(at offset: Int) -> (value: UInt32, width: Int) {
        let first = UInt32(self[offset])
        if first < 0x80 { return (first, 1) }
        func next(_ distance: Int) -> UInt32 { UInt32(self[offset + distance]) & 0x3F }
        if first < 0xE0 { return ((first & 0x1F) << 6 | next(1), 2) }
        if first < 0xF0 { return ((first & 0x0F) << 12 | next(1) << 6 | next(2), 3) }
        return ((first & 0x07) << 18 | next(1) << 12 | next(2) << 6 | next(3), 4)
    }

    /// The character that is written as a reference here, and the bytes of that: `&#29579;`, `&#x738B;`, `&nbsp;`.
    /// Forms on the web send them for what their own encoding does not hold, rare names above all.
    @inline(__always) func reference(at offset: Int) -> (value: UInt32, width: Int)? {
        self[offset] == 0x26 ? longReference(at: offset) : nil
    }

    private func longReference(at offset: Int) -> (value: UInt32, width: Int)? {
        // None is longer: `&#x0010FFFF;`.
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

/// References that spaces, marks and quotation marks have.
private let named: [String: UInt32] = [
    "nbsp": 0xA0, "ensp": 0x2002, "emsp": 0x2003, "thinsp": 0x2009, "zwnj": 0x200C, "zwj": 0x200D, "shy": 0xAD,
    "middot": 0xB7,
    "bull": 0x2022, "amp": 0x26, "lt": 0x3C, "gt": 0x3E, "quot": 0x22, "apos": 0x27, "ldquo": 0x201C, "rdquo": 0x201D,
    "hellip": 0x2026,
    "ndash": 0x2013, "mdash": 0x2014,
]
