import Basics
import CaseStore
import Casework
import PostgreSQL

/// The deferred messages of this transaction's handoffs, and the changes to them. A deferred message came before
/// the state that it needs.
struct DeferredBook {
    private var stored: [ReportID: [DeferredMessage]] = [:]
    private var new: [DeferredMessage] = []
    /// Stored messages that were settled.
    private var released: Set<InboxKey> = []
    /// Messages that this transaction deferred and settled.
    private var releasedUnwritten: Set<InboxKey> = []
    /// New values of `isRipe` of stored messages: whether they may be tried again.
    private var marks: [InboxKey: Bool] = [:]
    /// The number and bytes of deferred messages of each sender of an act, including this transaction's.
    private var amounts: [String: (count: Int, bytes: Int)] = [:]
    /// The sealed bytes of stored messages that may be tried in this transaction.
    private var boxes: [InboxKey: SealedBox] = [:]

    // MARK: Loading

    mutating func load(_ messages: [DeferredMessage], amounts: [(sender: String, count: Int, bytes: Int)]) {
        stored = Dictionary(grouping: messages, by: \.reportID)
        for row in amounts { self.amounts[row.sender] = (row.count, row.bytes) }
    }

    mutating func load(boxes: [(key: InboxKey, box: SealedBox)]) {
        for row in boxes { self.boxes[row.key] = row.box }
    }

    // MARK: Reading

    /// All stored deferred messages of a report, oldest first.
    func stored(of report: ReportID) -> [DeferredMessage] { stored[report] ?? [] }

    func waiting(for handoff: HandoffID, in report: ReportID) -> [DeferredMessage] {
        ((stored[report] ?? []) + new).filter { $0.handoffID == handoff && isWaiting($0) }
    }

    func isWaiting(_ message: DeferredMessage) -> Bool {
        !released.contains(message.key) && !releasedUnwritten.contains(message.key)
    }

    func isRipe(_ message: DeferredMessage) -> Bool { marks[message.key] ?? message.isRipe }

    func amount(of sender: String) -> (count: Int, bytes: Int) { amounts[sender] ?? (0, 0) }

    /// `nil` if its bytes were not loaded.
    func box(of message: DeferredMessage) -> SealedBox? { message.box ?? boxes[message.key] }

    // MARK: Changing

    mutating func add(_ message: DeferredMessage) {
        let before = amount(of: message.key.sender)
        amounts[message.key.sender] = (before.count + 1, before.bytes + message.bytes)
        new.append(message)
    }

    mutating func mark(_ message: DeferredMessage, ripe: Bool) {
        if let index = new.firstIndex(where: { $0.key == message.key }) {
            new[index].isRipe = ripe
        } else if message.isRipe != ripe || marks[message.key] != nil {
            marks[message.key] = ripe
        }
    }

    mutating func release(_ message: DeferredMessage) {
        if let index = new.firstIndex(where: { $0.key == message.key }) {
            new.remove(at: index)
            releasedUnwritten.insert(message.key)
        } else {
            released.insert(message.key)
            marks[message.key] = nil
        }
    }

    // MARK: Writing

    var commands: [any Command] {
        var commands: [any Command] = []
        if !new.isEmpty { commands.append(InsertDeferredMessages(messages: new)) }
        if !marks.isEmpty { commands.append(MarkDeferredMessages(marks)) }
        if !released.isEmpty { commands.append(DeleteDeferredMessages(keys: released.sorted())) }
        return commands
    }
}
