import Text

/// House and group numbers in the forms people write: 15号 and 十五号, 100号 and 一百号, 壹佰号. The texts are folded for
/// numbers, so 一 is a digit and 十 is not.
enum Numerals {
    /// The text with its numbers in each other form; empty if there is no number above nine.
    static func otherwise(_ text: [UInt32]) -> [[UInt32]] {
        let digits = inDigits(text)
        return [digits, written(digits, everyday), written(digits, formal)].filter { $0 != text }
    }

    private typealias Units = [(value: Int, scalar: UInt32)]
    private static let everyday: Units = units("千百十")
    private static let formal: Units = units("仟佰拾")

    private static let values = Dictionary((everyday + formal).map { ($0.scalar, $0.value) }) { first, _ in first }

    private static func units(_ scalars: String) -> Units {
        zip([1000, 100, 10], FoldedText(scalars, for: .numbers).scalars).map { ($0, $1) }
    }

    private static func isDigit(_ scalar: UInt32) -> Bool { (0x30...0x39).contains(scalar) }
    private static func number(_ digits: ArraySlice<UInt32>) -> Int { digits.reduce(0) { $0 * 10 + Int($1) - 0x30 } }

    private static func written(_ text: [UInt32], _ units: Units) -> [UInt32] {
        replacingRuns(of: text, where: isDigit) { run in
            guard (2...4).contains(run.count), run.first != 0x30 else { return Array(run) }
            return spelt(number(run), units)
        }
    }

    /// Examples: 105 gives 1百05, 15 gives 十5, 20 gives 2十.
    private static func spelt(_ number: Int, _ units: Units) -> [UInt32] {
        var (rest, written, lacks) = (number, [UInt32](), false)
        for unit in units {
            let count = rest / unit.value
            rest %= unit.value
            if count == 0 {
                lacks = !written.isEmpty
                continue
            }
            if lacks { written.append(0x30) }
            lacks = false
            if !(written.isEmpty && unit.value == 10 && count == 1) { written.append(UInt32(0x30 + count)) }
            written.append(unit.scalar)
        }
        if rest > 0 { written += (lacks ? [0x30] : []) + [UInt32(0x30 + rest)] }
        return written
    }

    private static func inDigits(_ text: [UInt32]) -> [UInt32] {
        replacingRuns(of: text) {
            isDigit($0) || values[$0] != nil
        } with: { run in
            guard run.count <= 7, run.contains(where: { values[$0] != nil }) else { return Array(run) }
            var (total, digit) = (0, 0)
            for scalar in run {
                if let value = values[scalar] {
                    (total, digit) = (total + max(digit, 1) * value, 0)
                } else {
                    digit = number([scalar])
                }
            }
            return Array(String(total + digit).unicodeScalars.map(\.value))
        }
    }

    private static func replacingRuns(
        of text: [UInt32], where isPart: (UInt32) -> Bool, with replacement: (ArraySlice<UInt32>) -> [UInt32]
    ) -> [UInt32] {
        var (result, index) = ([UInt32](), text.startIndex)
        while index < text.endIndex {
            let end = text[index...].firstIndex { !isPart($0) } ?? text.endIndex
            if end > index { result += replacement(text[index..<end]) }
            if end < text.endIndex { result.append(text[end]) }
            index = end + 1
        }
        return result
    }
}
