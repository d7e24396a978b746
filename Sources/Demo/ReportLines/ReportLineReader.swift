public import Casework
import Contract
import Crypto
import Foundation

/// Reads JSON lines as reports, each line by itself: a bad line is a problem with its number and reason, and its neighbours go on.
///
/// Without a map a line has the native shape `{"id"?, "source"?, …fields of Submission}`; with one it has the shape that the map
/// describes. Fields nobody asked for are tolerated.
///
/// A line without an id gets one from its content: `line-` and 32 hexadecimal digits of the SHA-256 of the line with its keys
/// sorted and its white space taken out. Reading the file again therefore submits nothing twice. The same line twice in one file
/// is the same report, too: where two reports really say the same, the file must give them ids.
public struct ReportLineReader: Sendable {
    private let map: FieldMap?
    private let defaultSource: SourceID

    public static let lineBytesMax = 1_048_576
    /// Nested objects and lists; deeper is refused before it is parsed.
    public static let depthMax = 32

    /// `defaultSource` is taken where neither the line nor the map names one.
    public init(map: FieldMap?, defaultSource: SourceID) {
        self.map = map
        self.defaultSource = defaultSource
    }

    /// Reads one line, without or with its line end; `nil` for a blank one.
    public func read(_ line: String, number: Int) -> Swift.Result<ReportLine, LineProblem>? {
        read(Array(line.utf8), number: number)
    }

    /// Reads one line of UTF-8, without or with its line end; `nil` for a blank one.
    public func read(_ line: [UInt8], number: Int) -> Swift.Result<ReportLine, LineProblem>? {
        let line = trimmed(line, number: number)
        if line.isEmpty { return nil }
        do throws(LineRefusal) {
            try checkLimits(line)
            guard let map else { return .success(try native(line, number: number)) }
            return .success(try foreign(line, map, number: number))
        } catch {
            return .failure(LineProblem(number: number, reason: error.reason))
        }
    }

    // MARK: Steps

    private func native(_ line: ArraySlice<UInt8>, number: Int) throws(LineRefusal) -> ReportLine {
        let read: NativeLine
        do { read = try JSONDecoder().decode(NativeLine.self, from: Data(line)) } catch { throw LineRefusal(error) }
        return try report(number: number, source: read.source, id: read.id, read.submission, line)
    }

    private func foreign(_ line: ArraySlice<UInt8>, _ map: FieldMap, number: Int) throws(LineRefusal) -> ReportLine {
        let value: JSONValue
        do { value = try JSONDecoder().decode(JSONValue.self, from: Data(line)) } catch { throw LineRefusal(error) }
        guard case .object = value else { throw LineRefusal("not a JSON object") }
        let mapped = try map.apply(to: value)
        return try report(number: number, source: mapped.source, id: mapped.id, mapped.submission, line)
    }

    private func report(
        number: Int, source: SourceID?, id: String?, _ submission: Submission, _ line: ArraySlice<UInt8>
    ) throws(LineRefusal) -> ReportLine {
        guard submission.text.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
            throw LineRefusal("the text is empty")
        }
        if let id, !Limits.standard.admitsID(id) {
            throw LineRefusal("the id is not 1 to \(Limits.standard.eventIDBytesMax) printable ASCII characters without spaces")
        }
        let named: String
        if let id { named = id } else { named = try derivedID(line) }
        return ReportLine(number: number, source: source ?? defaultSource, id: named, submission: submission)
    }

    private func derivedID(_ line: ArraySlice<UInt8>) throws(LineRefusal) -> String {
        let canonical: Data
        do {
            let value = try JSONDecoder().decode(JSONValue.self, from: Data(line))
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            canonical = try encoder.encode(value)
        } catch {
            throw LineRefusal(error)
        }
        let digits = SHA256.hash(data: canonical).prefix(16).map { byte in
            let text = String(byte, radix: 16)
            return text.utf8.count == 1 ? "0" + text : text
        }
        return "line-" + digits.joined()
    }

    /// Without the white space around it and, on the first line, the byte order mark that some editors put there.
    private func trimmed(_ line: [UInt8], number: Int) -> ArraySlice<UInt8> {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        var rest = line[...]
        if number == 1, rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest = rest.dropFirst(3) }
        rest = rest.drop(while: isBlank)
        while let last = rest.last, isBlank(last) { rest = rest.dropLast() }
        return rest
    }

    private func checkLimits(_ line: ArraySlice<UInt8>) throws(LineRefusal) {
        guard line.count <= Self.lineBytesMax else {
            throw LineRefusal("longer than \(Self.lineBytesMax) bytes")
        }
        guard String(validating: line, as: UTF8.self) != nil else { throw LineRefusal("not UTF-8") }
        var depth = 0
        var inString = false
        var escaped = false
        for byte in line {
            if inString {
                if escaped { escaped = false } else if byte == 0x5C { escaped = true } else if byte == 0x22 { inString = false }
                continue
            }
            switch byte {
            case 0x22: inString = true
            case 0x5B, 0x7B: depth += 1
            case 0x5D, 0x7D: depth -= 1
            default: break
            }
            guard depth <= Self.depthMax else { throw LineRefusal("nested deeper than \(Self.depthMax)") }
        }
    }
}

/// `{"id"?, "source"?, …fields of Submission}`
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

/// Why a line is refused, before it is known which line it was.
struct LineRefusal: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }

    /// A decoder's error in plain words: the field, never its value.
    init(_ error: any Error) {
        func field(_ path: [any CodingKey], _ last: (any CodingKey)? = nil) -> String {
            "\"" + (path + (last.map { [$0] } ?? [])).map { $0.intValue.map { String($0 + 1) } ?? $0.stringValue }
                .joined(separator: ".") + "\""
        }
        switch error as? DecodingError {
        case .keyNotFound(let key, let context): reason = "the field \(field(context.codingPath, key)) is missing"
        case .valueNotFound(_, let context): reason = "the field \(field(context.codingPath)) is null"
        case .typeMismatch(_, let context):
            reason = context.codingPath.isEmpty ? "not a JSON object" : "the field \(field(context.codingPath)) has the wrong type"
        case .dataCorrupted(let context):
            reason =
                context.codingPath.isEmpty
                ? "not JSON" : "the field \(field(context.codingPath)) cannot be read: \(context.debugDescription)"
        default: reason = "not a report"
        }
    }
}
