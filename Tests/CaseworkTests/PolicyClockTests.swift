import Basics
import Casework
import Testing

@Suite("Clocks")
struct PolicyClockTests {
    @Test("a sign clock starts at release, and its ladder is in the order of time")
    func ordersLadderOfSignClock() throws {
        let start = try #require(Instant("2026-03-02T08:00:00Z"))
        let plans = try PolicyFixture.rulebook().clocks(startedBy: .released, handoffKind: "send_down", at: start)
        let plan = try #require(plans.first)
        #expect(plans.count == 1)
        #expect(plan.duty == "sign")
        #expect(plan.startedAt == start)
        #expect(plan.dueAt.description == "2026-03-04T08:00:00Z")
        #expect(plan.rule.description == "test-policy@3/sign")
        #expect(plan.rule.citation == "默认值")
        #expect(plan.steps.map(\.number) == [1, 2, 3, 4, 5])
        #expect(
            plan.steps.map { "\($0.at) \($0.action)" } == [
                "2026-03-03T08:00:00Z remind", "2026-03-04T08:00:00Z overdue", "2026-03-05T08:00:00Z remind",
                "2026-03-06T08:00:00Z remind", "2026-03-07T08:00:00Z escalate",
            ])
    }

    @Test(
        "the policy's data decide which clocks an event starts",
        arguments: [
            (ClockStart.released, "transfer", ["sign"]), (.signed, "transfer", ["overdue"]),
            (.conclusionSentBack, "transfer", ["overdue"]), (.signed, "send_down", []), (.released, "unheard-of", []),
        ])
    func startsClocksByPolicyRows(start: ClockStart, kind: String, clocks: [String]) throws {
        let plans = try PolicyFixture.rulebook().clocks(
            startedBy: start, handoffKind: kind, at: Instant(microsecondsSinceEpoch: 0))
        #expect(plans.map(\.duty) == clocks)
    }

    @Test("a warning comes before the limit, and is counted back from it")
    func warnsBeforeTheLimit() throws {
        let start = try #require(Instant("2026-02-20T00:00:00Z"))
        let plan = try #require(
            try PolicyFixture.rulebook().clocks(startedBy: .signed, handoffKind: "transfer", at: start).first)
        #expect(
            plan.steps.map { "\($0.at) \($0.action)" } == ["2026-03-15T00:00:00Z warn", "2026-03-22T00:00:00Z overdue"])
    }

    @Test(
        "a clock's plan follows from its stored inputs; pauses and extensions move it; unreadable ones give none"
    )
    func derivesSamePlanFromInputs() throws {
        let rulebook = try PolicyFixture.rulebook()
        let start = try #require(Instant("2026-03-02T08:00:00Z"))
        for moment in ClockStart.allCases {
            for plan in rulebook.clocks(startedBy: moment, handoffKind: "transfer", at: start) {
                #expect(rulebook.plan(of: ClockInputs(rule: plan.rule.description, startedAt: start)) == plan)
            }
        }
        var inputs = ClockInputs(rule: "test-policy@3/sign", startedAt: start)
        inputs.extensions = ["1 day", "12 hour"]
        #expect(rulebook.plan(of: inputs)?.dueAt.description == "2026-03-05T20:00:00Z")
        // A pause moves what comes after its beginning.
        inputs.extensions = []
        inputs.pauses = ["2026-03-03T20:00:00Z/2026-03-13T20:00:00Z", "2026-05-01T00:00:00Z/2026-06-01T00:00:00Z"]
        let paused = try #require(rulebook.plan(of: inputs))
        #expect(paused.dueAt.description == "2026-03-14T08:00:00Z")
        #expect(paused.steps.first?.at.description == "2026-03-03T08:00:00Z")
        for rule in ["test-policy@2/sign", "test-policy@3/none", "sign", ""] {
            #expect(rulebook.plan(of: ClockInputs(rule: rule, startedAt: start)) == nil, "\(rule)")
        }
        func bare() -> ClockInputs { ClockInputs(rule: "test-policy@3/sign", startedAt: start) }
        var wrong = [ClockInputs(rule: "test-policy@3/sign", startedAt: start, calendar: "cn-2026@1"), bare(), bare()]
        wrong[1].pauses = ["2026-03-13T20:00:00Z/2026-03-03T20:00:00Z"]
        wrong[2].extensions = ["1 month"]
        for inputs in wrong { #expect(rulebook.plan(of: inputs) == nil, "\(inputs)") }
    }

    @Test("the policy gives the reason where no clock runs after the signature")
    func givesReasonForNoClock() throws {
        let rulebook = try PolicyFixture.rulebook()
        #expect(rulebook.noClockReason(handoffKind: "send_down") == "由督查监督")
        #expect(rulebook.noClockReason(handoffKind: "transfer") == nil)
    }
}
