import Text

/// A person's name as a source wrote it, to be compared with the names of the staff. A doubtful match counts.
struct WrittenName {
    /// The name as the barrier compares it: blanks, invisible characters, titles and character variants do not matter.
    let key: String
    /// The beginning and end of the name, if only these are given: 沈主任, 老沈, 沈某, 沈*行.
    private let ends: (first: String, last: String)?

    /// The names in a field, which may contain several: `沈励行（化名沈立）`, `沈励行、王伟`.
    static func all(in written: String) -> [WrittenName] {
        let text = withoutStars(written)
        let parts = text.split { $0.isPunctuation || $0.isSymbol || $0.isNewline }.map(String.init)
        return Set([text] + NameKey.parts(of: text) + parts).map { WrittenName($0, isWhole: $0 == text) }.filter {
            !$0.key.isEmpty
        }
    }

    private init(_ text: String, isWhole: Bool) {
        key = NameKey.wide(text)
        let count = key.unicodeScalars.count
        if let surname = NameKey.surnameOnly(text) ?? (isWhole && count == 1 ? key : nil) {
            ends = (surname, "")
        } else if count <= 5, let first = key.firstIndex(of: Self.unsaid), let last = key.lastIndex(of: Self.unsaid),
            count > 1
        {
            ends = (String(key[..<first]), String(key[key.index(after: last)...]))
        } else {
            ends = nil
        }
    }

    /// Whether it may mean the person with this key. It matches the same name, the name inside a longer text
    /// (`副镇长沈励行`, `王伟等人`), and a part of the name (`励行同志`, `沈某`). Three characters may be another person's whole name
    /// (王伟东), so two characters within three do not match.
    func mayMean(_ name: String) -> Bool {
        if key == name { return true }
        let count = name.count
        if count >= 2, count >= 3 || key.count >= 4, key.contains(name) { return true }
        if count >= 3, key.count == 2, name.hasSuffix(key) { return true }
        guard let ends, !(ends.first.isEmpty && ends.last.isEmpty) else { return false }
        return count > ends.first.count + ends.last.count && name.hasPrefix(ends.first) && name.hasSuffix(ends.last)
    }

    private static let unsaid: Character = "某"
    private static let stars = Set("*＊×xXｘＸ○〇□■█?？╳✕".unicodeScalars)

    /// Writes 沈**, 沈×行 and 沈XX with 某, as in 沈某.
    private static func withoutStars(_ name: String) -> String {
        let others = name.unicodeScalars.filter { !stars.contains($0) }
        guard others.count < name.unicodeScalars.count, !others.contains(where: { ("A"..."z").contains($0) }) else {
            return name
        }
        var text = String.UnicodeScalarView()
        for scalar in name.unicodeScalars { text.append(stars.contains(scalar) ? "某" : scalar) }
        return String(text)
    }
}
