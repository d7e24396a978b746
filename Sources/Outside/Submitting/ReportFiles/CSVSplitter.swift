/// Reads CSV (RFC 4180) row by row. Quoted fields may contain separators, line breaks and doubled quotes; lines end
/// by CR, LF or both. The first row names the columns.
///
/// Broken quotes are thrown: no row after them could be trusted, so nothing of the file is submitted. A row with too
/// many or too few fields is only a problem of that row.
struct CSVSplitter<Source: Chunks> {
    private var feed: ByteFeed<Source>
    private let separator: UInt8
    private(set) var columns: [String] = []

    /// Also reads the first row.
    /// - Parameter skipsFirstLine: whether the first line only says which separator is used.
    init(_ source: Source, separator: UInt8, skipsFirstLine: Bool) throws(FileRefusal) {
        feed = ByteFeed(source)
        self.separator = separator
        if skipsFirstLine { _ = try fields() }
        while columns.allSatisfy(\.isEmpty) {
            guard let row = try fields() else { break }
            columns = row.fields.map(\.trimmed)
        }
        while columns.last?.isEmpty == true { columns.removeLast() }
        var places: [String: Int] = [:]
        for (place, name) in zip(1..., columns) where !name.isEmpty {
            if let first = places.updateValue(place, forKey: name) {
                throw FileRefusal(
                    """
                    the first row names a column twice, as column \(first) and as column \(place): give each a \
                    name of its own
                    """
                )
            }
        }
    }

    var bytesRead: Int { feed.bytesRead }

    mutating func next() throws(FileRefusal) -> RawRecord? {
        while let row = try fields() {
            if row.fields.allSatisfy(\.trimmed.isEmpty) { continue }
            return RawRecord(
                number: row.line, content: content(row.fields, isTooLong: row.isTooLong, isUnclear: row.isUnclear))
        }
        return nil
    }

    private func content(_ fields: [String], isTooLong: Bool, isUnclear: Bool) -> RawRecord.Content {
        if isTooLong { return .damaged("longer than \(ReportLineReader.lineBytesMax) bytes") }
        if isUnclear {
            return .damaged(
                """
                a quote stands in a field that does not begin with one: put the field in quotes, and double those \
                in it
                """
            )
        }
        // Empty fields at the end of a row are harmless.
        guard fields.count >= columns.count, fields.dropFirst(columns.count).allSatisfy(\.trimmed.isEmpty) else {
            return .damaged(
                """
                the row has \(fields.count) fields, the first row names \(columns.count): is a separator within a \
                field, or a line break, not in quotes?
                """
            )
        }
        var row: [String: String] = [:]
        for (name, field) in zip(columns, fields) where !name.isEmpty {
            row[name] = CSVSplitter.withoutFormula(field) ?? field
        }
        return .row(row)
    }

    /// The text in `="00123"`, the form in which many programs write text that a spreadsheet must not read as a number.
    private static func withoutFormula(_ field: String) -> String? {
        field.wholeMatch(of: /="([^"]*)"/).map { String($0.1) }
    }

    // MARK: One row

    private typealias Row = (line: Int, fields: [String], isTooLong: Bool, isUnclear: Bool)

    private mutating func fields() throws(FileRefusal) -> Row? {
        guard feed.peek() != nil else { return nil }
        var row: Row = (feed.line, [], false, false)
        var bytesLeft = ReportLineReader.lineBytesMax
        while true {
            let (field, isUnclear) =
                feed.peek() == UInt8(ascii: "\"") ? (try quoted(&bytesLeft), false) : plain(&bytesLeft)
            row.isTooLong = bytesLeft < 0 || row.fields.count == CSVSplitter.columnsMax
            row.isUnclear = row.isUnclear || isUnclear
            if !row.isTooLong { row.fields.append(String(decoding: field, as: UTF8.self)) }
            switch feed.next() {
            case separator: continue
            case 0x0D:
                if feed.peek() == 0x0A { _ = feed.next() }
                return row
            default: return row
            }
        }
    }

    private static var columnsMax: Int { 10_000 }

    private mutating func plain(_ bytesLeft: inout Int) -> ([UInt8], isUnclear: Bool) {
        var field: [UInt8] = []
        var isUnclear = false
        while let byte = feed.peek(), byte != separator, byte != 0x0A, byte != 0x0D {
            if byte == UInt8(ascii: "\"") { isUnclear = true }
            keep(byte, in: &field, &bytesLeft)
            _ = feed.next()
        }
        return (field, isUnclear && CSVSplitter.withoutFormula(String(decoding: field, as: UTF8.self)) == nil)
    }

    private mutating func quoted(_ bytesLeft: inout Int) throws(FileRefusal) -> [UInt8] {
        let line = feed.line
        var field: [UInt8] = []
        _ = feed.next()
        while let byte = feed.next() {
            guard byte == UInt8(ascii: "\"") else {
                keep(byte, in: &field, &bytesLeft)
                continue
            }
            switch feed.peek() {
            case UInt8(ascii: "\""):
                keep(byte, in: &field, &bytesLeft)
                _ = feed.next()
            case nil, separator, 0x0A, 0x0D: return field
            default:
                throw FileRefusal(
                    """
                    the quotes are broken at line \(feed.line): behind a closing quote stands more of the field \
                    that begins at line \(line). Double the quotes within a field
                    """
                )
            }
        }
        throw FileRefusal("the quotes are broken: a field that begins at line \(line) is never closed")
    }

    private func keep(_ byte: UInt8, in field: inout [UInt8], _ bytesLeft: inout Int) {
        bytesLeft -= 1
        if bytesLeft >= 0 { field.append(byte) }
    }
}

extension String {
    /// The text without blanks of any kind around it, U+3000 included.
    var trimmed: String {
        func isBlank(_ scalar: Unicode.Scalar) -> Bool {
            scalar.properties.isWhitespace || scalar == "\u{FEFF}" || scalar == "\u{200B}"
        }
        let scalars = unicodeScalars
        guard let first = scalars.firstIndex(where: { !isBlank($0) }),
            let last = scalars.lastIndex(where: { !isBlank($0) })
        else { return "" }
        return String(scalars[first...last])
    }
}
