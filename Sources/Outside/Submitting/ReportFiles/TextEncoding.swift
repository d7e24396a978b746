import Foundation

/// The character encoding of a file.
public enum TextEncoding: String, CaseIterable, Sendable {
    case utf8 = "utf-8"
    case utf16LittleEndian = "utf-16le"
    case utf16BigEndian = "utf-16be"
    /// Includes GBK and GB 2312.
    case gb18030 = "gb18030"

    fileprivate var name: String { rawValue.uppercased() }

    public var words: String {
        switch self {
        case .utf8: "UTF-8"
        case .utf16LittleEndian, .utf16BigEndian: "UTF-16"
        case .gb18030: "GB18030"
        }
    }
}

/// A file's text as UTF-8, chunk by chunk, without a byte order mark. Memory does not grow with the file.
package struct DecodedText {
    /// The file has bytes that are invalid in the encoding.
    struct Undecodable: Error { let line: Int }

    private let file: FileBytes
    private let converter: Converter
    private var offset = 0
    /// Bytes of a character that the next chunk completes.
    private var carried: [UInt8] = []
    private var lines = LineCount()
    private var isAtStart = true

    /// The number of bytes read from the file.
    var bytesRead: Int { offset }

    init(_ file: FileBytes, as encoding: TextEncoding) throws(FileRefusal) {
        self.file = file
        converter = try Converter(encoding)
    }

    /// The next chunk, never an empty one; `nil` at the end.
    mutating func next() throws(Undecodable) -> [UInt8]? {
        while true {
            let chunk = file.read(from: offset)
            offset += chunk.count
            if chunk.isEmpty, carried.isEmpty { return nil }
            let input = carried + chunk
            var (text, taken, isRight) = converter.convert(input)
            carried = Array(input[taken...])
            lines.count(text)
            guard isRight, !(chunk.isEmpty && !carried.isEmpty) else { throw Undecodable(line: lines.current) }
            if isAtStart, !text.isEmpty {
                isAtStart = false
                if text.starts(with: [0xEF, 0xBB, 0xBF]) { text.removeFirst(3) }
            }
            if !text.isEmpty { return text }
        }
    }
}

/// Counts lines that end by CR, LF or both.
struct LineCount {
    /// The line of the next byte, from 1.
    private(set) var current = 1
    private var wasReturn = false

    mutating func count(_ bytes: some Sequence<UInt8>) { for byte in bytes { count(byte) } }

    mutating func count(_ byte: UInt8) {
        if byte == 0x0D || byte == 0x0A && !wasReturn { current += 1 }
        wasReturn = byte == 0x0D
    }
}

/// iconv of the C library, which supports GB18030 with its four-byte forms.
private final class Converter {
    private let descriptor: iconv_t

    init(_ encoding: TextEncoding) throws(FileRefusal) {
        guard let opened = iconv_open("UTF-8", encoding.name), Int(bitPattern: opened) != -1 else {
            throw FileRefusal("this machine's iconv does not know \(encoding.words): write the file anew in UTF-8")
        }
        descriptor = opened
    }

    deinit { iconv_close(descriptor) }

    /// Converts as much as possible: the text, the number of bytes used, and whether the rest is at most the
    /// beginning of a character.
    func convert(_ input: [UInt8]) -> (text: [UInt8], taken: Int, isRight: Bool) {
        var input = input
        var text: [UInt8] = []
        var taken = 0
        var isRight = true
        input.withUnsafeMutableBytes { bytes in
            var source = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            var left = bytes.count
            while left > 0 {
                let before = text.count
                let room = left * 2 + 16
                var reason: Int32 = 0
                text.append(
                    contentsOf: [UInt8](unsafeUninitializedCapacity: room) { buffer, filled in
                        var target = UnsafeMutableRawPointer(buffer.baseAddress)?.assumingMemoryBound(to: CChar.self)
                        var roomLeft = room
                        if iconv(descriptor, &source, &left, &target, &roomLeft) == -1 { reason = errno }
                        filled = room - roomLeft
                    })
                if reason == EILSEQ { isRight = false }
                if reason == EILSEQ || reason == EINVAL || text.count == before { break }
            }
            taken = bytes.count - left
        }
        return (text, taken, isRight)
    }
}
