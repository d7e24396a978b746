import Basics
import BrokerTopology
import Casework
import Contract

/// Limits the answers caused by settling to a sender that does not read its queue, because that queue is bounded and
/// a flood of messages must not cause a flood of refusals.
///
/// The queue may grow by at most `unreadMax` messages above the least depth seen in it. Commands under way count too.
struct AnswerPace {
    static let unreadMax = 100
    /// How long a depth without room is used before it is queried again.
    private static let askAgain = Duration.milliseconds(500)

    private struct Sender {
        var leastDepth: Int
        var depth: Int
        var askedAt: ContinuousClock.Instant
        /// Sent since the last query of the depth, or undecided at that time.
        var sent = 0
        var underWay = 0
    }
    private var senders: [String: Sender] = [:]

    /// True if a dead letter of this sender may be settled now; it then counts.
    /// - Parameter depth: queries the number of messages in the sender's queue; nil if it has none.
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
            // Their answers may already be in the queue or still come; they are counted as still to come.
            sender.underWay = known?.underWay ?? 0
            sender.sent = sender.underWay
        }
        defer { senders[name] = sender }
        guard Self.hasRoom(sender) else { return false }
        sender.sent += 1
        sender.underWay += 1
        return true
    }

    /// Counts a verdict on one of the sender's dead letters.
    mutating func decided(_ name: String) { senders[name]?.underWay -= 1 }

    /// The number of messages in a sender's queue at the last query.
    func depth(of name: String) -> Int { senders[name]?.depth ?? 0 }

    private static func hasRoom(_ sender: Sender) -> Bool { sender.depth + sender.sent < sender.leastDepth + unreadMax }

    /// The queue that is limited; `nil` for persons, who read theirs during a command, and for all others, who have
    /// none.
    private static func queue(of name: String) -> String? {
        switch Party(name) {
        case .unit(let id)?: Topology.Queue.notice(id)
        case .source(let id)?: Topology.Queue.notice(id)
        default: nil
        }
    }
}
