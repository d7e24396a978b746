import Basics
import Testing

@testable import Casework

@Suite("The case file")
struct CaseFileTests {
    static let now = Instant(microsecondsSinceEpoch: 1_772_438_400_000_000)

    static func report(id: ReportID? = nil, state: ReportState = .registered, head: LedgerHead = .genesis) -> Report {
        Report(
            id: id ?? .make(at: now), number: Report.number(year: 2026, serial: 123),
            source: SourceID(unchecked: "letter"), submissionID: "s-1", digest: [1], state: state, sourceKind: "letter",
            matterKind: "accusation", region: "p", realName: false, receivedAt: now, registeredAt: now,
            verdict: .registered, rule: "test@1/row", reason: nil, authority: nil, repeatOf: nil, receiptOnly: false,
            handoffCount: 0, head: head)
    }

    static func file(barred: Set<String>) -> CaseFile {
        CaseFile(new: report(), barred: Set(barred.map { UnitID(unchecked: $0) }))
    }

    static func handoff(
        of report: ReportID, attempt: Int = 1, kind: String = "transfer", state: HandoffState = .released
    ) -> Handoff {
        Handoff(
            id: .make(at: now), reportID: report, attempt: attempt, unit: UnitID(unchecked: "d1"), kind: kind,
            state: state, express: false, rule: "test@1/row", digest: [3])
    }

    @Test(
        "a number is the year and eight digits, and a sealed one begins with S",
        arguments: [
            (123, false, "2026-00000123"), (0, false, "2026-00000000"), (99_999_999, false, "2026-99999999"),
            (7, true, "S2026-00000007"),
        ])
    func formatsReportNumbers(serial: Int64, sealed: Bool, text: String) {
        #expect(Report.display(Report.number(year: 2026, serial: serial), sealed: sealed) == text)
    }

