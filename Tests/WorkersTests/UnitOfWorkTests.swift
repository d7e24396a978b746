import Basics
import CaseStore
import Casework
import Contract
import Testing

@testable import Workers

@Suite("The unit of work")
struct UnitOfWorkTests {
    @Test("only intake makes a report: any other worker fails", arguments: Worker.allCases)
    func onlyIntakeRegisters(worker: Worker) throws {
        let now = Instant(microsecondsSinceEpoch: 1_772_438_400_000_000)
        let report = Report(
            id: .make(at: now), number: 1, source: SourceID(unchecked: "letter"), submissionID: "s-1", digest: [1],
            state: .registered, sourceKind: "letter", matterKind: nil, region: nil, realName: false, receivedAt: now,
            registeredAt: now, verdict: .registered, rule: "r", reason: nil, authority: nil, repeatOf: nil,
            receiptOnly: false, handoffCount: 0, head: .genesis)
        var cases = Cases()
        do {
            try cases.register(
                .init(report: report, barredRoots: [], content: nil, original: nil, attachments: []), by: worker)
        } catch {
            #expect(error is NotIntake)
        }
        #expect(cases.writes.newReports.map(\.report.id) == (worker == .intake ? [report.id] : []))
    }

    @Test("an act is taken only if that is said; it writes nothing, and no other settlement gives way to it")
    func takesOnlyWhatIsSaid() {
        var answers = Answers()
        let acts = ["a", "b", "c"].map { InboxKey(sender: "unit.c01", eventID: $0) }
        answers.take(acts[0])
        answers.refuse(acts[1], because: [.wrongWorker], reply: nil)
        answers.take(acts[1])
        #expect(acts.map { answers.verdict(of: $0) } == [.taken, .refused, nil])
        #expect(Array(answers.settlements.keys) == [acts[1]])
    }
}
