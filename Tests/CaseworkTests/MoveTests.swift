import Basics
import Casework
import Testing

/// `CaseFile.move`: a handoff, its report, their clocks and the ledger, by one event.
@Suite("A move of a handoff")
struct MoveTests {
    static let now = CaseFileTests.now
    private static let day = CivilDate(daysSinceEpoch: 20_500)

    /// The state of a report with handoffs in these states, in any order.
    static let standings: [(own: ReportState, handoffs: [HandoffState], report: ReportState?)] = [
        (.routed, [.awaitingApproval], .routed), (.routed, [.released], .routed), (.routed, [.dispatched], .routed),
        (.routed, [.signed], .inHand), (.routed, [.inHand], .inHand), (.routed, [.caseFiled], .inHand),
        (.inHand, [.concluded], .concluded), (.concluded, [.inHand], .inHand), (.concluded, [.closed], .closed),
        // Splits: as far as the least advanced.
        (.routed, [.signed, .released], .routed), (.routed, [.signed, .inHand], .inHand),
        (.inHand, [.closed, .inHand], .inHand),
        (.inHand, [.closed, .concluded], .concluded), (.concluded, [.closed, .closed], .closed),
        // A recalled handoff does not count once another followed it.
        (.routed, [.returned, .signed], .inHand), (.inHand, [.recalled, .closed], .closed),
        (.routed, [.undeliverable, .released], .routed),
        // The office's turn stays its turn, whatever other units do.
        (.registered, [.returned], .registered), (.registered, [.returned, .closed], .registered),
        (.needsReview, [.recalled, .inHand], .needsReview), (.needsReview, [.undeliverable], .needsReview),
        (.registered, [], .registered), (.needsReview, [], .needsReview), (.notAccepted, [], .notAccepted),
        (.passedUp, [.closed], .passedUp), (.passedUp, [.recalled], .passedUp),
        // A person ended it in review, after its handoffs were taken back.
        (.closed, [.recalled], .closed), (.closed, [], .closed), (.notAccepted, [.returned], .notAccepted),
        // None of these can be.
        (.routed, [], nil), (.registered, [.signed], nil), (.needsReview, [.closed], nil),
        (.notAccepted, [.signed], nil), (.linkedAsRepeat, [.closed], nil), (.referred, [.released], nil),
    ]

    @Test("a report's state is derived from all its handoffs", arguments: standings)
    func derivesReportStateFromHandoffs(own: ReportState, handoffs: [HandoffState], report: ReportState?) {
        #expect(own.following(handoffs) == report)
        #expect(own.following(handoffs.reversed()) == report)
    }

    /// Every move, from where, to where, and what the row says afterwards.
    static let moves:
        [(
            from: HandoffState, move: HandoffMove, to: HandoffState, report: ReportState,
            row: @Sendable (Handoff) -> Bool
        )] = [
            (.awaitingApproval, .approved, .released, .routed, { $0.releasedAt == now }),
            (.released, .confirmed, .dispatched, .routed, { $0.dispatchedAt == now }),
            (
                .released, .unroutable, .undeliverable, .needsReview,
                { $0.endedBecause == "undeliverable" && $0.endedAt == now }
            ),
            (
                .dispatched, .signed, .signed, .inHand,
                { $0.signedAt == now && $0.signedBy == "unit.d1" && $0.dispatchedAt == now }
            ),
            (
                .signed, .returned(reason: "not_competent", rule: "r"), .returned, .registered,
                { $0.endedBecause == "not_competent" && $0.endedAt == now }
            ),
            (.signed, .progressed, .inHand, .inHand, { $0.endedAt == nil }),
            (.inHand, .decided(disposition: "kept"), .inHand, .inHand, { $0.disposition == "kept" }),
            (.inHand, .caseFiled(on: day), .caseFiled, .inHand, { $0.caseFiledOn == day && $0.caseNotifiedAt == nil }),
            (
                .inHand, .caseNotified(filedOn: day), .inHand, .inHand,
                { $0.caseFiledOn == day && $0.caseNotifiedAt == now }
            ),
            (
                .inHand, .concluded(outcome: "unfounded"), .concluded, .concluded,
                { $0.outcome == "unfounded" && $0.concludedAt == now }
            ),
            (
                .concluded, .conclusionAccepted(rule: "r"), .closed, .closed,
                { $0.endedBecause == "concluded" && $0.endedAt == now }
            ),
            (
                .concluded, .conclusionSentBack(rule: "r"), .inHand, .inHand,
                { $0.timesSentBack == 1 && $0.concludedAt == nil }
            ),
            (.dispatched, .recalled, .recalled, .needsReview, { $0.endedBecause == "recalled" && $0.endedAt == now }),
            (.undeliverable, .sentAgain, .released, .routed, { $0.endedBecause == nil && $0.endedAt == nil }),
            (.dispatched, .resent, .dispatched, .routed, { $0.signedAt == nil && $0.endedAt == nil }),
        ]

