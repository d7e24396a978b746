/// One problem of a message, as text for a person.
public struct Problem: Codable, Hashable, Sendable, CustomStringConvertible {
    /// A stable code for programs: `missing_field`, `not_json`, `too_large`, `unknown_word` …
    public var code: String
    /// The place in the message: `data.accused[0].level`; absent for the whole message.
    public var path: String?
    public var text: String

    public init(code: String, path: String? = nil, text: String) {
        self.code = code
        self.path = path
        self.text = text
    }

    public var description: String { path.map { "\($0): \(text)" } ?? text }
}
