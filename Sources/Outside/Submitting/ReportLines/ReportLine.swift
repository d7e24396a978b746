public import Basics
public import Casework

/// One report read from a file; `bihuan submit` publishes it as `report.submitted`.
public struct ReportLine: Sendable, Hashable {
    /// The line's number in its file, from 1.
    public let number: Int
    public let source: SourceID
    /// The submission's id (CloudEvents `id`): 1 to 128 printable ASCII characters.
    public let id: String
    public let submission: Submission

    public init(number: Int, source: SourceID, id: String, submission: Submission) {
        self.number = number
        self.source = source
        self.id = id
        self.submission = submission
    }
}

/// A line that cannot be submitted, with the reason, in words for the owner of the file. It contains nothing from the
/// line, so it may be logged.
public struct LineProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// The line's number in its file, from 1.
    public let number: Int
    public let reason: String

    public init(number: Int, reason: String) {
        self.number = number
        self.reason = reason
    }

    public var description: String { "line \(number): \(reason)" }
}
