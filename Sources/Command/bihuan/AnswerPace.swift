import Basics
import BrokerTopology
import Casework
import Contract

/// Holds back what would bring further answers to a sender that does not read those it has: its queue is bounded, and a
/// flood of messages is not to be answered by a flood of refusals.
///
/// Of a sender's queue no more is used than `unreadMax` messages above the least that was seen in it. What is under way
/// counts.
struct AnswerPace {
    static let unreadMax = 100
    /// How long a depth that leaves no room is believed.
    private static let askAgain = Duration.milliseconds(500)

    private struct Sender {
        var leastDepth: Int
        var depth: Int
        var askedAt: ContinuousClock.Instant
        /// Sent since the depth was asked, or not decided then.
        var sent = 0
        var underWay = 0
    }
    private var senders: [String: Sender] = [:]

    /// Whether a letter of this sender may be settled now; if so, it counts.
    /// - Parameter depth: asks how much lies in the sender's queue; nil where it has none.
    mutating func take(_ name: String, at now: ContinuousClock.Instant, depth: (String) throws -> Int?) rethrows -> Bool
    {
        guard let queue = Self.queue(of: name) else { return true }
        var sender: Sender
        if let known = senders[name], Self.hasRoom(known) || now - known.askedAt < Self.askAgain {
            sender = known
        } else {
            guard let depth = try depth(queue) else { return true }
            let known = senders[name]
            sender = Sender(leastDepth: min(known?.leastDepth ?? depth, depth), depth: depth, askedAt: now)
            // Their answers may lie there already, or come yet: counted as coming.
            sender.underWay = known?.underWay ?? 0
            sender.sent = sender.underWay
        }
        defer { senders[name] = sender }
        guard Self.hasRoom(sender) else { return false }
        sender.sent += 1
        sender.underWay += 1
        return true
    }

    /// A verdict came about one of its letters.
    mutating func decided(_ name: String) { senders[name]?.underWay -= 1 }

    /// How much lies in a sender's queue, as last asked.
    func depth(of name: String) -> Int { senders[name]?.depth ?? 0 }

    private static func hasRoom(_ sender: Sender) -> Bool { sender.depth + sender.sent < sender.leastDepth + unreadMax }

    /// Persons read theirs while a command runs; others have none, or are nobody.
    private static func queue(of name: String) -> String? {
        switch Party(name) {
        case .unit(let id)?: Topology.Queue.notice(id)
        case .source(let id)?: Topology.Queue.notice(id)
        default: nil
        }
    }
}