    @Test("every event of a handoff is a move, and the ledger records each one")
    func entersEveryEventInLedger() throws {
        #expect(Set(Self.moves.map(\.move.event)) == Set(HandoffEvent.allCases))
        for (from, move, to, report, row) in Self.moves {
            var (file, ids) = Self.file([from])
            let event = try file.move(
                ids[0], move, act: "a-1", by: "unit.d1", at: Self.now, under: PolicyFixture.rulebook())
            let handoff = try #require(file[handoff: ids[0]])
            #expect(handoff.state == to && file.report.state == report, "\(move)")
            #expect(row(handoff), "\(move)")
            #expect(handoff.endedAt != nil || handoff.runningClocks > 0 || handoff.noClockReason != nil, "\(move)")
            #expect(event == .moved(ids[0], move, act: "a-1"))
            #expect(file.newEntries.map(\.bytes) == [LedgerRecord(event, at: Self.now, by: "unit.d1").bytes])
            #expect(file.changedHandoffs == [ids[0]] && file.reportChanged)
        }
    }

    @Test("clocks start and stop by the policy's rows")
    func runsClocksOfPolicy() throws {
        var (file, ids) = Self.file([.awaitingApproval])
        let rulebook = try PolicyFixture.rulebook()
        func running() -> [String] { file.clocks.filter(\.isRunning).map(\.key.duty) }
        try file.move(ids[0], .approved, by: "person.li", at: Self.now, under: rulebook)
        #expect(running() == ["sign"])
        try file.move(ids[0], .signed, by: "unit.d1", at: Self.now, under: rulebook)
        #expect(running() == ["overdue"])
        #expect(file.clocks.first?.endedBecause == "signed")
        try file.move(ids[0], .concluded(outcome: "unfounded"), by: "unit.d1", at: Self.now, under: rulebook)
        #expect(running() == [] && file[handoff: ids[0]]?.noClockReason != nil)
        try file.move(ids[0], .conclusionSentBack(rule: "r"), by: "unit.d1", at: Self.now, under: rulebook)
        #expect(running() == ["overdue"])
    }

