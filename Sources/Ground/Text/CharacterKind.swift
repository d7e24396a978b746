/// What a character is good for when texts are compared. The raw value is its letter in `KindTable`.
enum CharacterKind: UInt8, Sendable {
    /// Letters, digits, numbers, marks of one script: they carry meaning.
    case kept = 0x6B  // k
    /// Private use (written by some systems for rare names) and unassigned: nobody here can tell what they mean.
    case unknown = 0x75  // u
    /// Marks that go with any letter, such as accents and strokes through it.
    case mark = 0x6D  // m
    /// Marks of one script, such as a vowel of Thai: they carry meaning on a letter of their own.
    case scriptMark = 0x63  // c
    case variationSelector = 0x76  // v
    /// Zero width, directions of writing, tags, soft hyphens.
    case invisible = 0x69  // i
    /// White space in ASCII: a line break may stand inside a word.
    case blank = 0x77  // w
    /// Every other space, and control characters.
    case space = 0x73  // s
    /// Punctuation that may stand within a name: dots, hyphens, brackets.
    case punctuation = 0x70  // p
    /// Punctuation between clauses: comma, stop, colon.
    case clause = 0x65  // e
    case symbol = 0x79  // y

    /// How far it parts the characters beside it.
    var gap: Gap {
        switch self {
        case .kept, .unknown, .mark, .scriptMark, .variationSelector: .none
        case .invisible, .blank: .blank
        case .space, .punctuation, .symbol: .separator
        case .clause: .clause
        }
    }
}

/// What stands between two characters that are compared: the strongest of it.
public enum Gap: UInt8, Sendable, Comparable {
    case none
    /// Invisible characters and white space of ASCII.
    case blank
    /// Other spaces, dots, hyphens, brackets, symbols.
    case separator
    /// Punctuation between clauses.
    case clause

    public static func < (left: Gap, right: Gap) -> Bool { left.rawValue < right.rawValue }
}
