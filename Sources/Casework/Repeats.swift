import Crypto

/// What two reports must share to be repeats of one another (重复件): the text, and who reports or, where nobody says so, who
/// is reported.
///
/// Only what brings *nothing* new is a repeat. So the digest covers title, text, accused, acts and papers, and one of them
/// differing makes another report; what is merely alike, a person links. All is keyed (HMAC-SHA256): the text names persons too,
/// and a digest without a key tells them to whoever tries names.
public struct RepeatKeys: Hashable, Sendable {
    /// HMAC-SHA256 over the content, without white space, punctuation, letter case and width of characters.
    public let textDigest: [UInt8]
    /// The reporters' names with identity number or contact; `nil`: anonymous.
    public let reporterKey: [UInt8]?
    /// Names and organs of the accused, in any order; `nil`: nobody is named.
    public let accusedKey: [UInt8]?

    /// - Parameter secret: the office's key for this purpose, at least 16 random bytes.
    public init(submission: Submission, secret: [UInt8]) {
        let accused = submission.accused.map { Normal.joined([$0.name, $0.organ ?? ""]) }.sorted(by: Normal.precedes)
        // A unit, level or place that the other did not name is news: it may change who must not get the report.
        let told = submission.accused.map { person in
            Normal.joined([
                person.name, person.organ ?? "", person.position ?? "", person.level ?? "", person.region ?? "",
                person.unit?.rawValue ?? "",
            ])
        }.sorted(by: Normal.precedes)
        let acts = submission.allegations.map { Normal.bytes($0.act) }.sorted(by: Normal.precedes)
        let papers = submission.attachments.map { Normal.bytes($0.sha256) }.sorted(by: Normal.precedes)
        let texts = [Normal.bytes(submission.title), Normal.bytes(submission.text)]
        let content = texts + [told, acts, papers].map(Normal.framed)

        func keyed(_ parts: [[UInt8]], _ purpose: UInt8) -> [UInt8] {
            let message = [purpose] + Normal.framed(parts)
            return Array(HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: secret)))
        }
        func key(_ parts: [[UInt8]], _ purpose: UInt8) -> [UInt8]? { parts.isEmpty ? nil : keyed(parts, purpose) }
        textDigest = keyed(content, 3)
        let reporters = submission.reporters.filter(\.isRealName).map(Normal.identity).sorted(by: Normal.precedes)
        reporterKey = key(reporters, 1)
        accusedKey = key(accused, 2)
    }

    /// What the report is compared by; `nil`: neither reporter nor accused is known, and nothing is a repeat of it.
    public var basis: RepeatRow.Basis? {
        reporterKey != nil ? .reporter : accusedKey != nil ? .accused : nil
    }

    /// A real-name report repeats one of the same reporter; an anonymous one repeats an anonymous one on the same accused.
    public func isRepeat(of other: RepeatKeys) -> Bool {
        guard let basis, basis == other.basis, textDigest == other.textDigest else { return false }
        return switch basis {
        case .reporter: reporterKey == other.reporterKey
        case .accused: accusedKey == other.accusedKey
        }
    }
}

/// Texts in the form that is compared.
private enum Normal {
    /// Letters and digits only, half width, lower case, in UTF-8.
    static func bytes(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            let value = (0xFF01...0xFF5E).contains(scalar.value) ? scalar.value - 0xFEE0 : scalar.value
            switch value {
            case 0x30...0x39, 0x61...0x7A: bytes.append(UInt8(value))
            case 0x41...0x5A: bytes.append(UInt8(value + 0x20))
            case 0..<0x80: break
            case 0x4E00...0x9FFF: bytes += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
            default:
                if scalar.properties.isAlphabetic || scalar.properties.numericType != nil {
                    bytes += scalar.properties.lowercaseMapping.utf8
                }
            }
        }
        return bytes
    }

    /// Name with identity number, else phone, else e-mail, else address.
    static func identity(_ reporter: Reporter) -> [UInt8] {
        func given(_ text: String?) -> String? { text.flatMap { bytes($0).isEmpty ? nil : $0 } }
        let contact = given(reporter.idNumber) ?? given(reporter.phone).map(phone) ?? given(reporter.email) ?? reporter.address
        return joined([reporter.name ?? "", contact ?? ""])
    }

    static func joined(_ texts: [String]) -> [UInt8] { framed(texts.map(bytes)) }

    /// Each part behind its length, so that no two lists of parts give the same bytes.
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

    /// Without the country code, which people write or leave out.
    private static func phone(_ phone: String) -> String {
        let digits = String(decoding: bytes(phone), as: UTF8.self)
        for code in ["0086", "86"] where digits.utf8.count == 11 + code.utf8.count && digits.hasPrefix(code) {
            return String(digits.dropFirst(code.utf8.count))
        }
        return digits
    }
}