    @Test("a reason for having no clock stands only while an open handoff has none, whoever starts or stops its clocks")
    func reasonStandsOnlyWithoutClock() throws {
        let rulebook = try PolicyFixture.rulebook()
        /// Opens a handoff as routing does, and tells its reason after each move.
        func reasons(_ kind: String, waits: Bool = false, _ moves: [HandoffMove]) throws -> [String?] {
            var file = CaseFile(loaded: CaseFileTests.report(state: .routed), barred: [], handoffs: [], clocks: [])
            let handoff = CaseFileTests.handoff(
                of: file.report.id, kind: kind, state: waits ? .awaitingApproval : .released)
            file.open(
                handoff,
                clocks: waits ? [] : rulebook.clocks(startedBy: .released, handoffKind: kind, at: Self.now),
                otherwise: waits ? "awaits approval" : rulebook.noClockReason(handoffKind: kind))
            var reasons = [file[handoff: handoff.id]?.noClockReason]
            for move in moves {
                try file.move(handoff.id, move, by: "somebody", at: Self.now, under: rulebook)
                reasons.append(file[handoff: handoff.id]?.noClockReason)
            }
            return reasons
        }
        let concluded = HandoffMove.concluded(outcome: "unfounded")
        let unknown = "the policy in force has no clock for it"
        #expect(try reasons("transfer", waits: true, [.approved, .signed]) == ["awaits approval", nil, nil])
        #expect(
            try reasons("transfer", [.signed, concluded, .conclusionSentBack(rule: "r")]) == [nil, nil, unknown, nil])
        #expect(
            try reasons("send_down", [.signed, .progressed, concluded, .conclusionAccepted(rule: "r")])
                == [nil, "由督查监督", "由督查监督", "由督查监督", nil])
        #expect(try reasons("send_down", [.unroutable, .sentAgain]) == [nil, nil, nil])
    }

    @Test("a split report closes with its last handoff, and waits for the office while one is recalled")
    func closesSplitReportWithLastHandoff() throws {
        var (file, ids) = Self.file([.released])
        let rulebook = try PolicyFixture.rulebook()
        func move(_ index: Int, _ move: HandoffMove) throws -> ReportState {
            try file.move(ids[index], move, by: "unit.d1", at: Self.now, under: rulebook)
            return file.report.state
        }
        func handOff(_ attempt: Int) throws -> ReportState {
            try file.apply(.routed)
            let handoff = CaseFileTests.handoff(of: file.report.id, attempt: attempt)
            file.open(handoff, clocks: [], otherwise: nil)
            ids.append(handoff.id)
            return file.report.state
        }
        #expect(try move(0, .signed) == .inHand)
        #expect(try handOff(2) == .routed)
        #expect(try move(0, .concluded(outcome: "unfounded")) == .routed)
        #expect(try move(1, .signed) == .inHand)
        #expect(try move(0, .conclusionAccepted(rule: "r")) == .inHand)
        #expect(try move(1, .returned(reason: "not_competent", rule: "r")) == .registered)
        #expect(try handOff(3) == .routed)
        #expect(try move(2, .recalled) == .needsReview)
        #expect(file.report.reason == "recalled")
        #expect(try handOff(4) == .routed)
        #expect(try move(3, .signed) == .inHand)
        #expect(try move(3, .concluded(outcome: "unfounded")) == .concluded)
        #expect(try move(3, .conclusionAccepted(rule: "r")) == .closed)
        #expect(throws: Rejection.refused(.wrongState, state: "closed")) { try file.apply(.routed) }
    }

    @Test("a move changes nothing when the handoff, the report or the ledger refuses it, or no handoff exists")
    func refusedMoveChangesNothing() throws {
        let rulebook = try PolicyFixture.rulebook()
        func refusal(_ file: CaseFile, _ id: HandoffID, _ move: HandoffMove) -> (any Error)? {
            var moved = file
            do {
                try moved.move(id, move, by: "unit.d1", at: Self.now, under: rulebook)
                return nil
            } catch {
                #expect(moved.handoffs == file.handoffs && moved.report == file.report)
                #expect(moved.newEntries.isEmpty && !moved.reportChanged && moved.changedHandoffs.isEmpty)
                return error
            }
        }
        let (file, ids) = Self.file([.released])
        #expect(refusal(file, ids[0], .progressed) as? Rejection == .early(state: "released"))
        #expect(refusal(file, .make(at: Self.now), .signed) as? Rejection == .refused(.unknownHandoff, state: "none"))
        // A superior cannot return what was passed up to it sealed.
        let (sealed, signed) = Self.file([.signed], report: .passedUp)
        #expect(
            refusal(sealed, signed[0], .returned(reason: "r", rule: "r")) as? Rejection
                == .refused(.wrongState, state: "passed_up"))
        let (closed, open) = Self.file([.dispatched], report: .closed)
        #expect(
            "\(refusal(closed, open[0], .signed) ?? Rejection.early(state: ""))".contains(
                "is closed, which cannot follow \"signed\""))
    }

    // MARK: -

    /// A report with these handoffs, in the state they derive unless another is given.
    private static func file(_ states: [HandoffState], report: ReportState? = nil) -> (CaseFile, [HandoffID]) {
        let own: ReportState = states.contains(.undeliverable) ? .needsReview : .routed
        let report = CaseFileTests.report(state: report ?? own.following(states) ?? own)
        let handoffs = states.enumerated().map {
            CaseFileTests.handoff(of: report.id, attempt: $0.offset + 1, state: $0.element)
        }
        return (CaseFile(loaded: report, barred: [], handoffs: handoffs, clocks: []), handoffs.map(\.id))
    }
}
