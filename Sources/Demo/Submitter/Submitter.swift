public import AMQP
public import Casework
import Contract
import Foundation

/// How far a submission has come.
public struct SubmitProgress: Sendable, Hashable {
    /// Reports taken from the sequence so far.
    public var read: Int
    /// Of them, those that the broker confirmed.
    public var confirmed: Int
    public var problems: Int
}

/// What became of all reports.
public struct SubmitSummary: Sendable, Hashable {
    public var confirmed = 0
    /// Reports that did not go in, each with its line and reason.
    public var problems: [LineProblem] = []
    public var seconds = 0.0
}

/// Publishes reports to the office's one door as `report.submitted`, each under its own source, confirmed, many in flight.
///
/// A report's bytes depend on nothing but the report, so that submitting it again (after a lost connection, or by running the same
/// command twice) is the same act to the office and registers nothing twice.
public struct Submitter: Sendable {
    /// Host, port and virtual host; user and password are each source's own.
    public var broker: AMQP.ConnectionSettings
    public var passwords: [SourceID: String]
    /// Gets a line for each report once it is confirmed.
    public var journal: Journal?
    /// At most so many reports a second; `nil`: as fast as they are taken.
    public var reportsPerSecond: Double?
    /// How long no broker may answer before `submit` gives up.
    public var patienceSeconds = 60.0
    public var messageBytesMax = Limits.standard.messageBytesMax

    public init(
        broker: AMQP.ConnectionSettings, passwords: [SourceID: String], journal: Journal? = nil, reportsPerSecond: Double? = nil
    ) {
        self.broker = broker
        self.passwords = passwords
        self.journal = journal
        self.reportsPerSecond = reportsPerSecond
    }

    /// Blocks until every report is confirmed or reported as a problem. Throws where nothing more can go in: the broker refuses
    /// a source's user, or is away for longer than `patienceSeconds`, or the journal cannot be written.
    public func submit(
        reports: some Sequence<ReportLine>, progress: (SubmitProgress) -> Void = { _ in }
    ) throws -> SubmitSummary {
        var run = Run(settings: self)
        defer { run.close() }
        for report in reports {
            try run.pace()
            run.accept(report)
            try run.advance(progress, untilWaitingAtMost: 512)
        }
        try run.finish(progress)
        return run.summary()
    }

    /// The message of a report: the same bytes for the same report, for ever.
    static func posting(_ report: ReportLine) -> Posting {
        // The office takes the receipt from the report itself. A clock here would make another body of a second sending, which
        // the office refuses as a reused id.
        let time = report.submission.receivedAt ?? Instant(microsecondsSinceEpoch: 0)
        return Posting(
            CloudEvent(
                id: report.id, source: .source(report.source), type: .reportSubmitted, subject: report.id, time: time,
                data: report.submission),
            to: Topology.Exchange.intake)
    }
}

/// One submission under way.
private struct Run {
    private let settings: Submitter
    private var senders: [SourceID: SourceSender] = [:]
    /// The line numbers of what is under way, by sender and id.
    private var lines: [ActKey: Int] = [:]
    private var result = SubmitSummary()
    private var read = 0
    private let startedAt = Wall.now
    private var servedAt = Wall.now

    init(settings: Submitter) { self.settings = settings }

    mutating func accept(_ report: ReportLine) {
        read += 1
        guard let password = settings.passwords[report.source] else {
            return refuse(report.number, "no password is known for source \(report.source)")
        }
        let posting = Submitter.posting(report)
        guard posting.body.count <= settings.messageBytesMax else {
            return refuse(
                report.number, "the message has \(posting.body.count) bytes; the limit (messageBytesMax) is \(settings.messageBytesMax)")
        }
        if senders[report.source] == nil {
            senders[report.source] = SourceSender(report.source, password: password, settings: settings)
        }
        lines[posting.act] = report.number
        senders[report.source]?.outgoing.post(posting)
    }

    /// Waits for the report's turn, if a rate is set, and takes in confirms meanwhile.
    mutating func pace() throws {
        guard let rate = settings.reportsPerSecond, rate > 0 else { return }
        let due = startedAt + Int64(Double(read) / rate * 1_000_000)
        while Wall.now < due {
            try serve(within: 0)
            Wall.pause(seconds: min(Double(due - Wall.now) / 1_000_000, 0.01))
        }
    }

    mutating func advance(_ progress: (SubmitProgress) -> Void, untilWaitingAtMost limit: Int) throws {
        // With a rate each report goes out at once; without one, in handfuls.
        let mustServe = settings.reportsPerSecond != nil || read.isMultiple(of: 64)
        guard mustServe || Wall.now - servedAt > 200_000 else { return }
        try serve(within: 0)
        while senders.values.contains(where: { $0.outgoing.waitingCount > limit }) { try serve(within: 0.02) }
        progress(SubmitProgress(read: read, confirmed: result.confirmed, problems: result.problems.count))
    }

    mutating func finish(_ progress: (SubmitProgress) -> Void) throws {
        while senders.values.contains(where: { $0.outgoing.count > 0 }) {
            try serve(within: 0.05)
            progress(SubmitProgress(read: read, confirmed: result.confirmed, problems: result.problems.count))
        }
        for sender in senders.values {
            for (posting, reason) in sender.outgoing.givenUp { refuse(lines[posting.act] ?? 0, reason) }
        }
        progress(SubmitProgress(read: read, confirmed: result.confirmed, problems: result.problems.count))
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

/// One source's connection, made anew when it is lost.
private final class SourceSender {
    let outgoing = Outgoing()
    private let settings: AMQP.ConnectionSettings
    private let patienceSeconds: Double
    private var connection: AMQP.Connection?
    private var backoff = Backoff()
    private var awaySince: Int64?
    private var connectAgainAt: Int64 = 0

    init(_ source: SourceID, password: String, settings: Submitter) {
        var broker = settings.broker
        broker.user = Party.source(source).description
        broker.password = password
        broker.connectionName = broker.connectionName ?? "submit \(broker.user)"
        self.settings = broker
        patienceSeconds = settings.patienceSeconds
    }

    /// Sends what there is room for; returns what was confirmed meanwhile.
    func turn(within seconds: Double) throws -> [Posting] {
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
        awaySince = nil
        return true
    }

    private func lose(_ error: AMQPError) throws {
        outgoing.detach()
        connection = nil
        if error.code == .authenticationFailed || [403, 404, 406].contains(error.replyCode) {
            throw DemoError(.brokerRefused, "the broker refuses \(settings.user)", cause: error)
        }
        let now = Wall.now
        awaySince = awaySince ?? now
        guard Double(now - (awaySince ?? now)) / 1_000_000 < patienceSeconds else {
            throw DemoError(.brokerAway, "no broker for \(Int(patienceSeconds)) s", cause: error)
        }
        connectAgainAt = now + Int64(backoff.next() * 1_000_000)
    }
}

extension ReportLine {
    /// A report of the corpus as if it were read from a file, under the number of its line.
    public init(_ sample: SampleReport, number: Int) {
        self.init(number: number, source: sample.source, id: sample.id, submission: sample.submission)
    }
}
