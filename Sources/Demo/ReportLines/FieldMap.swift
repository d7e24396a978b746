/// Says which field of a foreign JSON-lines file gives which part of a report.
public struct FieldMap: Sendable {
    /// Throws all problems of the file at once.
    public init(yaml: String) throws(FieldMapError) {
        if yaml.isEmpty { throw FieldMapError(problems: ["the field map is empty"]) }
    }
}

/// Everything that is wrong with a field map, one sentence each.
public struct FieldMapError: Error, Sendable, Hashable, CustomStringConvertible {
    public let problems: [String]
    public var description: String { problems.joined(separator: "\n") }
}
