// Text from outside is shown only through these functions: a terminal obeys control bytes, and bidirectional marks
// change the visible order of letters. A character that is not shown as itself is shown as its number, such as
// \u{1B}.

/// Text from outside as part of a line, without control characters, line ends, and bidirectional or invisible marks.
///
/// Letters of all scripts, combining marks, variation selectors and private-use characters stay, because names
/// contain them.
public func printable(_ text: some StringProtocol) -> String {
    escaped(text, keepsLines: false, escape: named)
}

/// Text from outside as a page with our own line ends; a line end of two characters becomes one.
public func printablePage(_ text: some StringProtocol) -> String {
    escaped(text, keepsLines: true, escape: named)
}

/// A JSON text with the same meaning: such characters become JSON escapes in its strings. The only control characters
/// it may contain are line ends between its values.
public func printableJSON(_ text: some StringProtocol) -> String {
    escaped(text, keepsLines: true) { scalar in
        scalar.utf16.map { unit in
            let digits = String(unit, radix: 16, uppercase: true)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }.joined()
    }
}

private func named(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "\n": "\\n"
    case "\r": "\\r"
    case "\t": "\\t"
    default: "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
    }
}

private func escaped(_ text: some StringProtocol, keepsLines: Bool, escape: (Unicode.Scalar) -> String) -> String {
    if text.utf8.allSatisfy({ 0x20...0x7E ~= $0 }) { return String(text) }
    var result = String.UnicodeScalarView()
    var wasReturn = false
    func put(_ scalar: Unicode.Scalar) {
        if isShown(scalar) || keepsLines && scalar == "\n" {
            result.append(scalar)
        } else {
            result.append(contentsOf: escape(scalar).unicodeScalars)
        }
    }
    for scalar in text.unicodeScalars {
        if wasReturn, scalar != "\n" { put("\r") }
        wasReturn = keepsLines && scalar == "\r"
        if !wasReturn { put(scalar) }
    }
    if wasReturn { put("\r") }
    return String(result)
}

/// True if a terminal shows a character and does nothing else with it.
private func isShown(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x20...0x7E, 0x4E00...0x9FFF: return true
    // Variation selectors distinguish forms of one Chinese character; the joiners belong to words and pictures.
    case 0xFE00...0xFE0F, 0xE0100...0xE01EF, 0x200C, 0x200D: return true
    // New Chinese characters are added faster than any table of them.
    case 0x20000...0x3FFFF: return scalar.value & 0xFFFE != 0xFFFE
    default: break
    }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned: return false
    default: return !scalar.properties.isDefaultIgnorableCodePoint
    }
}
