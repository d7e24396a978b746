/// Determines a file's character encoding from its bytes. The whole file is read before any of it is used, so that no
/// partly decoded text is submitted.
enum EncodingGuess {
    static func encoding(of file: FileBytes) throws(FileRefusal) -> TextEncoding {
        let head = file.read(from: 0)
        if let words = Magic.words(for: head) { throw FileRefusal(words) }
        if let marked = try byMark(head) { return try whole(file, marked) }
        if head.contains(0) { return try byZeros(file, head) }
        guard let badLine = try firstBadLine(of: file, as: .utf8) else { return .utf8 }
        if let mixed = try firstUTF8Line(of: file) {
            throw FileRefusal(
                """
                the file is not in one encoding: line \(mixed) is UTF-8, line \(badLine) is not; mend that line, \
                or write the whole file anew in UTF-8
                """
            )
        }
        if let line = try firstBadLine(of: file, as: .gb18030) {
            throw FileRefusal(
                """
                the file is neither UTF-8 nor GB18030: line \(badLine) is not the one, line \(line) not the \
                other; write it anew in UTF-8
                """
            )
        }
        return .gb18030
    }

    /// Returns the encoding given by the caller, if the file agrees with it.
    static func whole(_ file: FileBytes, _ encoding: TextEncoding) throws(FileRefusal) -> TextEncoding {
        if let words = Magic.words(for: file.read(from: 0)) { throw FileRefusal(words) }
        if let line = try firstBadLine(of: file, as: encoding) {
            throw FileRefusal(
                """
                the file is not \(encoding.words) throughout: line \(line) holds bytes that are none; write it \
                anew in UTF-8
                """
            )
        }
        return encoding
    }

    private static func byMark(_ head: [UInt8]) throws(FileRefusal) -> TextEncoding? {
        if head.starts(with: [0xEF, 0xBB, 0xBF]) { return .utf8 }
        if head.starts(with: [0xFF, 0xFE, 0, 0]) || head.starts(with: [0, 0, 0xFE, 0xFF]) {
            throw FileRefusal("the file is UTF-32: write it anew in UTF-8")
        }
        if head.starts(with: [0xFF, 0xFE]) { return .utf16LittleEndian }
        if head.starts(with: [0xFE, 0xFF]) { return .utf16BigEndian }
        return head.starts(with: [0x84, 0x31, 0x95, 0x33]) ? .gb18030 : nil
    }

    /// UTF-16, recognised by zero bytes. Every second byte of ASCII is 0, and its position gives the byte order. Only
    /// structural characters of such files count: 一 (U+4E00) looks like a letter in the other order.
    private static func byZeros(_ file: FileBytes, _ head: [UInt8]) throws(FileRefusal) -> TextEncoding {
        let built = Set("{}[]\":,;\t\r\n".utf8)
        var (little, big) = (0, 0)
        for index in stride(from: 0, to: head.count - 1, by: 2) {
            if head[index + 1] == 0, built.contains(head[index]) { little += 1 }
            if head[index] == 0, built.contains(head[index + 1]) { big += 1 }
        }
        let encoding = little > big ? TextEncoding.utf16LittleEndian : .utf16BigEndian
        guard little != big, try firstBadLine(of: file, as: encoding) == nil else {
            throw FileRefusal("the file holds bytes of value 0 and is no text: give JSON lines, a JSON array or CSV")
        }
        return encoding
    }

    /// The line of the first bytes that are invalid in the encoding, or of the first U+0000.
    private static func firstBadLine(of file: FileBytes, as encoding: TextEncoding) throws(FileRefusal) -> Int? {
        var text = try DecodedText(file, as: encoding)
        var lines = LineCount()
        var signs = (foreign: 0, ofUsers: 0)
        do throws(DecodedText.Undecodable) {
            while let chunk = try text.next() {
                if let zero = chunk.firstIndex(of: 0) {
                    lines.count(chunk[..<zero])
                    return lines.current
                }
                lines.count(chunk)
                if encoding == .gb18030 { count(chunk, into: &signs) }
            }
        } catch {
            return error.line
        }
        // If another encoding, such as Big5, is read as GB18030, many of its characters fall into the private use area.
        if signs.ofUsers > 2, signs.ofUsers * 20 > signs.foreign {
            throw FileRefusal(
                "the file seems to be in another encoding than UTF-8 and GB18030, perhaps Big5: write it anew in UTF-8")
        }
        return nil
    }

