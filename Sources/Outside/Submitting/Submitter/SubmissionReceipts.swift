public import AMQP
public import Basics
import BrokerTopology
import Casework
import Contract
import Foundation
import PartyClient
import Synchronization

/// The office's answer to one report.
public struct SubmissionReceipt: Sendable, Hashable {
    public enum Outcome: String, Sendable, Hashable {
        /// Registered, under a number.
        case accepted
        /// Received; the answer contains nothing more.
        case received
        /// Not registered, with the reason.
        case rejected
        /// Refused, or kept by the office as a message that it could not handle.
        case refused
    }

    /// The line of the report in its file.
    public let line: Int
    public let source: SourceID
    public let id: String
    public let outcome: Outcome
    /// The office's number and the state of the report there.
    public let number: String?
    public let state: String?
    /// The competent authority, if the office is not competent.
    public let authority: String?
    /// Code, place and text of each problem, as the office sent them.
    public let problems: [String]
}

/// Reads the answers to the reports of one submission from the notice queues of its sources, one thread per source.
///
/// An answer is acknowledged only if it belongs to a report of this submission and came after its start. Other
/// notices in the same queue stay unacknowledged until the end; the broker then requeues them at their positions for
/// other readers.
public final class SubmissionReceipts: Sendable {
    /// The most foreign notices that a reader leaves unacknowledged before it gives up: they should be read first.
    static let foreignMax = 20_000
    /// How long a queue must be silent before its old messages count as read.
    private static let quietSeconds = 0.3
    private static let startSeconds = 10.0

    private struct State {
        /// Lines that wait for an answer, by sender and id.
        var waiting: [ActKey: Int] = [:]
        var answered: [SubmissionReceipt] = []
        /// Sources whose queues were found silent.
        var quiet: Set<SourceID> = []
        /// Sources whose first report may be sent; notices delivered before then answer no report of this submission.
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

    /// Starts to consume a source's queue, and waits a limited time until its old messages are read. A second call
    /// does nothing.
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

    /// Removes a report that was never sent, so that no answer is expected.
    func forget(_ act: ActKey) { state.withLock { _ = $0.waiting.removeValue(forKey: act) } }

    /// The answers since the last call, in their order.
    public func take() -> [SubmissionReceipt] {
        state.withLock { state in
            defer { state.answered = [] }
            return state.answered
        }
    }

    /// The lines still without an answer, and the reason if reading has stopped.
    public var open: (lines: [Int], trouble: String?) { state.withLock { ($0.waiting.values.sorted(), $0.trouble) } }

    /// Seconds since the last answer or the last report.
    public var quietFor: Double { state.withLock { Double(Wall.now - $0.lastAt) / 1_000_000 } }

    /// Stops the threads; the broker requeues the foreign notices.
    public func stop() {
        stopSignal.stop()
        for thread in begun.withLock({ Array($0.values) }) { thread.join() }
    }

    // MARK: One source

    private func read(_ source: SourceID, _ password: String) {
        var settings = broker.forUser(Party.source(source).description, password: password)
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

    /// Whether the delivery answers a report of this submission; then the answer is stored.
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

/// The fields of an answer that concern the report; all types of answers share them.
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
