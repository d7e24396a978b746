/// Gives a file's bytes one after the other, from chunks.
protocol Chunks {
    /// Never an empty one; `nil` at the end.
    mutating func nextChunk() -> [UInt8]?
    /// How much of the file was taken.
    var bytesRead: Int { get }
}

/// As they are.
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

/// As UTF-8, of a file whose encoding was checked. Where somebody changed it since, it ends.
struct TextChunks: Chunks {
    private var text: DecodedText

    init(_ text: DecodedText) { self.text = text }

    var bytesRead: Int { text.bytesRead }

    mutating func nextChunk() -> [UInt8]? { try? text.next() }
}

/// A byte at a time, with the line it stands on.
struct ByteFeed<Source: Chunks> {
    private var source: Source
    private var chunk: [UInt8] = []
    private var index = 0
    private(set) var lines = LineCount()

    init(_ source: Source) { self.source = source }

    var bytesRead: Int { source.bytesRead }
    /// The line that the next byte stands on.
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

/// What a file holds for one report, before it is read as one.
package struct RawRecord: Sendable {
    enum Content: Sendable {
        /// A JSON text in UTF-8.
        case json([UInt8])
        /// Of CSV, by the names of the columns.
        case row([String: String])
        /// Cannot be read, and why.
        case damaged(String)
    }

    /// From 1: the line it begins on, or of a JSON array its place in it.
    let number: Int
    let content: Content
}

/// Lines that end by CR, LF or both. A line longer than `bytesMax` is cut one byte behind it: its reader refuses it,
/// and nobody's memory fills.
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
