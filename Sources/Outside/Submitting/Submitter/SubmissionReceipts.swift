public import AMQP
public import Basics
import BrokerTopology
import Casework
import Contract
import Foundation
import PartyClient
import Synchronization

/// What the office answered to one report.
public struct SubmissionReceipt: Sendable, Hashable {
    public enum Outcome: String, Sendable, Hashable {
        /// In the books, under a number.
        case accepted
        /// It arrived; nothing more is said.
        case received
        /// Not registered, and why.
        case rejected
        /// Kept by the office as a message that it could not handle, or refused.
        case refused
    }

    /// Of the report in its file.
    public let line: Int
    public let source: SourceID
    public let id: String
    public let outcome: Outcome
    /// The office's number, and what became of the report there.
    public let number: String?
    public let state: String?
    /// Who is competent, where the office is not.
    public let authority: String?
    /// Code, place and words, as the office sent them.
    public let problems: [String]
}

/// Reads the answers to the reports of one submission in its sources' notice queues, each source on a thread of its
/// own.
///
/// Only answers to what was sent here, and that came after it was begun, are acknowledged. Other notices in the same
/// queue are held until the end and then given back to the broker, in their places, for whoever reads them.
public final class SubmissionReceipts: Sendable {
    /// How many notices that are not its own a reader holds before it gives up: somebody should read them.
    static let foreignMax = 20_000
    /// How long a queue is quiet before what lay in it counts as read.
    private static let quietSeconds = 0.3
    private static let startSeconds = 10.0

    private struct State {
        /// Lines that wait for an answer, by sender and id.
        var waiting: [ActKey: Int] = [:]
        var answered: [SubmissionReceipt] = []
        /// Sources whose queues were seen to be quiet.
        var quiet: Set<SourceID> = []
        /// Sources whose first report may be sent: what their queues gave before answers none of this submission.
        var started: Set<SourceID> = []
        var trouble: String?
        var lastAt = Wall.now
    }

    private let state = Mutex(State())
    private let stopSignal = StopSignal()
    private let begun = Mutex<[SourceID: WorkThread]>([:])
    private let broker: AMQP.ConnectionSettings

    /// - Parameter broker: host, port and virtual host; user and password are each source's own.
    public init(broker: AMQP.ConnectionSettings) { self.broker = broker }

    /// Begins to read a source's queue, and waits a while until what lay in it before is passed. Does nothing the
    /// second time.
    package func begin(_ source: SourceID, password: String) {
        let isNew = begun.withLock { threads in
            guard threads[source] == nil else { return false }
            threads[source] = WorkThread(named: "receipts \(source)") { [self] in read(source, password) }
            return true
        }
        guard isNew else { return }
        let end = Wall.now + Int64(Self.startSeconds * 1_000_000)
        while Wall.now < end, state.withLock({ !$0.quiet.contains(source) && $0.trouble == nil }) {
            Wall.pause(seconds: 0.02)
        }
        state.withLock { _ = $0.started.insert(source) }
    }

    func expect(_ act: ActKey, line: Int) {
        state.withLock {
            $0.waiting[act] = line
            $0.lastAt = Wall.now
        }
    }

    /// What never went out is not answered.
    func forget(_ act: ActKey) { state.withLock { _ = $0.waiting.removeValue(forKey: act) } }

    /// Answers that came since the last call, in their order.
    public func take() -> [SubmissionReceipt] {
        state.withLock { state in
            defer { state.answered = [] }
            return state.answered
        }
    }

    /// Lines still without an answer, and why no more is read, where that is so.
    public var open: (lines: [Int], trouble: String?) { state.withLock { ($0.waiting.values.sorted(), $0.trouble) } }

    /// Seconds since the last answer or the last report.
    public var quietFor: Double { state.withLock { Double(Wall.now - $0.lastAt) / 1_000_000 } }

    /// Gives back what is not its own.
    public func stop() {
        stopSignal.stop()
        for thread in begun.withLock({ Array($0.values) }) { thread.join() }
    }

    // MARK: One source

    private func read(_ source: SourceID, _ password: String) {
        var settings = broker
        (settings.user, settings.password) = (Party.source(source).description, password)
        settings.connectionName = "receipts \(settings.user)"
        var backoff = Backoff(initialSeconds: 0.2, maximumSeconds: 5)
        while !stopSignal.isStopped {
            do throws(AMQPError) {
                let connection = try AMQP.Connection(settings)
                defer { connection.close() }
                let channel = try connection.openChannel()
                try connection.consume(QueueName(rawValue: Topology.Queue.notice(source)), on: channel)
                backoff.reset()
                try read(source, on: connection)
                return
            } catch {
                if error.code == .authenticationFailed || [403, 404].contains(error.replyCode) {
                    return fail("the broker does not let \(settings.user) read its notices")
                }
                Wall.pause(seconds: backoff.next())
            }
        }
    }

    private func read(_ source: SourceID, on connection: AMQP.Connection) throws(AMQPError) {
        var foreign = 0
        while !stopSignal.isStopped {
            guard let event = try connection.nextEvent(within: Self.quietSeconds) else {
                state.withLock { _ = $0.quiet.insert(source) }
                continue
            }
            guard case .delivery(let delivery) = event else {
                if case .channelClosed(_, let error) = event { throw error }
                continue
            }
            if take(delivery, from: source) {
                try connection.acknowledge(upTo: delivery.deliveryTag, multiple: false, on: delivery.channel)
                continue
            }
            foreign += 1
            if foreign > Self.foreignMax {
                return fail(
                    """
                    more than \(Self.foreignMax) notices that nobody read lie in \
                    \(Topology.Queue.notice(source)): read them first
                    """
                )
            }
        }
    }

    private func fail(_ trouble: String) { state.withLock { $0.trouble = $0.trouble ?? trouble } }

    /// Whether it answers a report of this submission.
    private func take(_ delivery: Delivery, from source: SourceID) -> Bool {
        guard let head = try? JSONDecoder().decode(Answer.self, from: Data(delivery.body)), let id = head.inreplyto
        else { return false }
        return state.withLock { state in
            let act = ActKey(party: Party.source(source).description, id: id)
            guard state.started.contains(source), let line = state.waiting.removeValue(forKey: act) else {
                return false
            }
            state.lastAt = Wall.now
            state.answered.append(head.receipt(line: line, source: source, id: id))
            return true
        }
    }
}

/// What of an answer tells about the report; all types of answers share it.
private struct Answer: Decodable {
    struct Content: Decodable {
        let number, state, authority: String?
        let problems: [Problem]?
    }

    let type: String
    let inreplyto: String?
    let data: Content

    func receipt(line: Int, source: SourceID, id: String) -> SubmissionReceipt {
        let outcome: SubmissionReceipt.Outcome =
            switch MessageType(rawValue: type) {
            case .reportAccepted: .accepted
            case .reportReceived: .received
            case .reportRejected: .rejected
            default: .refused
            }
        return SubmissionReceipt(
            line: line, source: source, id: id, outcome: outcome, number: data.number, state: data.state,
            authority: data.authority, problems: (data.problems ?? []).map { "\($0.code): \($0)" })
    }
}