    @Test("a file that was loaded and not changed has nothing to write")
    func writesNothingWhenUnchanged() {
        let report = Self.report()
        let file = CaseFile(loaded: report, barred: [], handoffs: [Self.handoff(of: report.id)], clocks: [])
        #expect(!file.isNew && !file.reportChanged)
        #expect(
            file.newHandoffs.isEmpty && file.changedHandoffs.isEmpty && file.clocks.new.isEmpty
                && file.clocks.changed.isEmpty)
        #expect(file.newEntries.isEmpty)
    }

    @Test("entries continue from the loaded head, which is kept for the compare-and-set")
    func continuesFromLoadedHead() {
        let loaded = LedgerHead(hash: [UInt8](repeating: 7, count: 32), count: 41)
        var file = CaseFile(loaded: Self.report(head: loaded), barred: [], handoffs: [], clocks: [])
        let handoff = HandoffID.make(at: Self.now)
        file.record(.moved(handoff, .signed, act: "1"), at: Self.now, by: "unit.d1")
        file.record(.moved(handoff, .concluded(outcome: "unfounded"), act: "2"), at: Self.now, by: "unit.d1")
        #expect(file.newEntries.map(\.sequence) == [42, 43])
        #expect(file.loadedHead == loaded)
        #expect(file.report.head.hash == file.newEntries[1].hash)
        #expect(
            file.newEntries[0].hash
                == LedgerHead.hash(previous: loaded.hash, sequence: 42, bytes: file.newEntries[0].bytes))
    }

    @Test("a refused event leaves the file unchanged")
    func refusedEventChangesNothing() {
        var file = CaseFile(loaded: Self.report(state: .closed), barred: [], handoffs: [], clocks: [])
        #expect(throws: Rejection.refused(.wrongState, state: "closed")) { try file.apply(.routed) }
        #expect(!file.reportChanged && file.report.state == .closed)
    }

    @Test("a new handoff is written as new however often it changes, and a loaded one as changed")
    func tellsNewFromChangedHandoffs() {
        let report = Self.report()
        let loaded = Self.handoff(of: report.id)
        var file = CaseFile(loaded: report, barred: [], handoffs: [loaded], clocks: [])
        let fresh = Self.handoff(of: report.id, attempt: 2)
        file.add(fresh)
        file.update(fresh.id) { $0.disposition = "closed" }
        file.update(loaded.id) { $0.disposition = "closed" }
        file.update(.make(at: Self.now)) { $0.disposition = "closed" }
        #expect(file.newHandoffs == [fresh.id])
        #expect(file.changedHandoffs == [loaded.id])
        #expect(file.report.handoffCount == 2)
        #expect(file[handoff: fresh.id]?.disposition == "closed")
    }

    /// Which clocks still run after each stop, of all three kinds.
    static let stops: [(ClockStop, Set<String>)] = [
        (.signed, ["feedback", "overdue"]), (.answered, ["sign", "overdue"]), (.concluded, ["sign", "feedback"]),
        (.ended, []),
    ]

    @Test("each kind of clock stops by its own event, and all of them when the handoff ends", arguments: stops)
    func stopsEachClockByItsEvent(stop: ClockStop, running: Set<String>) throws {
        var (file, id) = try Self.fileWithClocks()
        let later = Self.now.adding(seconds: 60)
        file.stopClocks(of: id, on: stop, at: later, by: "test")
        file.recountClocks(of: id, otherwise: nil)
        #expect(Set(file.clocks.filter(\.isRunning).map(\.key.duty)) == running)
        #expect(file[handoff: id]?.runningClocks == running.count)
        for clock in file.clocks where !clock.isRunning {
            #expect(clock.endedAt == later && clock.endedBecause == "test" && clock.nextAt == nil)
        }
        file.stopClocks(of: id, on: .ended, at: later.adding(seconds: 60), by: "again")
        file.recountClocks(of: id, otherwise: nil)
        #expect(file.clocks.filter { $0.endedBecause == "test" }.count == 3 - running.count)
        #expect(file[handoff: id]?.runningClocks == 0)
    }

    @Test("a clock that starts again is another round, and the clocks of other handoffs do not change")
    func countsRoundsOfAClock() throws {
        var (file, id) = try Self.fileWithClocks()
        let other = Self.handoff(of: file.report.id, attempt: 2)
        file.add(other)
        file.stopClocks(of: id, on: .ended, at: Self.now, by: "test")
        let plans = try PolicyFixture.rulebook().clocks(
            startedBy: .conclusionSentBack, handoffKind: "transfer", at: Self.now)
        file.start(plans, for: id)
        file.start(plans, for: other.id)
        #expect(file.clocks.filter { $0.key.handoffID == id && $0.key.duty == "overdue" }.map(\.key.round) == [1, 2])
        #expect(file.clocks.filter { $0.key.handoffID == other.id }.map(\.key.round) == [1])
        file.stopClocks(of: other.id, on: .ended, at: Self.now, by: "test")
        for id in [id, other.id] { file.recountClocks(of: id, otherwise: nil) }
        #expect(file[handoff: id]?.runningClocks == 1)
        #expect(file[handoff: other.id]?.runningClocks == 0)
    }

    @Test("a ladder is climbed step by step, and after its end nothing is due")
    func climbsLadderStepByStep() throws {
        var (file, _) = try Self.fileWithClocks()
        let clock = try #require(file.clocks.first)
        let plan = try #require(try PolicyFixture.rulebook().plan(of: clock.inputs))
        #expect(plan.steps.map(\.at) == plan.steps.map(\.at).sorted())
        for step in plan.steps {
            #expect(file.clocks.first?.nextAt == step.at)
            file.change(clock.id) { $0.takeStep(of: plan) }
        }
        #expect(file.clocks.first?.nextAt == nil)
        #expect(file.clocks.first?.isRunning == true)
    }

    /// A handoff with one clock of each kind.
    private static func fileWithClocks() throws -> (CaseFile, HandoffID) {
        var file = file(barred: [])
        let handoff = handoff(of: file.report.id)
        file.add(handoff)
        let rulebook = try PolicyFixture.rulebook()
        file.start(rulebook.clocks(startedBy: .released, handoffKind: "transfer", at: now), for: handoff.id)
        file.start(rulebook.clocks(startedBy: .signed, handoffKind: "transfer", at: now), for: handoff.id)
        let rule = RuleReference(policy: "test", version: 1, row: "feedback")
        let due = now.adding(seconds: 86_400)
        file.start(
            [
                ClockPlan(
                    duty: "feedback", startedAt: now, dueAt: due, rule: rule,
                    steps: [.init(number: 1, at: due, action: .overdue)])
            ],
            for: handoff.id)
        return (file, handoff.id)
    }
}
