import Corpus

/// Changes that find the parts of JSON text and treat them as wholes.
enum JSONChanges {
    private static let openers = Set("{[".utf8), closers = Set("}]".utf8)
    private static let values = [
        "null", "true", "0", "-1", "1e99", "9223372036854775808", "\"\"", "\"x\"", "[]", "{}", "[null]", "{\"\":null}",
        "[[[[]]]]", "\"\\u0041\\ud83d\\ude00\"",
    ].map { Array($0.utf8) }

    static func change(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        let starts = bytes.indices.filter {
            bytes[$0] == UInt8(ascii: ":") || bytes[$0] == UInt8(ascii: ",") || bytes[$0] == UInt8(ascii: "[")
        }
        guard !starts.isEmpty else { return }
        let start = random.pick(starts) + 1
        let end = endOfValue(bytes, from: start)
        let value = Array(bytes[start..<end])
        switch random.below(7) {
        case 0: bytes.replaceSubrange(start..<end, with: random.pick(values))
        case 1: bytes.removeSubrange(start..<min(bytes.count, end + 1))
        case 2: bytes.insert(contentsOf: value + [UInt8(ascii: ",")], at: start)
        case 3:
            let depth = 1 << random.below(random.once(in: 200) ? 17 : 7)
            let (open, close) = random.once(in: 2) ? ("[", "]") : ("{\"a\":", "}")
            let left = Array(repeatElement(Array(open.utf8), count: depth).joined())
            bytes.replaceSubrange(
                start..<end, with: left + value + Array(repeatElement(Array(close.utf8), count: depth).joined()))
        case 4:
            let other = random.pick(starts) + 1
            bytes.insert(
                contentsOf: Array(bytes[other..<endOfValue(bytes, from: other)]) + [UInt8(ascii: ",")], at: start)
        case 5:
            let text = [UInt8](
                repeating: random.pick([0x61, 0x20, 0x5C, 0x22, 0xE4]),
                count: 1 << random.below(random.once(in: 100) ? 19 : 11))
            bytes.replaceSubrange(start..<end, with: [UInt8(ascii: "\"")] + text + [UInt8(ascii: "\"")])
        default:
            let count = 1 << random.below(random.once(in: 50) ? 15 : 7)
            let many = Array(
                repeatElement(value + [UInt8(ascii: ",")], count: min(count, 300_000 / (value.count + 1))).joined())
            bytes.replaceSubrange(start..<end, with: [UInt8(ascii: "[")] + many + value + [UInt8(ascii: "]")])
        }
    }

    /// Where the value that begins at `start` is over: before a comma or a closing bracket that is not its own.
    private static func endOfValue(_ bytes: [UInt8], from start: Int) -> Int {
        var depth = 0
        var inText = false
        var index = start
        while index < bytes.count {
            let byte = bytes[index]
            if inText {
                if byte == UInt8(ascii: "\\") { index += 1 } else if byte == UInt8(ascii: "\"") { inText = false }
            } else if byte == UInt8(ascii: "\"") {
                inText = true
            } else if openers.contains(byte) {
                depth += 1
            } else if closers.contains(byte) {
                if depth == 0 { return index }
                depth -= 1
            } else if byte == UInt8(ascii: ","), depth == 0 {
                return index
            }
            index += 1
        }
        return min(index, bytes.count)
    }
}

/// Changes that treat the lines of YAML text as wholes.
enum YAMLChanges {
    private static let values = [
        "", "~", "x", "-1", "[]", "{}", "[a, b]", "{a: b}", "&x [1]", "*x", "!!str 1", "|\n    text", "\"\\u0000\"",
        "true", "999999 day", "[[[[[[]]]]]]",
    ].map { Array($0.utf8) }

    static func change(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
        let at = random.below(lines.count)
        switch random.below(9) {
        case 0: lines.remove(at: at)
        case 1: lines.insert(lines[at], at: random.below(lines.count + 1))
        case 2: lines.swapAt(at, random.below(lines.count))
        case 3: lines[at].insert(contentsOf: [UInt8](repeating: 0x20, count: 1 + random.below(4)), at: 0)
        case 4: lines[at].removeFirst(min(lines[at].count, 1 + random.below(3)))
        case 5:
            let depth = 1 << random.below(random.once(in: 200) ? 17 : 7)
            let unit = Array(random.pick(["[", "- ", "{a: ", "? ", "[ [", "!x [", "|\n", "a: "]).utf8)
            lines[at] += Array(repeatElement(unit, count: depth).joined())
        case 6:
            let count = 1 << random.below(random.once(in: 100) ? 15 : 7)
            lines.insert(
                contentsOf: repeatElement(lines[at], count: min(count, 300_000 / (lines[at].count + 1))), at: at)
        default:
            if let colon = lines[at].indices.filter({ lines[at][$0] == UInt8(ascii: ":") }).randomElement(
                using: &random)
            {
                lines[at].replaceSubrange((colon + 1)..., with: [0x20] + random.pick(values))
            }
        }
        bytes = Array(lines.joined(separator: [UInt8(ascii: "\n")]))
    }
}

