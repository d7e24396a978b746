public import AMQP
public import Basics
import BrokerTopology
import Casework
import Contract
import Foundation
public import PartyClient

/// The progress of a submission.
public struct SubmitProgress: Sendable, Hashable {
    /// Reports taken from the sequence so far.
    public var read: Int
    /// The number of them that the broker confirmed.
    public var confirmed: Int
    public var problems: Int
    /// Reports that are also on an earlier line.
    public var identical = 0
}

/// The result of a submission.
public struct SubmitSummary: Sendable, Hashable {
    public var confirmed = 0
    /// Reports that were not submitted, each with its line and reason.
    public var problems: [LineProblem] = []
    /// The number of reports that are also on an earlier line; they are sent once.
    public var identical = 0
    public var seconds = 0.0
}

/// Publishes reports to the office's intake exchange as `report.submitted`, each under its own source, with publisher
/// confirms, many in flight.
///
/// The bytes of a report depend only on the report. Submitting it again (after a lost connection, or by running the
/// same command twice) is therefore the same act to the office and registers nothing twice.
public struct Submitter: Sendable {
    /// Host, port and virtual host; user, password and certificate are each source's own.
    public var broker: AMQP.ConnectionSettings
    public var passwords: [SourceID: String]
    /// Gets an entry for each report once it is confirmed.
    public var journal: Journal?
    /// The most reports per second; `nil`: as fast as the broker accepts them.
    public var reportsPerSecond: Double?
    /// How long the broker may be unreachable before `submit` gives up.
    public var patienceSeconds = 60.0
    public var messageBytesMax = Limits.standard.messageBytesMax
    /// Whether reports with one id are compared: an identical one is counted, a different one is a problem.
    public var looksForRepeats = false
    /// The noun for a report's number, for problems that name another report.
    public var noun = "line"
    /// Is notified of what was sent, and reads the answers.
    public var receipts: SubmissionReceipts?
    /// Called with the reason when nothing progresses: at once, then at most once a minute.
    public var onWaiting: @Sendable (String) -> Void = { _ in }

    public init(
        broker: AMQP.ConnectionSettings, passwords: [SourceID: String], journal: Journal? = nil,
        reportsPerSecond: Double? = nil
    ) {
        self.broker = broker
        self.passwords = passwords
        self.journal = journal
        self.reportsPerSecond = reportsPerSecond
    }

    /// Blocks until every report is confirmed or reported as a problem.
    /// - Throws: an error if nothing more can be submitted: the broker refuses a source's user, or is unreachable or
    ///   confirms nothing for longer than `patienceSeconds`, or the journal cannot be written.
    public func submit(
        reports: some Sequence<ReportLine>, progress: (SubmitProgress) -> Void = { _ in }
    ) throws -> SubmitSummary {
        var run = Run(settings: self)
        defer { run.close() }
        for report in reports {
            try run.pace()
            try run.accept(report)
            try run.advance(progress, untilWaitingAtMost: 512)
        }
        try run.finish(progress)
        return run.summary()
    }

    /// How a source logs in: with its password, or with its certificate, and then the password is empty. `nil` if
    /// neither is here.
    func password(of source: SourceID) -> String? {
        if let password = passwords[source] { return password }
        guard case .external = broker.authentication,
            let key = broker.forUser(Party.source(source).description, password: "").tls?.keyFile
        else { return nil }
        return FileManager.default.isReadableFile(atPath: key) ? "" : nil
    }

    /// The message of a report: always the same bytes for the same report.
    package static func posting(_ report: ReportLine) -> Posting {
        // The office takes the time of receipt from the report itself. The present time here would give a second
        // publish another body, which the office refuses as a reused id.
        let time = report.submission.receivedAt ?? Instant(microsecondsSinceEpoch: 0)
        return Posting(
            CloudEvent(
                id: report.id, source: .source(report.source), type: .reportSubmitted, subject: report.id, time: time,
                data: report.submission),
            to: Topology.Exchange.intake)
    }
}

/// One submission in progress.
private struct Run {
    private let settings: Submitter
    private var senders: [SourceID: SourceSender] = [:]
    /// The line numbers of reports in progress, by sender and id.
    private var lines: [ActKey: Int] = [:]
    private var result = SubmitSummary()
    private var earlier = EarlierReports()
    private var read = 0
    private let startedAt = Wall.now
    private var servedAt = Wall.now

