/// Splits a JSON array into its elements, or a file of multi-line objects into objects. It looks only at brackets and
/// strings; the elements are parsed elsewhere.
///
/// A fault of the whole (a bracket of another kind, an unclosed string, an early end) is thrown, so that nothing of
/// the file is submitted.
struct ValueSplitter<Source: Chunks> {
    private var feed: ByteFeed<Source>
    private let isArray: Bool
    private var count = 0
    private var isBegun = false
    private var isEnded = false

    /// - Parameter isArray: whether the values are in one array; otherwise they follow each other, separated by blanks.
    init(_ source: Source, isArray: Bool) {
        feed = ByteFeed(source)
        self.isArray = isArray
    }

    var bytesRead: Int { feed.bytesRead }

    mutating func next() throws(FileRefusal) -> RawRecord? {
        if isEnded { return nil }
        if isArray, !isBegun {
            skipBlanks()
            _ = feed.next()
        }
        skipBlanks()
        guard let first = feed.peek() else {
            if isArray {
                throw FileRefusal("the JSON array is not closed: the file ends too early, at line \(feed.line)")
            }
            return nil
        }
        // An array may be empty; a comma before its end is a separate fault.
        if isArray, first == UInt8(ascii: "]"), !isBegun {
            _ = feed.next()
            try end()
            return nil
        }
        isBegun = true
        count += 1
        return try value()
    }

    private mutating func value() throws(FileRefusal) -> RawRecord {
        var bytes: [UInt8] = []
        var open: [UInt8] = []
        let line = feed.line
        while let byte = feed.peek() {
            if open.isEmpty, isArray, byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") {
                _ = feed.next()
                if byte == UInt8(ascii: "]") { try end() }
                return record(bytes)
            }
            _ = feed.next()
            keep(byte, in: &bytes)
            switch byte {
            case UInt8(ascii: "\""): try text(into: &bytes)
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                // Every reader refuses an element by its depth long before this limit.
                guard open.count < 10_000 else {
                    throw FileRefusal("line \(line) begins an object that is nested more than 10,000 deep")
                }
                open.append(byte + 2)
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard open.popLast() == byte else {
                    throw FileRefusal(
                        """
                        the JSON is broken at line \(feed.line): a bracket there closes what is not open. Mend it \
                        there
                        """
                    )
                }
                if open.isEmpty, !isArray { return record(bytes) }
            default: break
            }
        }
        throw FileRefusal(
            """
            the JSON ends too early: what begins at line \(line) is not closed. Is the file cut short, or a \
            bracket missing?
            """
        )
    }

    private mutating func text(into bytes: inout [UInt8]) throws(FileRefusal) {
        let line = feed.line
        while let byte = feed.next() {
            keep(byte, in: &bytes)
            switch byte {
            case UInt8(ascii: "\""): return
            case UInt8(ascii: "\\"): if let escaped = feed.next() { keep(escaped, in: &bytes) }
            case 0x0A, 0x0D:
                throw FileRefusal("the JSON is broken at line \(line): a text there is not closed. Mend it there")
            default: break
            }
        }
        throw FileRefusal("the JSON ends too early: a text at line \(line) is not closed. Is the file cut short?")
    }

    private func keep(_ byte: UInt8, in bytes: inout [UInt8]) {
        if bytes.count <= ReportLineReader.lineBytesMax { bytes.append(byte) }
    }

    private func record(_ bytes: [UInt8]) -> RawRecord {
        let isBlank = bytes.allSatisfy { $0 == 0x20 || (0x09...0x0D).contains($0) }
        return RawRecord(number: count, content: isBlank ? .damaged("nothing stands between two commas") : .json(bytes))
    }

    /// Checks that nothing follows the array.
    private mutating func end() throws(FileRefusal) {
        isEnded = true
        skipBlanks()
        if feed.peek() != nil {
            throw FileRefusal(
                """
                something follows the JSON array at line \(feed.line): give one array, or JSON lines, each object \
                on a line of its own
                """
            )
        }
    }

    private mutating func skipBlanks() {
        while let byte = feed.peek(), byte == 0x20 || (0x09...0x0D).contains(byte) { _ = feed.next() }
    }
}
