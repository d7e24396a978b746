public import Basics

/// A message between the office's workers: ids and sizes, never content.
public enum InternalNote: Sendable {
    case reportRegistered(InternalReference)
    case handoffCameBack(InternalReference)
}

/// The data of the office's own messages: ids and sizes only, never content (invariant 6).
public struct InternalReference: Codable, Hashable, Sendable {
    public var report: ReportID
    public var handoff: HandoffID?
    /// An upper limit for the bytes of a report's content when handed on, known before it is loaded.
    public var bytes: Int?

    public init(report: ReportID, handoff: HandoffID? = nil, bytes: Int? = nil) {
        self.report = report
        self.handoff = handoff
        self.bytes = bytes
    }
}
