/// The role of a character when texts are compared. The raw value is its letter in `KindTable`.
enum CharacterKind: UInt8, Sendable {
    /// Letters, digits, numbers, marks of one script: they carry meaning.
    case kept = 0x6B  // k
    /// Private use (some systems write rare names with it) and unassigned: their meaning is unknown.
    case unknown = 0x75  // u
    /// Marks used with any letter, such as accents and strokes through it.
    case mark = 0x6D  // m
    /// Marks of one script, such as a Thai vowel: they carry meaning on a letter of that script.
    case scriptMark = 0x63  // c
    case variationSelector = 0x76  // v
    /// Zero width, direction marks, tags, soft hyphens.
    case invisible = 0x69  // i
    /// ASCII white space: a line break may occur within a word.
    case blank = 0x77  // w
    /// Every other space, and control characters.
    case space = 0x73  // s
    /// Punctuation that may occur within a name: dots, hyphens, brackets.
    case punctuation = 0x70  // p
    /// Punctuation between clauses: comma, stop, colon.
    case clause = 0x65  // e
    case symbol = 0x79  // y

    /// The gap that it makes between its neighbours.
    var gap: Gap {
        switch self {
        case .kept, .unknown, .mark, .scriptMark, .variationSelector: .none
        case .invisible, .blank: .blank
        case .space, .punctuation, .symbol: .separator
        case .clause: .clause
        }
    }
}

/// What separates two compared characters: the strongest character between them.
public enum Gap: UInt8, Sendable, Comparable {
    case none
    /// Invisible characters and ASCII white space.
    case blank
    /// Other spaces, dots, hyphens, brackets, symbols.
    case separator
    /// Punctuation between clauses.
    case clause

    public static func < (left: Gap, right: Gap) -> Bool { left.rawValue < right.rawValue }
}