/// Tables as brokers write them, every kind of value among them.
enum TableBytes {
    static func make(_ random: inout SeededRandom) -> [UInt8] {
        if random.once(in: 3) { return [1] + properties(&random) }
        var left = 40
        return [0] + table(&random, depth: 1, &left)
    }

    private static func properties(_ random: inout SeededRandom) -> [UInt8] {
        let flags = UInt16(truncatingIfNeeded: random.next()) & 0xFFFC
        var bytes = big(flags)
        for bit in stride(from: 15, through: 2, by: -1) where flags & (1 << UInt16(bit)) != 0 {
            switch bit {
            case 13:
                var left = 20
                bytes += table(&random, depth: 1, &left)
            case 12, 11: bytes.append(random.byte())
            case 6: bytes += big(random.next())
            default: bytes += shortText(&random)
            }
        }
        return bytes
    }

    private static func table(_ random: inout SeededRandom, depth: Int, _ left: inout Int) -> [UInt8] {
        var content: [UInt8] = []
        for _ in 0..<random.below(6) { content += shortText(&random) + field(&random, depth: depth, &left) }
        return big(UInt32(content.count)) + content
    }

    private static func field(_ random: inout SeededRandom, depth: Int, _ left: inout Int) -> [UInt8] {
        left -= 1
        let kinds = Array((left > 0 && depth < 40 ? "tbBsuIilLfdDSxTVAFAF" : "tbBsuIilLfdDSxTV").utf8)
        let kind = random.pick(kinds)
        let size = [
            "t": 1, "b": 1, "B": 1, "s": 2, "u": 2, "I": 4, "i": 4, "l": 8, "L": 8, "f": 4, "d": 8, "D": 5, "T": 8,
            "V": 0,
        ][Unicode.Scalar(kind)]
        if let size { return [kind] + (0..<size).map { _ in random.byte() } }
        let content: [UInt8]
        switch Unicode.Scalar(kind) {
        case "F": return [kind] + table(&random, depth: depth + 1, &left)
        case "A": content = (0..<random.below(5)).flatMap { _ in field(&random, depth: depth + 1, &left) }
        default: content = random.pick(Tokens.ofBinary)
        }
        return [kind] + big(UInt32(content.count)) + content
    }

    private static func shortText(_ random: inout SeededRandom) -> [UInt8] {
        let text = random.pick(Tokens.ofBinary).prefix(255)
        return [UInt8(text.count)] + text
    }

    /// One inside the other, as deep as a frame is long.
    static func deep(_ kind: Unicode.Scalar, _ levels: Int) -> [UInt8] {
        // Of arrays each level takes its kind and its length; of tables an empty name more.
        let head = kind == "F" ? 6 : 5
        var bytes: [UInt8] = [0] + big(UInt32(2 + 4 + (levels - 1) * head)) + [0, UInt8(ascii: kind)]
        for level in 1...levels {
            bytes += big(UInt32((levels - level) * head))
            if level < levels { bytes += kind == "F" ? [0, UInt8(ascii: kind)] : [UInt8(ascii: kind)] }
        }
        return bytes
    }
}

/// Values of columns, arrays and numbers among them.
enum RowBytes {
    static func make(_ random: inout SeededRandom) -> [UInt8] {
        let column = UInt8(random.below(Rows.oids.count))
        switch random.below(4) {
        case 0:
            let groups = random.below(6)
            let digits = (0..<groups).flatMap { _ in big(UInt16(random.below(10_000))) }
            let scale = UInt16(random.pick([0, 1, 4, 5, 16, 16_383, 65_535]))
            let sign: UInt16 = random.pick([0, 0x4000, 0xC000, 0xD000, 0xF000])
            let weight: UInt16 = random.pick([0, 1, 3, 0xFFFF, 0xFFFE, 0x7FFF, 0x8000])
            let number = big(UInt16(groups)) + big(weight) + big(sign) + big(scale) + digits
            return [UInt8(Rows.oids.firstIndex(of: 1_700) ?? 0)] + number
        case 1:
            let elements = random.below(6)
            let content = (0..<elements).flatMap { _ -> [UInt8] in
                if random.once(in: 5) { return big(UInt32.max) }
                let size = random.pick([0, 1, 2, 4, 8, 16])
                return big(UInt32(size)) + (0..<size).map { _ in random.byte() }
            }
            let head =
                big(UInt32(1)) + big(UInt32(0)) + big(random.pick(Rows.oids)) + big(UInt32(elements)) + big(UInt32(1))
            return [column] + head + content
        default: return [column] + (0..<random.pick([0, 1, 2, 4, 8, 16, 20])).map { _ in random.byte() }
        }
    }
}

/// The bytes of a number, the greatest first.
func big(_ number: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }
