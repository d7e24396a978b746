import TestOffice
import AMQP
import Casework
import Contract
import Foundation
import Synchronization
import Testing
@testable import Basics
@testable import BrokerTopology
@testable import PartyClient
@testable import Submitting

@Suite(
    "Answers to a submission, on a broker", .serialized, .enabled(if: SubmitterOffice.isThere, SubmitterOffice.absent))
struct SubmissionReceiptsTests {
    private static let web = SourceID(unchecked: "web")
    private static let queue = Topology.Queue.notice(web)

    private static func answer<Payload: Codable & Sendable>(
        _ type: MessageType, to id: String, _ data: Payload
    ) -> [UInt8] {
        Wire.encode(
            CloudEvent(
                id: "answer-\(id)", source: .office(.intake), type: type, subject: id,
                time: Instant(microsecondsSinceEpoch: 0), inreplyto: id, data: data))
    }

    /// Stands for the office: puts notices into the source's queue.
    private static func notify(_ bodies: [[UInt8]]) throws {
        let office = try Connection(SubmitterOffice.settings())
        defer { office.close() }
        let publisher = try Publisher(on: office)
        for (token, body) in bodies.enumerated() {
            _ = try publisher.publish(
                body, to: ExchangeName(rawValue: Topology.Exchange.notice), key: RoutingKey(rawValue: queue),
                properties: Properties(), token: Int64(token), deadline: 5)
        }
        #expect(try publisher.settle(within: 10).allSatisfy { $0.outcome == .confirmed })
    }

    private static func reports(_ ids: [String]) -> [ReportLine] {
        ids.enumerated().map {
            ReportLine(number: $0 + 1, source: web, id: $1, submission: Submission(title: "", text: "路灯不亮 \($1)"))
        }
    }

    @Test("each answer is reported by line, and an answer to nothing in this submission stays in the queue")
    func reportsAnswersByLine() throws {
        try SubmitterOffice.purge([Self.queue] + SubmitterOffice.submitQueues)
        let run = UUID().uuidString.prefix(8)
        let ids = (1...5).map { "\(run)-\($0)" }
        // An old answer under an id of this file, and somebody else's: neither is of this submission.
        let foreign = [
            Self.answer(.reportAccepted, to: ids[0], ReportAccepted(number: "2025-00000001", state: .registered)),
            Self.answer(.reportReceived, to: "other", Nothing()), Array("no JSON".utf8),
        ]
        try Self.notify(foreign)

        var submitter = Submitter(broker: try SubmitterOffice.settings(), passwords: SubmitterOffice.sourcePasswords)
        let receipts = SubmissionReceipts(broker: try SubmitterOffice.settings())
        submitter.receipts = receipts
        let summary = try submitter.submit(reports: Self.reports(ids))
        #expect(summary.confirmed == 5 && receipts.open.lines == [1, 2, 3, 4, 5])
        try Self.notify([
            Self.answer(.reportAccepted, to: ids[0], ReportAccepted(number: "2026-00000007", state: .registered)),
            Self.answer(
                .reportAccepted, to: ids[1],
                ReportAccepted(number: "2026-00000008", state: .notAccepted, authority: "court")),
            Self.answer(.reportReceived, to: "another", Nothing()),
            Self.answer(
                .reportRejected, to: ids[2],
                ReportRejected(problems: [Problem(code: "unknown_unit", path: "data.accused[0].unit", text: "no unit")])
            ),
            Self.answer(.reportReceived, to: ids[3], Nothing()),
        ])
        var received: [Int: SubmissionReceipt] = [:]
        try eventually {
            for receipt in receipts.take() { received[receipt.line] = receipt }
            return received.count == 4
        }
        #expect(received[1]?.outcome == .accepted && received[1]?.number == "2026-00000007")
        #expect(received[2]?.state == "not_accepted" && received[2]?.authority == "court")
        #expect(
            received[3]?.outcome == .rejected
                && received[3]?.problems == ["unknown_unit: data.accused[0].unit: no unit"])
        #expect(received[4]?.outcome == .received)
        #expect(receipts.open.lines == [5] && receipts.open.trouble == nil)
        receipts.stop()

        let left = try SubmitterOffice.take(4, from: Self.queue)
        #expect(left.map(\.body) == foreign + [Self.answer(.reportReceived, to: "another", Nothing())])
        try SubmitterOffice.purge(SubmitterOffice.submitQueues)
    }

    @Test("two equal reports under one id are sent once, and two different ones are a problem that names both")
    func sendsEqualReportsOnce() throws {
        try SubmitterOffice.purge(SubmitterOffice.submitQueues)
        var submitter = Submitter(broker: try SubmitterOffice.settings(), passwords: SubmitterOffice.sourcePasswords)
        submitter.looksForRepeats = true
        let run = UUID().uuidString
        var reports = Self.reports([run + "a", run + "b", run + "a", run + "b"])
        reports[3] = ReportLine(
            number: 4, source: Self.web, id: reports[1].id, submission: Submission(title: "", text: "另一件事"))
        let summary = try submitter.submit(reports: reports)
        #expect(summary.confirmed == 2 && summary.identical == 1)
        #expect(
            summary.problems == [
                LineProblem(
                    number: 4,
                    reason: "has the id of line 2, which says something else: give each report an id of its own")
            ])
        try SubmitterOffice.purge(SubmitterOffice.submitQueues)
    }

    @Test("without a broker it gives the reason for its wait once, and gives up in time")
    func givesUpWithoutBroker() throws {
        var submitter = Submitter(
            broker: ConnectionSettings(host: "127.0.0.1", port: 1, user: "", password: ""),
            passwords: SubmitterOffice.sourcePasswords)
        let said = Mutex<[String]>([])
        submitter.patienceSeconds = 1
        submitter.onWaiting = { text in said.withLock { $0.append(text) } }
        submitter.receipts = SubmissionReceipts(broker: submitter.broker)
        let error = #expect(throws: PartyClientError.self) { try submitter.submit(reports: Self.reports(["a"])) }
        #expect(error?.code == .brokerAway)
        let texts = said.withLock { $0 }
        #expect(texts.count == 1 && texts[0].hasPrefix("no broker at 127.0.0.1:1"), "\(texts)")
    }
}
