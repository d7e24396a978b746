extension RowReader {
    /// A text column that holds one of an enumeration's words; throws `.decoding` for any other.
    public mutating func word<Word: RawRepresentable>(_ type: Word.Type = Word.self) throws(PostgreSQLError) -> Word
    where Word.RawValue == String {
        let text = try text()
        guard let word = Word(rawValue: text) else { throw PostgreSQLError(.decoding, "the column holds no \(type)") }
        return word
    }
}
