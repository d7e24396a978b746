import Casework

/// How a foreign file writes times.
enum TimePattern: Sendable, Hashable, CustomStringConvertible {
    case rfc3339
    case unixSeconds
    case unixMilliseconds
    /// `yyyy MM dd HH mm ss` with anything between them, and the zone the times are in.
    case pattern(String, zone: String)

    /// The fields of a pattern, by the letter that stands for them.
    static let letters: [Character: Int] = ["y": 4, "M": 2, "d": 2, "H": 2, "m": 2, "s": 2]

    var description: String {
        switch self {
        case .rfc3339: "RFC 3339, such as 2026-03-02T08:00:00Z"
        case .unixSeconds: "seconds since 1970"
        case .unixMilliseconds: "milliseconds since 1970"
        case .pattern(let pattern, let zone): "\(pattern) in zone \(zone)"
        }
    }

    func instant(of text: String) -> Instant? {
        switch self {
        case .rfc3339: Instant(text)
        case .unixSeconds: Self.instant(count: text, microseconds: 1_000_000)
        case .unixMilliseconds: Self.instant(count: text, microseconds: 1000)
        case .pattern(let pattern, let zone): Self.instant(of: text, pattern, zone)
        }
    }

    /// Each field stands once, in its full width and in one piece; the day must be there, the time may be missing (midnight).
    static func isValid(_ pattern: String) -> Bool {
        letters.allSatisfy { letter, width in
            let count = pattern.filter { $0 == letter }.count
            if count == 0 { return "Hms".contains(letter) }
            return count == width && pattern.contains(String(repeating: letter, count: width))
        }
    }

    private static func instant(count: String, microseconds: Int64) -> Instant? {
        guard let number = Int64(count) else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: microseconds)
        let instant = Instant(microsecondsSinceEpoch: product)
        // Beyond the years that four digits write, the office could not read it.
        return overflow || Instant(instant.description) != instant ? nil : instant
    }

    private static func instant(of text: String, _ pattern: String, _ zone: String) -> Instant? {
        guard text.count == pattern.count else { return nil }
        var fields: [Character: String] = [:]
        for (sign, character) in zip(pattern, text) {
            if letters[sign] != nil {
                fields[sign, default: ""].append(character)
            } else if sign != character {
                return nil
            }
        }
        guard let year = fields["y"], let month = fields["M"], let day = fields["d"] else { return nil }
        let time = "\(fields["H"] ?? "00"):\(fields["m"] ?? "00"):\(fields["s"] ?? "00")"
        return Instant("\(year)-\(month)-\(day)T\(time)\(zone)")
    }
}
