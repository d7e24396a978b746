import TestOffice
import AMQP
import Casework
import Contract
import Foundation
import Testing
@testable import Basics
@testable import BrokerTopology
@testable import PartyClient
@testable import Submitting

@Suite("The submitter")
struct SubmitterTests {
    @Test("the same report is always sent as the same bytes")
    func writesSameBytes() {
        for report in SubmitterOffice.reports(20) {
            let first = Submitter.posting(report)
            #expect(first.body == Submitter.posting(report).body)
            #expect(first.subject == report.id)
            #expect(first.key.rawValue == "source.\(report.source).report.submitted")
        }
    }

    @Test("a report that is not sent is reported with its line and reason")
    func namesWhatItDoesNotSend() throws {
        var submitter = Submitter(
            broker: ConnectionSettings(host: "127.0.0.1", port: 1, user: "", password: ""),
            passwords: SubmitterOffice.sourcePasswords)
        submitter.messageBytesMax = 100
        submitter.passwords[SourceID(unchecked: "web")] = nil
        let reports = SubmitterOffice.reports(50)
        let summary = try submitter.submit(reports: reports)
        #expect(summary.confirmed == 0)
        #expect(summary.problems.map(\.number) == Array(1...50))
        let fromWeb = reports.filter { $0.source.rawValue == "web" }.map(\.number)
        #expect(
            summary.problems.filter { $0.reason == "no password and no certificate is known for source web" }.map(
                \.number) == fromWeb)
        #expect(summary.problems.contains { $0.reason.contains("messageBytesMax") })
    }

    @Test("without a broker the submitter gives up with a clear message")
    func givesUpWithoutBroker() throws {
        var submitter = Submitter(
            broker: ConnectionSettings(host: "127.0.0.1", port: 1, user: "", password: ""),
            passwords: SubmitterOffice.sourcePasswords)
        submitter.patienceSeconds = 0.2
        let error = #expect(throws: PartyClientError.self) { try submitter.submit(reports: SubmitterOffice.reports(1)) }
        #expect(error?.code == .brokerAway)
    }
}

@Suite("The submitter, on a broker", .serialized, .enabled(if: SubmitterOffice.isThere, SubmitterOffice.absent))
struct SubmitterBrokerTests {
    @Test("each report is confirmed and journalled, and arrives under its source's name")
    func confirmsAndJournalsReports() throws {
        try SubmitterOffice.purge(SubmitterOffice.submitQueues)
        try SubmitterOffice.withFolder { folder in
            let file = folder.appendingPathComponent("submitter.jsonl")
            let submitter = Submitter(
                broker: try SubmitterOffice.settings(), passwords: SubmitterOffice.sourcePasswords,
                journal: try Journal(file: file))
            let reports = SubmitterOffice.reports(1500)
            var last: SubmitProgress?
            let summary = try submitter.submit(reports: reports) { last = $0 }
            #expect(summary.confirmed == 1500)
            #expect(summary.problems == [])
            #expect(last == SubmitProgress(read: 1500, confirmed: 1500, problems: 0))

            let entries = try JournalReader(file: file).entries()
            #expect(Set(entries.map(\.id)) == Set(reports.map(\.id)))
            #expect(entries.count == 1500)
            let digests = Dictionary(uniqueKeysWithValues: entries.map { ($0.id, $0.digest) })
            for delivery in try SubmitterOffice.take(1500, from: SubmitterOffice.submitQueues) {
                let message = try Message(reading: delivery.body, typeHint: delivery.properties.type)
                let sender = delivery.properties.userID.flatMap { Party($0) }
                #expect(
                    Admission.problem(sender: sender, routingKey: delivery.routingKey, envelope: message.envelope)
                        == nil)
                #expect(delivery.properties.deliveryMode == .persistent)
                #expect(digests[message.envelope.id] == Arrival(delivery, for: .office(.intake)).entry.digest)
            }
        }
    }

    @Test("the submitter keeps to a rate")
    func keepsRate() throws {
        try SubmitterOffice.purge(SubmitterOffice.submitQueues)
        let submitter = Submitter(
            broker: try SubmitterOffice.settings(), passwords: SubmitterOffice.sourcePasswords, reportsPerSecond: 200)
        let summary = try submitter.submit(reports: SubmitterOffice.reports(100))
        #expect(summary.confirmed == 100)
        #expect(summary.seconds >= 0.49)
        try SubmitterOffice.purge(SubmitterOffice.submitQueues)
    }

    @Test("a wrong password is reported at once")
    func reportsWrongPassword() throws {
        let reports = SubmitterOffice.reports(1)
        let submitter = Submitter(broker: try SubmitterOffice.settings(), passwords: [reports[0].source: "wrong"])
        let error = #expect(throws: PartyClientError.self) { try submitter.submit(reports: reports) }
        #expect(error?.code == .brokerRefused)
    }

    @Test("a message that a lost connection left unconfirmed is sent again with the same bytes and a new message id")
    func resendsAfterLostConnection() throws {
        try SubmitterOffice.purge(SubmitterOffice.submitQueues)
        var settings = try SubmitterOffice.settings()
        let report = SubmitterOffice.reports(1)[0]
        settings.user = "source.\(report.source)"
        settings.password = SubmitterOffice.password
        let outgoing = Outgoing()
        outgoing.post(Submitter.posting(report))

        let first = try Connection(settings)
        try outgoing.attach(to: first)
        try outgoing.push()
        #expect(outgoing.hasInFlight)
        first.close()
        outgoing.detach()

        let second = try Connection(settings)
        defer { second.close() }
        try outgoing.attach(to: second)
        try outgoing.push()
        #expect(try outgoing.collect(within: 10).map(\.id) == [report.id])
        #expect(outgoing.count == 0)

        let arrived = try SubmitterOffice.take(2, from: SubmitterOffice.submitQueues)
        #expect(arrived[0].body == arrived[1].body)
        #expect(arrived[0].properties.messageID != arrived[1].properties.messageID)
    }

    @Test("a source's receipts are journalled before they are acknowledged")
    func journalsReceiptsBeforeAcknowledging() throws {
        let queue = Topology.Queue.notice(SourceID(unchecked: "web"))
        try SubmitterOffice.purge([queue])
        try SubmitterOffice.withFolder { folder in
            let office = try Connection(SubmitterOffice.settings())
            defer { office.close() }
            let channel = try office.openChannel()
            for number in 1...20 {
                let event = CloudEvent(
                    id: "answer-\(number)", source: .office(.intake), type: .reportReceived, subject: "r-\(number)",
                    time: Instant(microsecondsSinceEpoch: 0), inreplyto: "r-\(number)", data: Nothing())
                try office.publish(
                    Wire.encode(event), to: ExchangeName(rawValue: Topology.Exchange.notice),
                    key: RoutingKey(rawValue: queue), properties: Properties(type: event.type.rawValue), on: channel)
            }
            let reader = try ReceiptReader(
                broker: SubmitterOffice.settings(), passwords: [SourceID(unchecked: "web"): SubmitterOffice.password],
                journals: folder)
            try eventually { reader.count == 20 }
            try reader.stop()
            let entries = try JournalReader(file: JournalFolder.file(of: "source.web", in: folder)).entries()
            #expect(entries.map(\.inreplyto) == (1...20).map { "r-\($0)" })
            #expect(entries.allSatisfy { $0.fact == .delivered })
            try eventually {
                try office.declareQueue(QueueName(rawValue: queue), passive: true, on: channel).messageCount == 0
            }
        }
    }
}
