/// The narrow form of a text, for repeats, where a false match is the worse mistake.
///
/// These are dropped: white space, punctuation between words, variation selectors, invisible characters. These are
/// equal: compatibility forms, letter case, digits of all scripts, Traditional and Simplified characters where each
/// has only one partner. What carries meaning stays: punctuation and space between two numbers (3.5, 1/2, 1-2,
/// 12:30), a sign or a decimal point before a number, per cent, symbols, numbers that are not digits (½ ①, ² after a
/// number), private-use and unassigned characters.
public enum NarrowText {
    /// The narrow form in UTF-8.
    public static func bytes(of text: String) -> [UInt8] {
        var writer = Writer(keepsGaps: true, capacity: text.utf8.count)
        writer.fold(text)
        return writer.finish()
    }

    /// The narrow form without punctuation and symbols, so that dots and hyphens within names do not matter.
    static func lettersOnly(_ text: String) -> String {
        var writer = Writer(keepsGaps: false, capacity: text.utf8.count)
        writer.fold(text)
        return String(decoding: writer.finish(), as: UTF8.self)
    }

    private struct Writer {
        private let table = FoldingTable.shared
        private let keepsGaps: Bool
        private var bytes: [UInt8] = []
        /// Punctuation and space since the last written character.
        private var gap: [UInt32] = []
        private var last: UInt32?
        private var marks: [UInt32] = []

        init(keepsGaps: Bool, capacity: Int) {
            self.keepsGaps = keepsGaps
            bytes.reserveCapacity(capacity)
        }

        mutating func fold(_ text: String) {
            var text = text
            text.withUTF8 { bytes in
                var (offset, runStart) = (0, 0)
                while offset < bytes.count {
                    let (value, width) = bytes.scalar(at: offset)
                    let cell = table[value]
                    // A fast path for most characters: whole runs of their own bytes.
                    if cell.isSame, gap.isEmpty, marks.isEmpty, value >= 0x3400 || value < 0x80,
                        !Hangul.isSyllable(value)
                    {
                        last = value
                    } else {
                        self.bytes += bytes[runStart..<offset]
                        fold(value, cell)
                        runStart = offset + width
                    }
                    offset += width
                }
                self.bytes += bytes[runStart...]
            }
        }

        private mutating func fold(_ value: UInt32, _ cell: FoldingTable.Cell) {
            if cell.isSame {
                if Hangul.isSyllable(value) { return Hangul.decomposed(value).forEach { write($0) } }
                return write(value, isPlain: value >= 0x3400 || value < 0x80)
            }
            if let single = FoldingTable.single(cell.narrow, of: value) { return take(single) }
            for part in table.parts(cell.narrow) { take(part) }
        }

        private mutating func take(_ value: UInt32) {
            let cell = table[value]
            switch cell.kind {
            case .kept, .unknown, .mark, .scriptMark:
                if cell.combining != 0 { return marks.append(value) }
                write(value)
            case .symbol:
                if keepsGaps { write(value) }
            case .variationSelector, .invisible: break
            case .blank, .space:
                if gap.last != 0x20 { gap.append(0x20) }
            case .punctuation, .clause:
                guard keepsGaps else { break }
                if NarrowText.perCent.contains(value) { return write(value) }
                gap.append(NarrowText.dashes.contains(value) ? 0x2D : value)
            }
        }

        /// - Parameter isPlain: true for a character that is not a number, or is an ASCII digit or a Chinese numeral.
        private mutating func write(_ value: UInt32, isPlain: Bool = false) {
            flushMarks()
            var value = value
            // m² and ㎡ are m2; 10² is not 102.
            if !isPlain, let digit = NarrowText.raised(value), !(last.map(NarrowText.isNumber) ?? false) || !gap.isEmpty
            {
                value = digit
            }
            if !gap.isEmpty { writeGap(before: value) }
            emit(value)
            last = value
        }

        private mutating func writeGap(before value: UInt32) {
            defer { gap.removeAll(keepingCapacity: true) }
            guard keepsGaps, NarrowText.isNumber(value) else { return }
            if let last, NarrowText.isNumber(last) {
                // 3.5 万 is 3.5万, but 3 5 is not 35.
                if gap == [0x20], NarrowText.isUnitOfNumbers(last) || NarrowText.isUnitOfNumbers(value) { return }
                gap.forEach { emit($0) }
            } else if let sign = gap.last, sign == 0x2D || sign == 0x2E {
                emit(sign)
            }
        }

        private mutating func flushMarks() {
            if marks.isEmpty { return }
            if marks.count == 1 {
                emit(marks[0])
            } else {
                let ordered = marks.enumerated().map {
                    (rank: table[$0.element].combining, offset: $0.offset, mark: $0.element)
                }
                for mark in ordered.sorted(by: { ($0.rank, $0.offset) < ($1.rank, $1.offset) }) { emit(mark.mark) }
            }
            marks.removeAll(keepingCapacity: true)
        }

        private mutating func emit(_ value: UInt32) {
            bytes += UTF8.encode(Unicode.Scalar(value) ?? "\u{FFFD}") ?? UTF8.encodedReplacementCharacter
        }

        mutating func finish() -> [UInt8] {
            flushMarks()
            return bytes
        }
    }

    private static let perCent: Set<UInt32> = [0x25, 0x2030, 0x2031, 0x66A, 0x609, 0x60A]
    private static let dashes: Set<UInt32> = [0x2D, 0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2015]

    private static func isNumber(_ value: UInt32) -> Bool {
        if value < 0x80 { return (0x30...0x39).contains(value) }
        return Unicode.Scalar(value)?.properties.numericType != nil
    }

    /// 百, 千, 万, 亿: they multiply the number before them.
    private static func isUnitOfNumbers(_ value: UInt32) -> Bool {
        (Unicode.Scalar(value)?.properties.numericValue ?? 0) >= 100
    }

    /// The digit of a superscript or subscript.
    private static func raised(_ value: UInt32) -> UInt32? {
        switch value {
        case 0xB2, 0xB3: value - 0x80
        case 0xB9: 0x31
        case 0x2070, 0x2074...0x2079: value - 0x2040
        case 0x2080...0x2089: value - 0x2050
        default: nil
        }
    }
}