    init(settings: Submitter) { self.settings = settings }

    mutating func accept(_ report: ReportLine) throws {
        read += 1
        guard let password = settings.password(of: report.source) else {
            return refuse(report.number, "no password and no certificate is known for source \(report.source)")
        }
        let posting = Submitter.posting(report)
        guard posting.body.count <= settings.messageBytesMax else {
            return refuse(
                report.number,
                """
                the message has \(posting.body.count) bytes; the limit (messageBytesMax) is \
                \(settings.messageBytesMax)
                """
            )
        }
        if settings.looksForRepeats {
            switch earlier.look(posting, line: report.number) {
            case .new: break
            case .identical:
                result.identical += 1
                return
            case .differs(let line):
                return refuse(
                    report.number,
                    """
                    has the id of \(settings.noun) \(line), which says something else: give each report an id of \
                    its own
                    """
                )
            }
        }
        if senders[report.source] == nil {
            senders[report.source] = SourceSender(report.source, password: password, settings: settings)
            try beginReceipts(of: report.source, password: password)
        }
        settings.receipts?.expect(posting.act, line: report.number)
        lines[posting.act] = report.number
        senders[report.source]?.outgoing.post(posting)
    }

    /// First the connection, whose absence is reported; then the reader of answers; then the first report.
    private func beginReceipts(of source: SourceID, password: String) throws {
        guard let receipts = settings.receipts, let sender = senders[source] else { return }
        while !sender.isConnected {
            _ = try sender.turn(within: 0)
            if !sender.isConnected { Wall.pause(seconds: 0.02) }
        }
        receipts.begin(source, password: password)
    }

    /// Waits until the report may be sent, if a rate is set, and processes confirms meanwhile.
    mutating func pace() throws {
        guard let rate = settings.reportsPerSecond, rate > 0 else { return }
        let due = startedAt + Int64(Double(read) / rate * 1_000_000)
        while Wall.now < due {
            try serve(within: 0)
            Wall.pause(seconds: min(Double(due - Wall.now) / 1_000_000, 0.01))
        }
    }

    mutating func advance(_ progress: (SubmitProgress) -> Void, untilWaitingAtMost limit: Int) throws {
        // With a rate each report is sent at once; without one, in small batches.
        let mustServe = settings.reportsPerSecond != nil || read.isMultiple(of: 64)
        guard mustServe || Wall.now - servedAt > 200_000 else { return }
        try serve(within: 0)
        while senders.values.contains(where: { $0.outgoing.waitingCount > limit }) { try serve(within: 0.02) }
        progress(state)
    }

    mutating func finish(_ progress: (SubmitProgress) -> Void) throws {
        while senders.values.contains(where: { $0.outgoing.count > 0 }) {
            try serve(within: 0.05)
            progress(state)
        }
        for sender in senders.values {
            for (posting, reason) in sender.outgoing.givenUp {
                settings.receipts?.forget(posting.act)
                refuse(lines[posting.act] ?? 0, reason)
            }
        }
        progress(state)
    }

    private var state: SubmitProgress {
        SubmitProgress(
            read: read, confirmed: result.confirmed, problems: result.problems.count, identical: result.identical)
    }

    func summary() -> SubmitSummary {
        var summary = result
        summary.problems.sort { $0.number < $1.number }
        summary.seconds = Double(Wall.now - startedAt) / 1_000_000
        return summary
    }

    func close() { for sender in senders.values { sender.close() } }

    private mutating func serve(within seconds: Double) throws {
        servedAt = Wall.now
        for sender in senders.values {
            let confirmed = try sender.turn(within: sender.outgoing.hasInFlight ? seconds : 0)
            try settings.journal?.append(confirmed.map(\.published))
            result.confirmed += confirmed.count
            for posting in confirmed { lines[posting.act] = nil }
        }
        if seconds > 0, !senders.values.contains(where: \.outgoing.hasInFlight) { Wall.pause(seconds: seconds) }
    }

    private mutating func refuse(_ number: Int, _ reason: String) {
        result.problems.append(LineProblem(number: number, reason: reason))
    }
}

