public import Basics
import Casework
public import Contract
import Crypto
import Foundation

/// Reads the records of a file as reports, each separately: a bad record becomes a problem with its number and
/// reason, and the other records are not affected.
///
/// Without a map a JSON object has the native shape `{"id"?, "source"?, …fields of Submission}`, and a row of CSV has
/// columns named like the parts of a report (`FieldMap.Target`). With a map they have the shape that the map
/// describes. Other fields are ignored.
///
/// A record without an id gets one from its content: `line-` and 32 hexadecimal digits. The order of keys and white
/// space do not change it; all digits of numbers count. The id is keyed (HMAC-SHA256), because ids are stored by the
/// office in clear, and a reporter could be found from a plain digest by trying names. Reading the file again
/// therefore submits nothing twice. The same line twice in one file is also the same report: if two reports really
/// have the same content, the file must give them ids.
public struct ReportLineReader: Sendable {
    private let map: FieldMap?
    private let defaultSource: SourceID
    private let idKey: String

    public static let lineBytesMax = 1_048_576
    /// The greatest depth of nested objects and lists; deeper input is refused before it is parsed.
    public static let depthMax = 32

    /// - Parameters:
    ///   - defaultSource: used if neither the line nor the map names a source.
    ///   - idKey: a secret of the source, such as its password: with another secret the same line gets another id.
    public init(map: FieldMap?, defaultSource: SourceID, idKey: String = "") {
        self.idKey = idKey
        self.map = map
        self.defaultSource = defaultSource
    }

    /// Reads one line, with or without its line end; `nil` for a blank one.
    public func read(_ line: String, number: Int) -> Swift.Result<ReportLine, LineProblem>? {
        read(Array(line.utf8), number: number)
    }

    /// Reads one record of a file; `nil` for a blank line.
    public func read(_ record: ReportRecords.Record) -> Swift.Result<ReportLine, LineProblem>? {
        let number = record.raw.number
        switch record.raw.content {
        case .json(let line): return read(line, number: number)
        case .damaged(let reason): return .failure(LineProblem(number: number, reason: reason))
        case .row(let row):
            return outcome(number: number) { () throws(LineRefusal) in
                try foreign(.object(row.mapValues(JSONTree.text)), map ?? .columns, number: number)
            }
        }
    }

    /// Reads one line of UTF-8, with or without its line end; `nil` for a blank one.
    public func read(_ line: [UInt8], number: Int) -> Swift.Result<ReportLine, LineProblem>? {
        let line = trimmed(line, number: number)
        if line.isEmpty { return nil }
        return outcome(number: number) { () throws(LineRefusal) in
            guard line.count <= Self.lineBytesMax else { throw LineRefusal("longer than \(Self.lineBytesMax) bytes") }
            let tree: JSONTree
            do throws(Problem) { tree = try JSONTree(Array(line), depthMax: Self.depthMax) } catch {
                throw LineRefusal(error)
            }
            guard case .object = tree else { throw LineRefusal("not a JSON object") }
            guard let map else { return try native(line, tree, number: number) }
            return try foreign(tree, map, number: number)
        }
    }

    /// Checks a file as a whole by its first row.
    /// - Throws: `FileRefusal` if a column to be read is missing.
    public func check(_ file: ReportFile) throws(FileRefusal) {
        guard case .csv = file.shape else { return }
        let columns = Set(file.columns)
        let separated = columns.count == 1 ? " (it is read as one field: fields are separated by , ; or tabs)" : ""
        guard let map else {
            if columns.contains(FieldMap.Target.text.rawValue) { return }
            throw FileRefusal(
                """
                the file is read as CSV, but its first row\(separated) names no column \"text\": name the columns \
                \(FieldMap.Target.allCases.map(\.rawValue).joined(separator: ", ")), or give a map (--map)
                """
            )
        }
        let missing = map.rules.values.compactMap { $0.fallback == nil ? $0.path?.joined(separator: ".") : nil }.filter
        { !columns.contains($0) }
        if !missing.isEmpty {
            throw FileRefusal(
                """
                the map reads columns that the first row\(separated) does not name: \
                \(missing.sorted().joined(separator: ", "))
                """
            )
        }
    }

    // MARK: Steps

    private func outcome(
        number: Int, _ read: () throws(LineRefusal) -> ReportLine
    ) -> Swift.Result<ReportLine, LineProblem> {
        do throws(LineRefusal) {
            return .success(try read())
        } catch {
            return .failure(LineProblem(number: number, reason: error.reason))
        }
    }

    private func native(_ line: ArraySlice<UInt8>, _ tree: JSONTree, number: Int) throws(LineRefusal) -> ReportLine {
        let read: NativeLine
        do { read = try JSONDecoder().decode(NativeLine.self, from: Data(line)) } catch {
            throw LineRefusal(error, in: tree).hinted(by: tree, where: "text")
        }
        return try report(number: number, source: read.source, id: read.id, read.submission, tree)
    }

