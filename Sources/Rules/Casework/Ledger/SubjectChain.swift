public import Basics

/// The chain of a subject that is no report: a unit's or the office's, loaded under the lock of its row. What is
/// entered is remembered, so that it can be written in bulk afterwards.
public struct SubjectChain: Sendable {
    public let subject: LedgerSubject
    /// What its entries stand under.
    public let id: ReportID
    public private(set) var head: LedgerHead
    /// The head when it was loaded, for the compare-and-set.
    public let loadedHead: LedgerHead
    public private(set) var newEntries: [LedgerEntry] = []

    public init(loaded subject: LedgerSubject, id: ReportID, head: LedgerHead) {
        self.subject = subject
        self.id = id
        self.head = head
        loadedHead = head
    }

    /// - Parameter actor: whose act it is: `office.routing`, `person.li`.
    public mutating func record(_ event: LedgerEvent, at instant: Instant, by actor: String) {
        newEntries.append(head.append(LedgerRecord(event, at: instant, by: actor)))
    }
}
