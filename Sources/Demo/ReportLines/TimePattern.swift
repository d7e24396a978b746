import Casework

/// How a foreign file writes times.
enum TimePattern: Sendable, Hashable, CustomStringConvertible {
    case rfc3339
    case unixSeconds
    case unixMilliseconds
    /// Days since 1899-12-30, as spreadsheets count them, with the time as a fraction; to the second.
    case excel(zone: String)
    /// Whatever can be read in one way only: RFC 3339, the year first with `-`, `/`, `.`, `年月日` or nothing between, a spreadsheet's
    /// number of five digits. Never a date that begins with its day or month.
    case any(zone: String)
    case pattern(DatePattern, zone: String)

    /// Names that a map may give instead of a pattern.
    static let names = ["rfc3339", "unix", "unix-ms", "excel", "any"]

    /// - Parameter zone: `Z` or an offset; needed where the times do not carry theirs.
    init?(_ format: String, zone: String?) {
        switch (format, zone) {
        case ("rfc3339", nil): self = .rfc3339
        case ("unix", nil): self = .unixSeconds
        case ("unix-ms", nil): self = .unixMilliseconds
        case ("excel", let zone?): self = .excel(zone: zone)
        case ("any", let zone?): self = .any(zone: zone)
        case (_, let zone?):
            guard let pattern = DatePattern(format) else { return nil }
            self = .pattern(pattern, zone: zone)
        case (_, nil): return nil
        }
    }

    /// Whether such times say themselves in which zone they are.
    static func carriesZone(_ format: String) -> Bool { ["rfc3339", "unix", "unix-ms"].contains(format) }

    var description: String {
        switch self {
        case .rfc3339: "RFC 3339, such as 2026-03-02T08:00:00Z"
        case .unixSeconds: "seconds since 1970"
        case .unixMilliseconds: "milliseconds since 1970"
        case .excel(let zone): "a spreadsheet's number of days in zone \(zone)"
        case .any(let zone): "the year first, such as 2019/3/5 8:05 or 2019年3月5日, RFC 3339 or a spreadsheet's number, in zone \(zone)"
        case .pattern(let pattern, let zone): "\(pattern) in zone \(zone)"
        }
    }

    static func words(_ times: [TimePattern]) -> String { times.map(\.description).joined(separator: ", or ") }

    func instant(of text: String) -> Instant? {
        switch self {
        case .rfc3339: Instant(text)
        case .unixSeconds: Self.instant(count: text, microseconds: 1_000_000)
        case .unixMilliseconds: Self.instant(count: text, microseconds: 1000)
        case .excel(let zone): Self.instant(serial: text, zone)
        case .any(let zone): Self.instant(unmistakable: text, zone)
        case .pattern(let pattern, let zone): pattern.instant(of: text, zone)
        }
    }

    private static func instant(count: String, microseconds: Int64) -> Instant? {
        guard let number = Int64(count) else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: microseconds)
        let instant = Instant(microsecondsSinceEpoch: product)
        // Beyond the years that four digits write, the office could not read it.
        return overflow || Instant(instant.description) != instant ? nil : instant
    }

    private static func instant(serial: String, _ zone: String) -> Instant? {
        guard serial.wholeMatch(of: /[0-9]{1,7}(\.[0-9]+)?/) != nil, let number = Double(serial), number >= 1, number < 2_958_466 else { return nil }
        let day = Int(number)
        // Spreadsheets count a 29 February 1900, which there was not.
        if day == 60 { return nil }
        let date = CivilDate(daysSinceEpoch: day - 25_569 + (day < 60 ? 1 : 0))
        let seconds = ((number - Double(day)) * 86_400).rounded()
        return Instant("\(date)T00:00:00\(zone)").map { $0.adding(seconds: seconds) }
    }

    private static func instant(unmistakable text: String, _ zone: String) -> Instant? {
        if text.wholeMatch(of: /[0-9]{5}(\.[0-9]+)?/) != nil { return instant(serial: text, zone) }
        if let instant = Instant(text) { return instant }
        return unmistakable.lazy.compactMap { $0.instant(of: text, zone) }.first
    }

    private static let unmistakable: [DatePattern] = {
        let times = ["", " H:mm", " H:mm:ss", " H:mm:ss.S"]
        let days = ["yyyy-M-d", "yyyy/M/d", "yyyy.M.d", "yyyy年M月d日"]
        let patterns = days.flatMap { day in times.map { day + $0 } }
            + times.dropFirst().flatMap { ["yyyy-M-dT" + $0.dropFirst(), "yyyy年M月d日" + $0.dropFirst()] }
            + ["yyyy年M月d日H时m分", "yyyy年M月d日H时m分s秒", "yyyy年M月d日 H时m分", "yyyy年M月d日 H时m分s秒", "yyyyMMdd", "yyyyMMddHHmmss", "yyyyMMdd HHmmss"]
        return patterns.compactMap { DatePattern($0) }
    }()
}