    private func foreign(_ tree: JSONTree, _ map: FieldMap, number: Int) throws(LineRefusal) -> ReportLine {
        let mapped: (source: SourceID?, id: String?, submission: Submission)
        do throws(LineRefusal) { mapped = try map.apply(to: tree) } catch {
            throw error.hinted(by: tree, where: map.path(of: .text))
        }
        return try report(number: number, source: mapped.source, id: mapped.id, mapped.submission, tree)
    }

    private func report(
        number: Int, source: SourceID?, id: String?, _ submission: Submission, _ tree: JSONTree
    ) throws(LineRefusal) -> ReportLine {
        guard submission.text.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
            throw LineRefusal("the text is empty")
        }
        if let id, !Limits.standard.admitsID(id) {
            throw LineRefusal(
                "the id is not 1 to \(Limits.standard.eventIDBytesMax) printable ASCII characters without spaces")
        }
        return ReportLine(
            number: number, source: source ?? defaultSource, id: id ?? derivedID(tree), submission: submission)
    }

    private func derivedID(_ tree: JSONTree) -> String {
        var hash = SHA256()
        tree.feed(&hash)
        let digest = Array(hash.finalize())
        let keyed = HMAC<SHA256>.authenticationCode(for: digest, using: SymmetricKey(data: Array(idKey.utf8)))
        return "line-" + Array(keyed.prefix(16)).hexadecimal
    }

    /// The line without white space around it and, on the first line, without the byte order mark that some editors
    /// add.
    private func trimmed(_ line: [UInt8], number: Int) -> ArraySlice<UInt8> {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        var rest = line[...]
        if number == 1, rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest = rest.dropFirst(3) }
        rest = rest.drop(while: isBlank)
        while let last = rest.last, isBlank(last) { rest = rest.dropLast() }
        return rest
    }
}

extension JSONTree {
    /// Hashes the content in one canonical form: names sorted, strings with their lengths, numbers as written.
    fileprivate func feed(_ hash: inout SHA256) {
        func feed(_ tag: String, _ text: String) { hash.update(data: Data("\(tag)\(text.utf8.count):\(text)".utf8)) }
        switch self {
        case .null: feed("n", "")
        case .bool(let bool): feed("b", "\(bool)")
        case .number(let digits, at: _): feed("d", digits)
        case .text(let text): feed("t", text)
        case .list(let list):
            feed("l", "\(list.count)")
            for value in list { value.feed(&hash) }
        case .object(let object):
            feed("o", "\(object.count)")
            for (name, value) in object.sorted(by: { Array($0.key.utf8).lexicographicallyPrecedes(Array($1.key.utf8)) })
            {
                feed("k", name)
                value.feed(&hash)
            }
        }
    }
}

/// The native shape: `{"id"?, "source"?, …fields of Submission}`.
private struct NativeLine: Decodable {
    let id: String?
    let source: SourceID?
    let submission: Submission

    enum CodingKeys: String, CodingKey { case id, source }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decodeIfPresent(String.self, forKey: .id)
        source = try container.decodeIfPresent(SourceID.self, forKey: .source)
        submission = try Submission(from: decoder)
    }
}

/// Why a line is refused; its number is not yet known.
package struct LineRefusal: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }

    /// Rewords a problem of a body as one of a line.
    init(_ problem: Problem) {
        reason = problem.code == "not_utf8" ? "not UTF-8" : problem.text.replacing("the body", with: "the line")
    }

    /// Rewords a decoder's error as a problem of the wire: the field, never its value.
    init(_ error: any Error, in tree: JSONTree) {
        guard let problem = (error as? DecodingError).map({ Problem($0, inData: tree, of: .reportSubmitted) }) else {
            reason = "not a report"
            return
        }
        let field = "the field \"\(problem.path ?? "")\""
        let text = problem.text.replacing("the body", with: "the line")
        reason =
            text.hasPrefix("this field ") || text.hasPrefix("this must ")
            ? text.replacing(/^this (field )?/, with: field + " ") : "\(field) cannot be read: \(text)"
    }

    /// Adds a hint if the reports are in a list within an object, as many APIs return them.
    func hinted(by tree: JSONTree, where text: String) -> LineRefusal {
        guard reason == "the field \"\(text)\" is missing", tree.holdsObjects else { return self }
        return LineRefusal(reason + "; where the reports stand in a list within this object, give that list alone")
    }
}

extension JSONTree {
    /// Whether one of its fields is a list of objects.
    fileprivate var holdsObjects: Bool {
        guard case .object(let fields) = self else { return false }
        return fields.values.contains { value in
            if case .list(let list) = value, case .object? = list.first { true } else { false }
        }
    }
}

extension LineProblem {
    /// Rewords the office's problems for a line: its fields are not in an envelope.
    public init(number: Int, problems: [Problem]) {
        let reasons = problems.map { problem in
            Problem(
                code: problem.code, path: problem.path.map { $0.replacing(/^data\./, with: "") }, text: problem.text
            ).description
        }
        self.init(number: number, reason: reasons.joined(separator: "; "))
    }
}
