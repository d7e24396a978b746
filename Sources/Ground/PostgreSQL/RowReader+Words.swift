extension RowReader {
    /// Reads a text column that contains a raw value of an enumeration; throws `.decoding` for any other text.
    public mutating func word<Word: RawRepresentable>(_ type: Word.Type = Word.self) throws(PostgreSQLError) -> Word
    where Word.RawValue == String {
        let text = try text()
        guard let word = Word(rawValue: text) else { throw PostgreSQLError(.decoding, "the column holds no \(type)") }
        return word
    }
}
