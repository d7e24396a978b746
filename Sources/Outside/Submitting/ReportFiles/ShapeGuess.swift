/// Determines from the beginning of a text whether it is JSON lines, one JSON array, objects over several lines, or
/// CSV.
enum ShapeGuess {
    /// - Parameters:
    ///   - head: the beginning of the text, in UTF-8.
    ///   - isWhole: whether this is the whole text.
    static func shape(of head: [UInt8], isWhole: Bool) throws(FileRefusal) -> ReportFile.Shape {
        let lines = firstLines(of: head)
        guard let first = lines.first else {
            if isWhole { throw FileRefusal("the file is empty: nothing to submit") }
            throw FileRefusal("the file begins with blanks only, and is no text of reports")
        }
        switch first.first {
        case UInt8(ascii: "["):
            return isObject(lines.dropFirst().first) && closes(first) ? .lines : .array
        case UInt8(ascii: "{"):
            return goesOn(first) && lines.count > 1 && !isObject(lines[1]) || isFollowed(first) ? .objects : .lines
        case UInt8(ascii: "<"):
            throw FileRefusal("the file is HTML or XML: reports are read from JSON lines, a JSON array or CSV")
        default:
            // The first line may be broken while the others are objects.
            if lines.contains(where: { isObject($0) }) { return .lines }
            return csv(first)
        }
    }

    /// The first non-blank lines, without blanks around them; the last may be cut.
    private static func firstLines(of head: [UInt8]) -> [[UInt8]] {
        let lines = head.split(maxSplits: 64, omittingEmptySubsequences: true) { $0 == 0x0A || $0 == 0x0D }
        return lines.prefix(64).compactMap { line in
            func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0B || byte == 0x0C }
            let trimmed = line.drop(while: isBlank).reversed().drop(while: isBlank).reversed()
            return trimmed.isEmpty ? nil : Array(trimmed)
        }
    }

    private static func isObject(_ line: [UInt8]?) -> Bool {
        guard let line, line.first == UInt8(ascii: "{") else { return false }
        // A CSV field may also begin with a brace.
        let next = line.dropFirst().first { $0 != 0x20 && $0 != 0x09 }
        return next == UInt8(ascii: "\"") || next == UInt8(ascii: "}")
    }

    private static func closes(_ line: [UInt8]) -> Bool { brackets(of: line).depthAtEnd == 0 }

    /// Whether a line opens more brackets than it closes, and does not end within a string.
    private static func goesOn(_ line: [UInt8]) -> Bool { (brackets(of: line).depthAtEnd ?? 0) > 0 }

    /// Whether another object follows the first one on the line.
    private static func isFollowed(_ line: [UInt8]) -> Bool {
        guard let end = brackets(of: line).firstEnd else { return false }
        return isObject(Array(line[(end + 1)...].drop { $0 == 0x20 || $0 == 0x09 }))
    }

    /// The number of open brackets at the end (`nil` if it ends within a string), and the first index where none is
    /// open.
    private static func brackets(of line: [UInt8]) -> (depthAtEnd: Int?, firstEnd: Int?) {
        var (depth, firstEnd) = (0, Int?.none)
        var inText = false
        var escaped = false
        for (index, byte) in line.enumerated() {
            if inText {
                if escaped {
                    escaped = false
                } else if byte == UInt8(ascii: "\\") {
                    escaped = true
                } else if byte == UInt8(ascii: "\"") {
                    inText = false
                }
            } else if byte == UInt8(ascii: "\"") {
                inText = true
            } else if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") {
                depth += 1
            } else if byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") {
                depth -= 1
                if depth == 0 { firstEnd = firstEnd ?? index }
            }
        }
        return (inText ? nil : depth, firstEnd)
    }

    /// The CSV shape. A spreadsheet may name its separator in the first line; otherwise the most frequent one outside
    /// quotes in the first row is used.
    private static func csv(_ first: [UInt8]) -> ReportFile.Shape {
        let separators = Array(",;\t".utf8)
        // The letters may be upper or lower case, and the line may be quoted.
        let bare = first.filter { $0 != UInt8(ascii: "\"") }
        if bare.count == 5, let separator = bare.last, separators.contains(separator),
            String(decoding: bare, as: UTF8.self).lowercased().hasPrefix("sep=")
        {
            return .csv(separator: separator, skipsFirstLine: true)
        }
        var counts = [0, 0, 0]
        var inQuotes = false
        for byte in first {
            if byte == UInt8(ascii: "\"") { inQuotes.toggle() }
            if !inQuotes, let index = separators.firstIndex(of: byte) { counts[index] += 1 }
        }
        let most = counts.indices.max { (counts[$0], -$0) < (counts[$1], -$1) } ?? 0
        return .csv(separator: separators[most], skipsFirstLine: false)
    }
}
