/// One thing that is wrong with a message, in words for a person.
public struct Problem: Codable, Hashable, Sendable, CustomStringConvertible {
    /// A stable word for programs: `missing_field`, `not_json`, `too_large`, `unknown_word` …
    public var code: String
    /// Where in the message: `data.accused[0].level`; absent where the whole is meant.
    public var path: String?
    public var text: String

    public init(code: String, path: String? = nil, text: String) {
        self.code = code
        self.path = path
        self.text = text
    }

    public var description: String { path.map { "\($0): \(text)" } ?? text }
}
