import Text

/// The words that people write instead of leaving a field empty: 匿名, 无, 不详, `/`, 0, N/A. Such a word is no name
/// and no contact, and it is not masked.
///
/// The words come from the policy. A field of punctuation alone, or of one digit repeated, is a placeholder
/// without any list.
public struct Placeholders: Sendable {
    private let folded: Set<String>
    /// Latin words that contain punctuation (N/A). They are compared with it: without it they may be a name.
    private let spelt: Set<String>

    public init(_ words: [String]) {
        let hasPunctuation = words.filter {
            Placeholders.isLatin($0) && Placeholders.spelling($0) != FoldedText($0).text
        }
        spelt = Set(hasPunctuation.map(Placeholders.spelling))
        folded = Set(words.map { FoldedText($0).text }).subtracting(hasPunctuation.map { FoldedText($0).text })
    }

    /// Whether the whole text is a placeholder.
    public func contains(_ text: String) -> Bool {
        let key = FoldedText(text).text
        let scalars = key.unicodeScalars
        guard let first = scalars.first else { return true }
        if folded.contains(key) || (!spelt.isEmpty && spelt.contains(Placeholders.spelling(text))) { return true }
        return (0x30...0x39).contains(first.value) && scalars.allSatisfy { $0 == first }
    }

    private static func isLatin(_ text: String) -> Bool { text.utf8.allSatisfy { $0 < 0x80 } }

    private static func spelling(_ text: String) -> String { text.filter { !$0.isWhitespace }.lowercased() }
}

extension Submission {
    /// The submission without placeholder fields and without reporters that have no other field.
    public func stated(without placeholders: Placeholders) -> Submission {
        var submission = self
        submission.reporters = reporters.compactMap { $0.stated(without: placeholders) }
        return submission
    }
}

extension Reporter {
    fileprivate func stated(without placeholders: Placeholders) -> Reporter? {
        func stated(_ text: String?) -> String? { text.flatMap { placeholders.contains($0) ? nil : $0 } }
        let reporter = Reporter(
            name: stated(name), organ: stated(organ), phone: stated(phone), email: stated(email),
            idNumber: stated(idNumber), address: stated(address), consent: consent)
        return reporter == Reporter(consent: consent) ? nil : reporter
    }
}
