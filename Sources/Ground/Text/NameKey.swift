/// Keys for the comparison of written names.
///
/// There are two keys, because the worse mistake differs. The **wide** key is for the barrier and recusals: in doubt,
/// two names are equal. The **narrow** key is for repeats: in doubt, they differ. Each is the same for all ways of
/// writing the same characters; see `FoldedText` and `NarrowText`.
public enum NameKey {
    /// The wide key: without titles, but never below two characters; Traditional, Simplified and variants are equal;
    /// no space, dot, hyphen, bracket. Empty if the name contains nothing that is compared.
    public static func wide(_ name: String) -> String {
        let whole = FoldedText(name).text
        let outside = FoldedText(withoutBrackets(name)).text
        let bare = Titles.takenOff(outside)
        return bare.unicodeScalars.count >= 2 ? bare : whole
    }

    /// The wide keys of all names in one field: of the whole, and of each name if there are several (张三、李四).
    public static func everyWide(_ name: String) -> Set<String> {
        Set((parts(of: name) + [name]).map(wide).filter { !$0.isEmpty })
    }

    /// The wide family name of a person called by it alone: 沈主任, 老沈, 欧阳局; `nil` if the name is more or less than
    /// that.
    public static func surnameOnly(_ name: String) -> String? {
        let surname = Titles.surname(in: FoldedText(withoutBrackets(name)).scalars)
        return surname.map { String(String.UnicodeScalarView($0.compactMap(Unicode.Scalar.init))) }
    }

    /// The narrow key: titles stay, and no two characters are merged into one.
    public static func narrow(_ name: String) -> String { NarrowText.lettersOnly(name) }

    /// The key of a unit or organ: wide, but nothing is removed.
    public static func organ(_ name: String) -> String { FoldedText(name).text }

    // MARK: Several names in one field

    /// The names in a field that contains several, each of at least two characters; empty if it contains one.
    public static func parts(of name: String) -> [String] {
        // 张三、李四 has five characters.
        guard name.unicodeScalars.count >= 5 else { return [] }
        let byMark = split(name) { marks.contains($0) }
        if byMark.count > 1 { return byMark.flatMap { inner in parts(of: inner).isEmpty ? [inner] : parts(of: inner) } }
        let bySpace = split(name) { $0.properties.isWhitespace }
        if bySpace.count > 1, bySpace.allSatisfy(isShortName) { return bySpace }
        // Joining words, which also occur within names (李和平): only between names of two to four characters.
        for joining in joiningWords {
            let joined = split(name, at: joining)
            if joined.count > 1, joined.allSatisfy(isShortName) { return joined }
        }
        return []
    }

    private static let joiningWords = ["以及", "和", "与", "與", "及", "跟", "暨", "并"].map { Array($0.unicodeScalars) }

    /// Splits by scalars, because one character may be as long as the text.
    private static func split(_ name: String, at word: [Unicode.Scalar]) -> [String] {
        var (parts, part) = ([String.UnicodeScalarView](), String.UnicodeScalarView())
        let scalars = name.unicodeScalars
        var index = scalars.startIndex
        while index < scalars.endIndex {
            if scalars[index] == word[0], scalars[index...].starts(with: word) {
                parts.append(part)
                part = String.UnicodeScalarView()
                index = scalars.index(index, offsetBy: word.count)
            } else {
                part.append(scalars[index])
                index = scalars.index(after: index)
            }
        }
        return (parts + [part]).filter { !$0.isEmpty }.map { String($0) }
    }

    private static let marks = Set("、，,;；/／|｜&＆+＋\\＼\n\r\t".unicodeScalars)

    private static func split(_ name: String, where isMark: (Unicode.Scalar) -> Bool) -> [String] {
        name.unicodeScalars.split(whereSeparator: isMark).map { String($0) }.filter { FoldedText($0).units.count >= 2 }
    }

    private static func isShortName(_ text: String) -> Bool {
        let units = FoldedText(text).units
        return (2...4).contains(units.count) && units.allSatisfy { $0.scalar >= 0x3400 }
    }

    private static let opening = Set("(（[［【〔〈《<＜{｛「『".unicodeScalars)
    private static let closing = Set(")）]］】〕〉》>＞}｝」』".unicodeScalars)

    /// The name without its brackets, which describe the person: 王文山（村民）.
    public static func withoutBrackets(_ name: String) -> String {
        var depth = 0
        var kept = String.UnicodeScalarView()
        for scalar in name.unicodeScalars {
            if opening.contains(scalar) {
                depth += 1
            } else if closing.contains(scalar) {
                depth = max(0, depth - 1)
            } else if depth == 0 {
                kept.append(scalar)
            }
        }
        return String(kept)
    }
}