/// A date's pattern: `yyyy` and `M`, `d`, `H`, `m`, `s` once (one or two digits) or twice (two digits), `S` for a fraction of any
/// length; anything between them stands for itself, a blank for blanks.
struct DatePattern: Sendable, Hashable, CustomStringConvertible {
    private enum Piece: Hashable {
        case field(Unicode.Scalar, width: Int)
        case literal(Unicode.Scalar)
    }

    let description: String
    private let pieces: [Piece]

    /// The day must be there; the time may be missing (midnight). What is not padded needs something behind it.
    init?(_ pattern: String) {
        description = pattern
        var pieces: [Piece] = []
        var seen: Set<Unicode.Scalar> = []
        var rest = Array(pattern.unicodeScalars)[...]
        while let sign = rest.first {
            guard "yMdHmsS".unicodeScalars.contains(sign) else {
                pieces.append(.literal(sign))
                rest = rest.dropFirst()
                continue
            }
            let width = rest.prefix { $0 == sign }.count
            rest = rest.dropFirst(width)
            guard seen.insert(sign).inserted, sign == "y" ? width == 4 : sign == "S" || width <= 2 else { return nil }
            // Where no length is given, the next field's digits would be taken for its own.
            let isOpen = sign == "S" || width == 1
            if isOpen, let next = rest.first, "yMdHmsS".unicodeScalars.contains(next) { return nil }
            pieces.append(.field(sign, width: width))
        }
        guard seen.isSuperset(of: ["y", "M", "d"]), !seen.contains("S") || seen.contains("s") else { return nil }
        self.pieces = pieces
    }

    func instant(of text: String, _ zone: String) -> Instant? {
        var fields: [Unicode.Scalar: String] = [:]
        var rest = Substring(text).unicodeScalars
        for piece in pieces {
            switch piece {
            case .literal(let sign) where sign.properties.isWhitespace:
                let blanks = rest.prefix { $0.properties.isWhitespace }.count
                guard blanks > 0 else { return nil }
                rest = rest.dropFirst(blanks)
            case .literal(let sign):
                guard rest.popFirst() == sign else { return nil }
            case .field(let sign, let width):
                let countMax = sign == "S" ? 9 : max(width, 2)
                let digits = rest.prefix(countMax).prefix { ("0"..."9").contains($0) }
                guard digits.count >= (sign == "S" ? 1 : width) else { return nil }
                fields[sign] = String(digits)
                rest = rest.dropFirst(digits.count)
            }
        }
        guard rest.isEmpty, let year = fields["y"] else { return nil }
        func two(_ sign: Unicode.Scalar) -> String { fields[sign].map { $0.count == 1 ? "0" + $0 : $0 } ?? "00" }
        let fraction = fields["S"].map { "." + $0 } ?? ""
        return Instant("\(year)-\(two("M"))-\(two("d"))T\(two("H")):\(two("m")):\(two("s"))\(fraction)\(zone)")
    }
}
