/// Gives the bytes of a file in order, in chunks.
protocol Chunks {
    /// The next chunk, never an empty one; `nil` at the end.
    mutating func nextChunk() -> [UInt8]?
    /// The number of bytes read from the file.
    var bytesRead: Int { get }
}

/// The chunks of a file, unchanged.
struct RawChunks: Chunks {
    private let file: FileBytes
    private(set) var bytesRead = 0

    init(_ file: FileBytes) { self.file = file }

    mutating func nextChunk() -> [UInt8]? {
        let chunk = file.read(from: bytesRead)
        bytesRead += chunk.count
        return chunk.isEmpty ? nil : chunk
    }
}

/// The chunks of a file as UTF-8, after its encoding was checked. If the file was changed since, they end.
struct TextChunks: Chunks {
    private var text: DecodedText

    init(_ text: DecodedText) { self.text = text }

    var bytesRead: Int { text.bytesRead }

    mutating func nextChunk() -> [UInt8]? { try? text.next() }
}

/// Reads one byte at a time and counts lines.
struct ByteFeed<Source: Chunks> {
    private var source: Source
    private var chunk: [UInt8] = []
    private var index = 0
    private(set) var lines = LineCount()

    init(_ source: Source) { self.source = source }

    var bytesRead: Int { source.bytesRead }
    /// The line of the next byte.
    var line: Int { lines.current }

    mutating func peek() -> UInt8? {
        if index == chunk.count {
            guard let next = source.nextChunk() else { return nil }
            (chunk, index) = (next, 0)
        }
        return chunk[index]
    }

    mutating func next() -> UInt8? {
        guard let byte = peek() else { return nil }
        index += 1
        lines.count(byte)
        return byte
    }
}

/// The raw content of one report in a file.
package struct RawRecord: Sendable {
    enum Content: Sendable {
        /// A JSON text in UTF-8.
        case json([UInt8])
        /// A CSV row, by the names of the columns.
        case row([String: String])
        /// A record that cannot be read, with the reason.
        case damaged(String)
    }

    /// From 1: the line it begins on, or its index in a JSON array.
    let number: Int
    let content: Content
}

/// Splits lines that end by CR, LF or both. A line longer than `ReportLineReader.lineBytesMax` is cut one byte after
/// it: the line's reader refuses it, and memory stays bounded.
struct LineSplitter<Source: Chunks> {
    private var feed: ByteFeed<Source>

    init(_ source: Source) { feed = ByteFeed(source) }

    var bytesRead: Int { feed.bytesRead }

    mutating func next() -> (number: Int, bytes: [UInt8])? {
        guard feed.peek() != nil else { return nil }
        let number = feed.line
        var line: [UInt8] = []
        while let byte = feed.next() {
            if byte == 0x0A { break }
            if byte == 0x0D {
                if feed.peek() == 0x0A { _ = feed.next() }
                break
            }
            if line.count <= ReportLineReader.lineBytesMax { line.append(byte) }
        }
        return (number, line)
    }
}
