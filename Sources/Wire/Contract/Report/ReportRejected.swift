extension MessageType {
    public static let reportRejected = MessageType("bihuan.report.rejected.v1")
}

/// The data of `report.rejected`: nothing was registered, with the reasons.
public struct ReportRejected: Codable, Hashable, Sendable {
    public var problems: [Problem]
    public init(problems: [Problem]) { self.problems = problems }
}

extension MessageDefinition {
    static let reportRejected = MessageDefinition(
        .reportRejected, from: .intake, about: .submission, sentTo: [.sourceNotice],
        example: ReportRejected(problems: Example.problems))
}
