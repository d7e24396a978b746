import AMQP
import CaseStore
import Casework
import Contract
import Foundation
import TestOffice
import Testing

@testable import Workers

@Suite(
    "The memory of a worker",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct MemoryTests {
    /// Several batches, each as full as the budget of bytes lets it be: more of them need no more memory, only more
    /// time.
    static let count = 60

    /// A report near the limit of a text, with a reporter whose name is masked.
    private func report(_ number: Int) -> Submission {
        var report = Submission.new(reporters: [Reporter(name: "王文山", phone: "13800001111")])
        report.text += String(repeating: "举报人王文山称镇里的危房改造资金被虚报冒领\(number)，", count: 3_000)
        report.text = String(report.text.prefix(64_500))
        return report
    }

    private func expectFew(_ process: WorkerProcess, _ worker: Worker) throws {
        let peak = try process.peakBytes()
        #expect(peak <= 64 << 20, "\(worker): \(peak >> 20) MiB")
    }

    @Test("a worker of any kind stays within 64 MiB while reports and acts of 195 KB wait")
    func staysWithinMemoryUnderLargeTexts() throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        for number in 1...Self.count { try source.submit(report(number)) }
        let intake = try WorkerProcess(.intake, of: office)
        defer { intake.kill() }
        try office.wait(for: ["\(Self.count)"], "SELECT count(*) FROM report", within: 120)
        try expectFew(intake, .intake)
        let routing = try WorkerProcess(.routing, of: office)
        defer { routing.kill() }
        try office.wait(for: ["\(Self.count)"], "SELECT count(*) FROM handoff WHERE state = 'dispatched'", within: 60)
        try expectFew(routing, .routing)

        let city = try office.unit("c01")
        let arrived = try (1...4).map { _ in try city.receiveHandoff() }
        for one in arrived { try city.sign(one) }
        let text = report(0).text
        for number in 0..<Self.count {
            try city.send(.handoffProgress, subject: arrived[number % 4].handoff, HandoffProgress(text: text))
        }
        let feedback = try WorkerProcess(.feedback, of: office)
        defer { feedback.kill() }
        try office.wait(for: ["\(Self.count)"], "SELECT count(*) FROM handoff_note", within: 60)
        try expectFew(feedback, .feedback)

        try office.change("UPDATE clock SET next_at = '2026-03-01' WHERE next_at IS NOT NULL")
        let deadlines = try WorkerProcess(.deadlines, of: office)
        defer { deadlines.kill() }
        try office.wait(for: ["0"], "SELECT count(*) FROM clock WHERE next_at = '2026-03-01'", within: 60)
        try expectFew(deadlines, .deadlines)
        for process in [intake, routing, feedback, deadlines] { process.kill() }
        try office.close()
    }

    @Test("400 messages with 14,000 header fields each are answered within the same memory")
    func staysWithinMemoryUnderManyHeaders() throws {
        let office = try OfficeUnderTest()
        let source = try office.source()
        let act = source.prepare(.reportSubmitted, id: "a", subject: "a", Submission.new())
        var properties = source.properties(act.type, act.subject)
        properties.headers = FieldTable(uniqueKeysWithValues: (0..<14_000).map { ("k\($0)", .bool(true)) })
        for _ in 1...400 { try source.publish(act.body, to: source.exchange, key: act.key, properties: properties) }
        let intake = try WorkerProcess(.intake, of: office)
        defer { intake.kill() }
        for _ in 1...400 { #expect(try source.receive(within: 60).type == MessageType.reportAccepted.rawValue) }
        try expectFew(intake, .intake)
        intake.kill()
        try office.close()
    }
}