/// One source's connection, opened again when it is lost.
private final class SourceSender {
    let outgoing: Outgoing
    private let settings: AMQP.ConnectionSettings
    private var patience: Patience
    private var connection: AMQP.Connection?
    private var backoff = Backoff(maximumSeconds: 5)
    private var connectAgainAt: Int64 = 0

    init(_ source: SourceID, password: String, settings: Submitter) {
        var broker = settings.broker.forUser(Party.source(source).description, password: password)
        broker.connectionName = broker.connectionName ?? "submit \(broker.user)"
        self.settings = broker
        outgoing = Outgoing(fullSecondsMax: settings.patienceSeconds)
        patience = Patience(seconds: settings.patienceSeconds, tell: settings.onWaiting)
    }

    var isConnected: Bool { connection != nil }

    /// Publishes as many messages as there is room for; returns what was confirmed meanwhile.
    func turn(within seconds: Double) throws -> [Posting] {
        let confirmed = try exchange(within: seconds)
        if !confirmed.isEmpty || outgoing.count == 0 && connection != nil {
            patience.end()
        } else if connection != nil, outgoing.hasInFlight {
            try patience.wait(
                because:
                    "the broker at \(settings.host):\(settings.port) confirms nothing; is it short of memory or disk?",
                quietly: true, nil)
        } else if connection != nil, outgoing.isResting {
            patience.tellOnly(
                "the queue of \(settings.user) at the broker is full: what it does not take is sent again")
        }
        return confirmed
    }

    private func exchange(within seconds: Double) throws -> [Posting] {
        do throws(AMQPError) {
            guard try connected() else { return [] }
            try outgoing.push()
            return try outgoing.collect(within: seconds)
        } catch {
            try lose(error)
            return []
        }
    }

    func close() {
        connection?.close()
        connection = nil
    }

    private func connected() throws(AMQPError) -> Bool {
        if connection != nil { return true }
        guard Wall.now >= connectAgainAt else { return false }
        let made = try AMQP.Connection(settings)
        try outgoing.attach(to: made)
        connection = made
        backoff.reset()
        return true
    }

    private func lose(_ error: AMQPError) throws {
        outgoing.detach()
        connection = nil
        if error.code == .authenticationFailed || [403, 404, 406].contains(error.replyCode) {
            throw PartyClientError(.brokerRefused, "the broker refuses \(settings.user)", cause: error)
        }
        if error.replyCode == 530 {
            throw PartyClientError(
                .brokerRefused,
                """
                the broker has no virtual host \(settings.virtualHost), or does not let \(settings.user) in there, or \
                not with one more connection
                """,
                cause: error)
        }
        try patience.wait(because: "no broker at \(settings.host):\(settings.port)", error)
        connectAgainAt = Wall.now + Int64(backoff.next() * 1_000_000)
    }
}

/// How long to wait for a broker, and what to report meanwhile.
private struct Patience {
    private static let tellingSeconds = 60.0
    /// A shorter wait is not reported.
    private static let quietSeconds = 1.0

    private let seconds: Double
    private let tell: @Sendable (String) -> Void
    private var since: Int64?
    private var toldAt: Int64?

    init(seconds: Double, tell: @escaping @Sendable (String) -> Void) {
        (self.seconds, self.tell) = (seconds, tell)
    }

    mutating func end() { (since, toldAt) = (nil, nil) }

    /// Reports a wait that has a limit of its own.
    mutating func tellOnly(_ reason: String) {
        let now = Wall.now
        let began = since ?? now
        since = began
        guard
            toldAt.map({ Double(now - $0) / 1_000_000 >= Self.tellingSeconds })
                ?? (Double(now - began) / 1_000_000 >= Self.quietSeconds)
        else { return }
        toldAt = now
        tell(reason)
    }

    mutating func wait(because reason: String, quietly: Bool = false, _ cause: AMQPError?) throws {
        let now = Wall.now
        let began = since ?? now
        since = began
        let waited = Double(now - began) / 1_000_000
        if (toldAt.map { Double(now - $0) / 1_000_000 >= Self.tellingSeconds }
            ?? (!quietly || waited >= Self.quietSeconds))
        {
            toldAt = now
            tell(cause.map { "\(reason) (\($0)); trying again" } ?? reason)
        }
        guard waited < seconds else {
            throw PartyClientError(
                .brokerAway, "\(reason.prefix { $0 != ";" }): given up after \(Int(waited)) s", cause: cause)
        }
    }
}
