public import Basics

/// What the office's workers tell each other: ids and sizes, never content.
public enum InternalNote: Sendable {
    case reportRegistered(InternalReference)
    case handoffCameBack(InternalReference)
}

/// The data of the office's own messages: ids and sizes only, never content (invariant 6).
public struct InternalReference: Codable, Hashable, Sendable {
    public var report: ReportID
    public var handoff: HandoffID?
    /// Of a report's contents as they would be handed on, at most: whoever loads them knows beforehand.
    public var bytes: Int?

    public init(report: ReportID, handoff: HandoffID? = nil, bytes: Int? = nil) {
        self.report = report
        self.handoff = handoff
        self.bytes = bytes
    }
}
