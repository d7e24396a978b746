import Basics
import Casework

/// The form of times in a foreign file.
enum TimePattern: Sendable, Hashable, CustomStringConvertible {
    case rfc3339
    case unixSeconds
    case unixMilliseconds
    /// Days since 1899-12-30, as spreadsheets count them, with the time as a fraction; precise to the second.
    case excel(zone: String)
    /// Any unambiguous form: RFC 3339; the year first with `-`, `/`, `.`, `年月日` or nothing between; 上午 and 下午 or AM
    /// and PM; a spreadsheet's number of five digits. Never a date that begins with its day or month.
    case any(zone: String)
    case pattern(DatePattern, zone: String)

    /// Names that a map may give instead of a pattern.
    static let names = ["rfc3339", "unix", "unix-ms", "excel", "any"]

    /// - Parameter zone: `Z` or an offset; required if the times have no zone of their own.
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

    /// Whether times of this format include their zone.
    static func carriesZone(_ format: String) -> Bool { ["rfc3339", "unix", "unix-ms"].contains(format) }

    var description: String {
        switch self {
        case .rfc3339: "RFC 3339, such as 2026-03-02T08:00:00Z"
        case .unixSeconds: "seconds since 1970"
        case .unixMilliseconds: "milliseconds since 1970"
        case .excel(let zone): "a spreadsheet's number of days in zone \(zone)"
        case .any(let zone):
            "the year first, such as 2019/3/5 8:05 or 2019年3月5日, RFC 3339 or a spreadsheet's number, in zone \(zone)"
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
        // The office could not read a year beyond four digits.
        return overflow || Instant(instant.description) != instant ? nil : instant
    }

    private static func instant(serial: String, _ zone: String) -> Instant? {
        guard serial.wholeMatch(of: /[0-9]{1,7}(\.[0-9]+)?/) != nil, let number = Double(serial), number >= 1,
            number < 2_958_466
        else { return nil }
        let day = Int(number)
        // Spreadsheets count 29 February 1900, which did not exist.
        if day == 60 { return nil }
        let date = CivilDate(daysSinceEpoch: day - 25_569 + (day < 60 ? 1 : 0))
        let seconds = ((number - Double(day)) * 86_400).rounded()
        return Instant("\(date)T00:00:00\(zone)").map { $0.adding(seconds: seconds) }
    }

    private static func instant(unmistakable written: String, _ zone: String) -> Instant? {
        let text = written.withoutFullWidth
        if text.wholeMatch(of: /[0-9]{5}(\.[0-9]+)?/) != nil { return instant(serial: text, zone) }
        if let instant = Instant(text) { return instant }
        // With its own offset, as some programs write it: after a blank, or without a colon.
        if let match = text.wholeMatch(of: /(.*[0-9]) ?([+-][0-9]{2}):?([0-9]{2})/),
            let instant = Instant("\(match.1)\(match.2):\(match.3)")
        {
            return instant
        }
        guard let (rest, half) = HalfDay.taken(from: text) else { return nil }
        return unmistakable.lazy.compactMap { $0.instant(of: rest, zone, half) }.first
    }

    private static let unmistakable: [DatePattern] = {
        let times: [String] = ["", " H:m", " H:m:s", " H:m:s.S"]
        let days = ["yyyy-M-d", "yyyy/M/d", "yyyy.M.d", "yyyy年M月d日", "yyyy年M月d号"]
        let chinese = ["H时", "H点", "H时m分", "H点m分", "H时m分s秒", "H点m分s秒"]
        var patterns = [
            "yyyyMMdd", "yyyyMMddHHmm", "yyyyMMddHHmmss", "yyyyMMdd HHmm", "yyyyMMdd HHmmss", "yyyyMMdd HH:mm",
            "yyyyMMdd HH:mm:ss",
        ]
        for day in days { patterns += times.map { time in day + time } }
        for time in times.dropFirst() { patterns += ["yyyy-M-dT\(time.dropFirst())", "yyyy年M月d日\(time.dropFirst())"] }
        for time in chinese {
            patterns += ["yyyy年M月d日\(time)", "yyyy年M月d日 \(time)", "yyyy年M月d号\(time)", "yyyy年M月d号 \(time)"]
        }
        return patterns.compactMap { DatePattern($0) }
    }()
}

/// The half of a day in which an hour from 1 to 12 is counted.
enum HalfDay: Sendable {
    case morning, afternoon