    /// Counts characters beyond ASCII, and those of the private use area (U+E000 to U+F8FF), by their first bytes in
    /// UTF-8.
    private static func count(_ utf8: [UInt8], into signs: inout (foreign: Int, ofUsers: Int)) {
        var before: UInt8 = 0
        for byte in utf8 {
            if byte >= 0xC0 { signs.foreign += 1 }
            if before == 0xEE || before == 0xEF && (0x80...0xA3).contains(byte) { signs.ofUsers += 1 }
            before = byte
        }
    }

    // MARK: Files in two encodings

    /// The first line that is certainly UTF-8, in a file that as a whole is not. UTF-8 is often also valid GB18030
    /// and would be read as other characters.
    private static func firstUTF8Line(of file: FileBytes) throws(FileRefusal) -> Int? {
        var splitter = LineSplitter(RawChunks(file))
        var (formed, foreign) = (0, 0)
        while let line = splitter.next() {
            let share = Sequences(line.bytes)
            if share.speaksUTF8 { return line.number }
            formed += share.formed
            foreign += share.foreign
        }
        return formed > 0 && formed * 2 >= foreign ? 1 : nil
    }

    /// The number of bytes beyond ASCII, and how many of them form UTF-8 characters of three or four bytes, as
    /// Chinese characters do. In GB18030 a few do so by chance.
    struct Sequences {
        var foreign = 0
        var formed = 0

        var speaksUTF8: Bool { formed > 0 && (formed == foreign || formed >= 9 && formed * 2 >= foreign) }

        init(_ bytes: [UInt8]) {
            var index = 0
            while index < bytes.count {
                guard bytes[index] >= 0x80 else {
                    index += 1
                    continue
                }
                let length = Sequences.length(bytes[index])
                let end = index + length
                let isFormed =
                    length > 0 && end <= bytes.count && String(validating: bytes[index..<end], as: UTF8.self) != nil
                if isFormed, length > 2 { formed += length }
                foreign += isFormed ? length : 1
                index += isFormed ? length : 1
            }
        }

        private static func length(_ first: UInt8) -> Int {
            switch first {
            case 0xC2...0xDF: 2
            case 0xE0...0xEF: 3
            case 0xF0...0xF4: 4
            default: 0
            }
        }
    }
}

/// Files of other kinds, recognised by their first bytes.
enum Magic {
    static func words(for head: [UInt8]) -> String? {
        let save = "save it as CSV (UTF-8) and give that file"
        let kinds: [(bytes: [UInt8], words: String)] = [
            ([0x50, 0x4B, 0x03, 0x04], "the file is a workbook (xlsx, ods) or a ZIP archive: open it, \(save)"),
            ([0x50, 0x4B, 0x05, 0x06], "the file is an empty ZIP archive"),
            (
                [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1],
                "the file is an old Office document (xls, doc): open it, \(save)"
            ),
            ([0x09, 0x08, 0x10, 0x00], "the file is an old Excel sheet: open it, \(save)"),
            ([0x1F, 0x8B], "the file is compressed (gzip): unpack it first, as by `gunzip`"),
            (Array("BZh".utf8), "the file is compressed (bzip2): unpack it first"),
            ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00], "the file is compressed (xz): unpack it first"),
            ([0x28, 0xB5, 0x2F, 0xFD], "the file is compressed (zstd): unpack it first"),
            ([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], "the file is a 7z archive: unpack it first"),
            (Array("Rar!".utf8), "the file is a RAR archive: unpack it first"),
            (Array("%PDF".utf8), "the file is a PDF: reports are read from JSON lines, a JSON array or CSV"),
            (
                Array("{\\rtf".utf8),
                "the file is a text with formats (RTF): reports are read from JSON lines, a JSON array or CSV"
            ),
            (Array("SQLite format 3".utf8), "the file is an SQLite database: export its table as CSV"),
            (Array("PAR1".utf8), "the file is a Parquet table: export it as CSV or JSON lines"),
        ]
        return kinds.first { head.starts(with: $0.bytes) }?.words
    }
}
