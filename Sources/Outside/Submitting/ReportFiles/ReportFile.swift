package import Basics

/// A file of reports in any common form: JSON lines, a JSON array (or objects over several lines), CSV with commas,
/// semicolons or tabs; in UTF-8, UTF-16 or GB18030; with lines that end by LF, CR or both.
///
/// The form is determined once, from all of its bytes, before any of it is used. Another form is refused in one
/// sentence. Memory does not grow with the file.
public struct ReportFile: Sendable {
    public enum Shape: Sendable, Hashable {
        case lines
        case array
        /// Objects over several lines, one after the other.
        case objects
        case csv(separator: UInt8, skipsFirstLine: Bool)
    }

    public let encoding: TextEncoding
    public let shape: Shape
    /// The size in bytes on disk.
    public var size: Int { file.count }
    /// For CSV: the names in the first row.
    public let columns: [String]
    /// The number of records, including blank lines.
    public let recordCount: Int
    private let file: FileBytes

    /// - Parameters:
    ///   - path: a file's path, or `-` for standard input, which is copied to be read twice.
    ///   - encoding: the encoding, if the caller knows it; otherwise it is determined from the bytes.
    public init(path: String, encoding: TextEncoding? = nil) throws(FileRefusal) {
        try self.init(FileBytes(path: path), encoding)
    }

    public init(bytes: [UInt8], encoding: TextEncoding? = nil) throws(FileRefusal) {
        try self.init(FileBytes(bytes), encoding)
    }

    private init(_ file: FileBytes, _ encoding: TextEncoding?) throws(FileRefusal) {
        self.file = file
        let known: TextEncoding
        if let encoding {
            known = try EncodingGuess.whole(file, encoding)
        } else {
            known = try EncodingGuess.encoding(of: file)
        }
        self.encoding = known
        var text = try DecodedText(file, as: known)
        let head = (try? text.next()) ?? []
        shape = try ShapeGuess.shape(of: head, isWhole: file.count <= FileBytes.chunkBytes)
        // One full pass: a fault of the whole file is found before anything is submitted.
        var records = try ReportRecords(DecodedText(file, as: known), shape)
        columns = records.columns
        var count = 0
        while try records.step() != nil { count += 1 }
        recordCount = count
        guard records.bytesRead >= file.count else {
            throw FileRefusal("the file cannot be read to its end: is its disk in order?")
        }
    }

    /// The noun for a record in problems: `line 12`, `element 3`.
    public var noun: String {
        switch shape {
        case .lines, .csv: "line"
        case .array, .objects: "element"
        }
    }

    /// A text for people: `CSV (;) in GB18030`.
    public var description: String {
        let shape =
            switch shape {
            case .lines: "JSON lines"
            case .array: "a JSON array"
            case .objects: "JSON objects"
            case .csv(UInt8(ascii: "\t"), _): "CSV (tab)"
            case .csv(let separator, _): "CSV (\(Character(Unicode.Scalar(separator))))"
            }
        return "\(shape) in \(encoding.words)"
    }

    /// All rows of a CSV file with their lines, by the names of the columns; for small files of other kinds.
    /// - Throws: `FileRefusal` if it is no CSV.
    package func rows() throws(FileRefusal) -> [(line: Int, fields: Result<[String: String], UserError>)] {
        guard case .csv = shape else { throw FileRefusal("it is \(description), no CSV with the names of columns") }
        var (records, rows) = (try records(), [(line: Int, fields: Result<[String: String], UserError>)]())
        while let record = try records.step() {
            switch record.content {
            case .row(let fields): rows.append((record.number, .success(fields)))
            case .damaged(let reason): rows.append((record.number, .failure(UserError(reason))))
            case .json: continue
            }
        }
        return rows
    }

    /// The records from the beginning; may be called repeatedly.
    public func records() throws(FileRefusal) -> ReportRecords {
        try ReportRecords(DecodedText(file, as: encoding), shape)
    }
}

/// The records of a file, one by one.
public struct ReportRecords: Sequence, IteratorProtocol {
    private enum Splitter {
        case lines(LineSplitter<TextChunks>)
        case values(ValueSplitter<TextChunks>)
        case csv(CSVSplitter<TextChunks>)
    }

    /// One record, to be given to a `ReportLineReader`.
    public struct Record: Sendable { let raw: RawRecord }

    private var splitter: Splitter

    package init(_ text: DecodedText, _ shape: ReportFile.Shape) throws(FileRefusal) {
        let chunks = TextChunks(text)
        switch shape {
        case .lines: splitter = .lines(LineSplitter(chunks))
        case .array: splitter = .values(ValueSplitter(chunks, isArray: true))
        case .objects: splitter = .values(ValueSplitter(chunks, isArray: false))
        case .csv(let separator, let skipsFirstLine):
            splitter = .csv(try CSVSplitter(chunks, separator: separator, skipsFirstLine: skipsFirstLine))
        }
    }

    package var columns: [String] { if case .csv(let splitter) = splitter { splitter.columns } else { [] } }

    /// The number of bytes read from the file.
    public var bytesRead: Int {
        switch splitter {
        case .lines(let splitter): splitter.bytesRead
        case .values(let splitter): splitter.bytesRead
        case .csv(let splitter): splitter.bytesRead
        }
    }

    /// The next record. If the file was damaged since it was checked, there are fewer than `ReportFile.recordCount`.
    public mutating func next() -> Record? { (try? step())?.map { Record(raw: $0) } }

    package mutating func step() throws(FileRefusal) -> RawRecord? {
        switch splitter {
        case .lines(var lines):
            let line = lines.next()
            splitter = .lines(lines)
            return line.map { RawRecord(number: $0.number, content: .json($0.bytes)) }
        case .values(var values):
            defer { splitter = .values(values) }
            return try values.next()
        case .csv(var rows):
            defer { splitter = .csv(rows) }
            return try rows.next()
        }
    }
}