    /// Removes the word for the half of the day, which is before the time (上午) or after it (AM); `nil` if there are
    /// several.
    static func taken(from text: String) -> (rest: String, half: HalfDay?)? {
        let words = text.matches(of: /\s*(上午|下午|[AaPp]\.?[Mm]\.?)\s*/)
        guard let word = words.first else { return (text, nil) }
        guard words.count == 1 else { return nil }
        let (before, after) = (text[..<word.range.lowerBound], text[word.range.upperBound...])
        // In Chinese the word is before the time, in English after it.
        let isChinese = word.1.hasSuffix("午")
        guard isChinese ? !after.isEmpty : after.isEmpty else { return nil }
        return (
            isChinese ? "\(before) \(after)" : String(before),
            ["上午", "a", "A"].contains { word.1.hasPrefix($0) } ? .morning : .afternoon
        )
    }

    /// The hour of the whole day; `nil` if it is not in this half. Some write 下午15:30.
    func hour(_ hour: Int) -> Int? {
        switch (self, hour) {
        case (.morning, 0...12): hour % 12
        case (.afternoon, 1...12): hour % 12 + 12
        case (.afternoon, 13...23): hour
        default: nil
        }
    }
}

extension String {
    /// The text with full-width digits and signs, as Chinese keyboards write them, in half width.
    fileprivate var withoutFullWidth: String {
        var halved = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            let isFullWidth = (0xFF01...0xFF5E).contains(scalar.value)
            halved.append(isFullWidth ? Unicode.Scalar(scalar.value - 0xFEE0) ?? scalar : scalar)
        }
        return String(halved)
    }
}

/// A date pattern: `yyyy` and `M`, `d`, `H`, `m`, `s` once (one or two digits) or twice (two digits), `S` for a
/// fraction of any length. Any other character matches itself; a blank matches blanks.
struct DatePattern: Sendable, Hashable, CustomStringConvertible {
    private enum Piece: Hashable {
        case field(Unicode.Scalar, width: Int)
        case literal(Unicode.Scalar)
    }

    let description: String
    private let pieces: [Piece]

    /// The date is required; the time may be missing (midnight). A field of variable length must not be followed
    /// directly by another field.
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
            // Without a fixed length, a field would also take the digits of the next one.
            let isOpen = sign == "S" || width == 1
            if isOpen, let next = rest.first, "yMdHmsS".unicodeScalars.contains(next) { return nil }
            pieces.append(.field(sign, width: width))
        }
        guard seen.isSuperset(of: ["y", "M", "d"]), !seen.contains("S") || seen.contains("s") else { return nil }
        self.pieces = pieces
    }

    /// - Parameter half: the half of the day given in the text; it requires an hour.
    func instant(of text: String, _ zone: String, _ half: HalfDay? = nil) -> Instant? {
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
        if let half {
            guard let hour = fields["H"].flatMap({ Int($0) }).flatMap(half.hour) else { return nil }
            fields["H"] = String(hour)
        }
        func two(_ sign: Unicode.Scalar) -> String { fields[sign].map { $0.count == 1 ? "0" + $0 : $0 } ?? "00" }
        let fraction = fields["S"].map { "." + $0 } ?? ""
        return Instant("\(year)-\(two("M"))-\(two("d"))T\(two("H")):\(two("m")):\(two("s"))\(fraction)\(zone)")
    }
}
