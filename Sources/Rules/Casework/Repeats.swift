import Crypto
import Text

/// The keys that two reports must share to be repeats of each other (重复件): the text, and the reporter or, for an
/// anonymous report, the accused.
///
/// Only a report that adds *nothing* new is a repeat. The digest therefore covers title, text, accused, acts and
/// attachments, and any difference makes another report. A person links reports that are only similar. All keys are
/// HMAC-SHA256, because the text also names persons, and anyone could guess names from a digest without a key.
public struct RepeatKeys: Hashable, Sendable {
    /// HMAC-SHA256 over the content in the form that is compared (`NarrowText`).
    public let textDigest: [UInt8]
    /// HMAC-SHA256 over the reporters' names with identity number or contact; `nil`: anonymous.
    public let reporterKey: [UInt8]?
    /// HMAC-SHA256 over names and organs of the accused, in any order; `nil`: no accused is named.
    public let accusedKey: [UInt8]?

    /// - Parameter secret: the office's key for this purpose, at least 16 random bytes.
    public init(submission: Submission, secret: [UInt8]) {
        let accused = submission.accused.map { Normal.joined([$0.name, $0.organ ?? ""]) }.sorted(by: Normal.precedes)

        func keyed(_ parts: [[UInt8]], _ purpose: UInt8) -> [UInt8] {
            let message = [purpose] + Normal.framed(parts)
            return Array(HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: secret)))
        }
        func key(_ parts: [[UInt8]], _ purpose: UInt8) -> [UInt8]? { parts.isEmpty ? nil : keyed(parts, purpose) }
        textDigest = keyed([Content.bytes(of: submission)], 3)
        let reporters = submission.reporters.filter(\.isRealName).map(Normal.identity).sorted(by: Normal.precedes)
        reporterKey = key(reporters, 1)
        accusedKey = key(accused, 2)
    }

    /// The basis of the comparison; `nil`: neither reporter nor accused is known, so the report has no repeats.
    public var basis: RepeatRow.Basis? {
        reporterKey != nil ? .reporter : accusedKey != nil ? .accused : nil
    }

    /// Whether the reports are repeats. A real-name report repeats one of the same reporter; an anonymous report
    /// repeats an anonymous one about the same accused.
    public func isRepeat(of other: RepeatKeys) -> Bool {
        guard let basis, basis == other.basis, textDigest == other.textDigest else { return false }
        return switch basis {
        case .reporter: reporterKey == other.reporterKey
        case .accused: accusedKey == other.accusedKey
        }
    }
}

/// The content of a report, with list entries in any order. The report's own place, kind and time of receipt are the
/// source's description, not content. The media type of an attachment is not content either.
private struct Content: TextVisitor {
    private var texts: [[UInt8]] = []
    /// The entries of each list, by the name of the list.
    private var entries: [Substring: [[[UInt8]]]] = [:]

    static func bytes(of submission: Submission) -> [UInt8] {
        var (content, said) = (Content(), submission)
        // The reporters have a key of their own.
        said.reporters = []
        said.visitTexts(&content)
        let lists = content.entries.sorted { $0.key < $1.key }.map { name, entries in
            Normal.framed([Array(name.utf8)] + entries.map(Normal.framed).sorted(by: Normal.precedes))
        }
        return Normal.framed(content.texts + lists)
    }

    mutating func visit(_ text: inout String, at place: TextPlace, as kind: TextKind) {
        add(place.field, NarrowText.bytes(of: text), to: place)
    }

    mutating func visit(code: inout String?, at place: TextPlace, as kind: CodeKind) {
        // A unit, level or place that the other report did not name is new: it may change who must not get the report.
        guard place.list != nil, kind != .mediaType, let code else { return }
        add(place.field, NarrowText.bytes(of: code), to: place)
    }

    private mutating func add(_ field: Substring, _ bytes: [UInt8], to place: TextPlace) {
        let named = Normal.framed([Array(field.utf8), bytes])
        guard let list = place.list else { return texts.append(named) }
        while entries[list, default: []].count <= place.index { entries[list, default: []].append([]) }
        entries[list]?[place.index].append(named)
    }
}

/// Texts in the form that is compared.
private enum Normal {
    /// The name, and the contact that identifies a person best.
    static func identity(_ reporter: Reporter) -> [UInt8] {
        func given(_ text: String?) -> [UInt8]? {
            let bytes = NarrowText.bytes(of: text ?? "")
            return bytes.isEmpty ? nil : bytes
        }
        let contact =
            given(reporter.idNumber) ?? reporter.phone.flatMap(phone) ?? given(reporter.email)
            ?? given(reporter.address)
        return framed([Array(NameKey.narrow(reporter.name ?? "").utf8), contact ?? []])
    }

    static func joined(_ names: [String]) -> [UInt8] { framed(names.map { Array(NameKey.narrow($0).utf8) }) }

    /// Each part after its length, so that no two lists of parts give the same bytes.
    static func framed(_ parts: [[UInt8]]) -> [UInt8] {
        var framed: [UInt8] = []
        framed.reserveCapacity(parts.reduce(0) { $0 + $1.count + 4 })
        for part in parts {
            withUnsafeBytes(of: UInt32(truncatingIfNeeded: part.count).bigEndian) { framed += $0 }
            framed += part
        }
        return framed
    }

    static func precedes(_ left: [UInt8], _ right: [UInt8]) -> Bool { left.lexicographicallyPrecedes(right) }

    /// The digits in one form, without the optional country code; `nil` if there are none.
    private static func phone(_ phone: String) -> [UInt8]? {
        let digits = FoldedText(phone, for: .numbers).text.filter { ("0"..."9").contains($0) }
        for code in ["0086", "86"] where digits.utf8.count == 11 + code.utf8.count && digits.hasPrefix(code) {
            return Array(digits.dropFirst(code.utf8.count).utf8)
        }
        return digits.isEmpty ? nil : Array(digits.utf8)
    }
}
