import Text

/// A piece of a page. What is put into it is escaped, unless it is a piece itself: no text can become markup.
struct Markup: ExpressibleByStringInterpolation {
    private(set) var html: String

    init(stringLiteral html: String) { self.html = html }
    init(stringInterpolation: StringInterpolation) { html = stringInterpolation.html }

    struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var html = ""

        init(literalCapacity: Int, interpolationCount: Int) { html.reserveCapacity(literalCapacity * 2) }

        mutating func appendLiteral(_ literal: String) { html += literal }
        mutating func appendInterpolation(_ piece: Markup) { html += piece.html }
        mutating func appendInterpolation(_ pieces: [Markup]) { for piece in pieces { html += piece.html } }
        mutating func appendInterpolation(_ number: Int) { html += String(number) }
        mutating func appendInterpolation(_ text: String) { html += escaped(text) }
    }

    static func += (whole: inout Markup, piece: Markup) { whole.html += piece.html }
}

/// The longest name that a page shows, in cells; the queue of a party with the longest id fits.
private let nameCellsMax = 56

/// A name from outside: at most so long, also in bytes, since one letter may carry any number of marks.
func shownName(_ name: String, cells: Int = nameCellsMax) -> String {
    if name.utf8.count <= cells { return name }
    return cut(String(String.UnicodeScalarView(name.unicodeScalars.prefix(4 * cells))), to: cells)
}

/// Control characters and marks of direction are shown by their numbers, and what HTML knows by its entities.
private func escaped(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "&"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), UInt8(ascii: "'"): false
        default: 0x20...0x7E ~= byte
        }
    }
    if isPlain { return text }
    var result = ""
    for scalar in printable(text).unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case "'": result += "&#39;"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}
