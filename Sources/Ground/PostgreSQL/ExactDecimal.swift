/// A number as in PostgreSQL's `numeric`: exact, with any number of digits. It is kept as text and only passed on;
/// for calculations convert it to another type.
public struct ExactDecimal: Hashable, Sendable, CustomStringConvertible {
    /// The server's spelling: `-12.340`, `0.00`, `NaN`, `Infinity`, `-Infinity`. Zeros at the end of the fraction are
    /// kept, so two equal numbers may differ in text.
    public let text: String

    /// - Parameter text: an optional sign, digits, and optionally a point with digits after it; or one of the three
    ///   words.
    /// - Returns: nil for anything else (also exponents), for more than 131,072 digits before the point or more than
    ///   16,383 after it, which are PostgreSQL's limits.
    public init?(_ text: String) {
        if Self.words[text] != nil {
            self.text = text
            return
        }
        let isNegative = text.hasPrefix("-")
        let unsigned = text.dropFirst(isNegative || text.hasPrefix("+") ? 1 : 0)
        let parts = unsigned.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else { return nil }
        let whole = parts[0].drop { $0 == "0" }
        let fraction = parts.count == 2 ? parts[1] : ""
        guard whole.utf8.count <= 131_072, fraction.utf8.count <= 16_383 else { return nil }
        // PostgreSQL has no negative zero.
        let isZero = whole.isEmpty && fraction.allSatisfy { $0 == "0" }
        self.text =
            (isNegative && !isZero ? "-" : "") + (whole.isEmpty ? "0" : whole)
            + (fraction.isEmpty ? "" : "." + fraction)
    }

    public var description: String { text }

    private static let words: [String: UInt16] = ["NaN": 0xC000, "Infinity": 0xD000, "-Infinity": 0xF000]
    private static let negative: UInt16 = 0x4000
}

/// The wire format: the number of base-10,000 digits, the weight of the first, the sign, the number of decimal digits
/// after the point, then the digits.
extension ExactDecimal {
    var wireFields: [UInt16] {
        if let word = Self.words[text] { return [0, 0, word, 0] }
        let isNegative = text.hasPrefix("-")
        let parts = text.dropFirst(isNegative ? 1 : 0).split(separator: ".")
        var fraction = parts.count == 2 ? Array(parts[1].utf8) : []
        let scale = fraction.count
        var whole = Array(parts[0].utf8)
        whole.insert(contentsOf: repeatElement(0x30, count: (4 - whole.count % 4) % 4), at: 0)
        fraction.append(contentsOf: repeatElement(0x30, count: (4 - fraction.count % 4) % 4))
        let digits = whole + fraction
        var groups = stride(from: 0, to: digits.count, by: 4).map { start in
            digits[start..<start + 4].reduce(UInt16(0)) { $0 * 10 + UInt16($1 - 0x30) }
        }
        let leading = groups.prefix { $0 == 0 }.count
        groups.removeFirst(leading)
        while groups.last == 0 { groups.removeLast() }
        let weight = groups.isEmpty ? 0 : whole.count / 4 - 1 - leading
        return [UInt16(groups.count), UInt16(bitPattern: Int16(weight)), isNegative ? Self.negative : 0, UInt16(scale)]
            + groups
    }

    /// nil if the fields are not a number.
    init?(wireFields fields: [UInt16]) {
        guard fields.count >= 4, fields.count == 4 + Int(fields[0]) else { return nil }
        if let word = Self.words.first(where: { $0.value == fields[2] }) {
            self.init(word.key)
            return
        }
        let (weight, scale, groups) = (Int(Int16(bitPattern: fields[1])), Int(fields[3]), fields.dropFirst(4))
        guard fields[2] == 0 || fields[2] == Self.negative, groups.allSatisfy({ $0 < 10_000 }) else { return nil }
        func group(_ place: Int) -> String {
            let index = weight - place
            let digits = String(groups.indices.contains(index + 4) ? groups[index + 4] : 0)
            return String(repeating: "0", count: 4 - digits.count) + digits
        }
        var whole = ""
        for place in stride(from: max(weight, 0), through: 0, by: -1) { whole += group(place) }
        var fraction = ""
        for place in 0..<(scale + 3) / 4 { fraction += group(-1 - place) }
        self.init((fields[2] == 0 ? "" : "-") + whole + (scale > 0 ? "." + fraction.prefix(scale) : ""))
    }
}
