import Casework
import Testing

@Suite("State machines")
struct StateMachineTests {
    static let reports = StateMachineTable(
        """
        registered:
            sentToReview, fellBack → needs_review
            linkedAsRepeat → linked_as_repeat
            declined → not_accepted
            passedUp → passed_up
            routed → routed
            cameBack → registered
            referred, closedInReview → refused wrong_state
        needs_review:
            routed → routed
            cameBack, fellBack → needs_review
            declined → not_accepted
            closedInReview → closed
            sentToReview, linkedAsRepeat, referred, passedUp → refused wrong_state
        linked_as_repeat:
            sentToReview, linkedAsRepeat, declined, referred, passedUp, routed, cameBack, fellBack → refused wrong_state
            closedInReview → refused wrong_state
        not_accepted:
            referred → referred
            sentToReview, linkedAsRepeat, declined, passedUp, routed, cameBack, fellBack → refused wrong_state
            closedInReview → refused wrong_state
        referred:
            sentToReview, linkedAsRepeat, declined, referred, passedUp, routed, cameBack, fellBack → refused wrong_state
            closedInReview → refused wrong_state
        passed_up:
            routed, fellBack → passed_up
            sentToReview, linkedAsRepeat, declined, referred, passedUp, cameBack, closedInReview → refused wrong_state
        routed:
            routed → routed
            cameBack → registered
            fellBack → needs_review
            sentToReview, linkedAsRepeat, declined, referred, passedUp, closedInReview → refused wrong_state
        in_hand:
            routed → routed
            cameBack → registered
            fellBack → needs_review
            sentToReview, linkedAsRepeat, declined, referred, passedUp, closedInReview → refused wrong_state
        concluded:
            routed → routed
            sentToReview, linkedAsRepeat, declined, referred, passedUp, cameBack, fellBack → refused wrong_state
            closedInReview → refused wrong_state
        closed:
            sentToReview, linkedAsRepeat, declined, referred, passedUp, routed, cameBack, fellBack → refused wrong_state
            closedInReview → refused wrong_state
        """)

    static let handoffs = StateMachineTable(
        """
        awaiting_approval:
            approved → released; start(released)
            recalled → recalled; report(fellBack)
            confirmed, unroutable, signed, returned, progressed, decided, caseFiled → refused awaiting_approval
            caseNotified, concluded, conclusionAccepted, conclusionSentBack, sentAgain → refused awaiting_approval
            resent → refused awaiting_approval
        released:
            confirmed → dispatched
            resent → released
            unroutable → undeliverable; stop(ended), report(fellBack)
            signed → signed; stop(signed), start(signed)
            recalled → recalled; stop(ended), report(fellBack)
            returned, progressed, decided, caseFiled, caseNotified, concluded → early
            approved, conclusionAccepted, conclusionSentBack, sentAgain → refused wrong_state
        dispatched:
            resent → dispatched
            signed → signed; stop(signed), start(signed)
            recalled → recalled; stop(ended), report(fellBack)
            returned, progressed, decided, caseFiled, caseNotified, concluded → early
            approved, confirmed, unroutable, conclusionAccepted, conclusionSentBack, sentAgain → refused wrong_state
        signed:
            progressed → in_hand
            decided → in_hand; stop(answered)
            caseFiled → case_filed
            caseNotified, resent → signed
            concluded → concluded; stop(answered), stop(concluded)
            returned → returned; stop(ended), report(cameBack)
            recalled → recalled; stop(ended), report(fellBack)
            signed → refused already_signed
            approved, confirmed, unroutable, conclusionAccepted, conclusionSentBack, sentAgain → refused wrong_state
        in_hand:
            progressed, caseNotified, resent → in_hand
            decided → in_hand; stop(answered)
            caseFiled → case_filed
            concluded → concluded; stop(answered), stop(concluded)
            returned → returned; stop(ended), report(cameBack)
            recalled → recalled; stop(ended), report(fellBack)
            signed → refused already_signed
            approved, confirmed, unroutable, conclusionAccepted, conclusionSentBack, sentAgain → refused wrong_state
        case_filed:
            progressed, caseNotified, resent → case_filed
            decided → case_filed; stop(answered)
            concluded → concluded; stop(answered), stop(concluded)
            signed → refused already_signed
            caseFiled → refused already_filed
            returned, recalled → refused case_filed
            approved, confirmed, unroutable, conclusionAccepted, conclusionSentBack, sentAgain → refused wrong_state
        concluded:
            conclusionAccepted → closed; stop(ended)
            conclusionSentBack → in_hand; start(conclusionSentBack)
            signed → refused already_signed
            returned, progressed, decided, caseFiled, caseNotified, concluded, recalled → refused already_concluded
            resent → refused already_concluded
            approved, confirmed, unroutable, sentAgain → refused wrong_state
        closed:
            approved, confirmed, unroutable, returned, progressed, decided, caseFiled → refused closed
            caseNotified, conclusionAccepted, conclusionSentBack, recalled, sentAgain, resent → refused closed
            signed → refused already_signed
            concluded → refused already_concluded
        returned:
            approved, confirmed, unroutable, signed, returned, progressed, decided, caseFiled → refused returned
            caseNotified, concluded, conclusionAccepted, conclusionSentBack, recalled, sentAgain → refused returned
            resent → refused returned
        recalled:
            approved, confirmed, unroutable, signed, returned, progressed, decided, caseFiled → refused recalled
            caseNotified, concluded, conclusionAccepted, conclusionSentBack, recalled, sentAgain → refused recalled
            resent → refused recalled
        undeliverable:
            recalled → recalled
            sentAgain → released; start(released), report(routed)
            approved, confirmed, unroutable, signed, returned, progressed, decided, caseFiled → refused undeliverable
            caseNotified, concluded, conclusionAccepted, conclusionSentBack, resent → refused undeliverable
        """)

    @Test("a report moves as the table says, for every state and event", arguments: ReportState.allCases)
    func everyReportStep(state: ReportState) {
        for event in ReportEvent.allCases {
            #expect(Self.outcome(state, event) == Self.reports.outcome(state.rawValue, event), "\(state) × \(event)")
        }
    }

    @Test("a handoff moves as the table says, for every state and event", arguments: HandoffState.allCases)
    func everyHandoffStep(state: HandoffState) {
        for event in HandoffEvent.allCases {
            #expect(Self.outcome(state, event) == Self.handoffs.outcome(state.rawValue, event), "\(state) × \(event)")
        }
    }

    @Test("the tables name each event once under each state, and no other state or event")
    func tablesNameEveryEventOnce() {
        #expect(Self.reports.mistakes.isEmpty)
        #expect(Self.handoffs.mistakes.isEmpty)
        #expect(Self.reports.cells.count == ReportState.allCases.count * ReportEvent.allCases.count)
        #expect(Self.handoffs.cells.count == HandoffState.allCases.count * HandoffEvent.allCases.count)
    }

    @Test("a refusal leaves the state as it was")
    func refusalChangesNothing() {
        for state in HandoffState.allCases {
            for event in HandoffEvent.allCases {
                var moved = state
                do { _ = try moved.apply(event) } catch { #expect(moved == state, "\(state) × \(event)") }
            }
        }
    }

    @Test("final handoffs accept no act, and those in progress were signed and owe an answer")
    func classifiesStates() {
        for state in HandoffState.allCases {
            let moves = HandoffEvent.allCases.filter {
                if case .moves = Self.outcome(state, $0) { true } else { false }
            }
            #expect(state.isFinal == moves.isEmpty, "\(state)")
            #expect(state.isInHand == moves.contains(.concluded), "\(state)")
        }
    }

    /// Report and handoff walk together; whatever a handoff may do, its report follows.
    @Test("the report follows every step of its handoff")
    func reportFollowsHandoff() throws {
        let pairs = try Self.reachable(from: Pair(report: .routed, handoff: .released))
            .union(try Self.reachable(from: Pair(report: .routed, handoff: .awaitingApproval)))
        #expect(pairs.contains(Pair(report: .closed, handoff: .closed)))
        #expect(pairs.contains(Pair(report: .registered, handoff: .returned)))
        for pair in pairs {
            switch pair.handoff {
            case .awaitingApproval, .released, .dispatched: #expect(pair.report == .routed)
            case .signed, .inHand, .caseFiled: #expect(pair.report == .inHand)
            case .concluded: #expect(pair.report == .concluded)
            case .closed: #expect(pair.report == .closed)
            case .returned: #expect(pair.report == .registered)
            case .recalled, .undeliverable: #expect(pair.report == .needsReview)
            }
        }
    }

    @Test("a sealed pass-through stays passed up, and its superior cannot return it")
    func passedUpStays() throws {
        for pair in try Self.reachable(from: Pair(report: .passedUp, handoff: .released), except: .returned) {
            #expect(pair.report == .passedUp)
        }
        var report = ReportState.passedUp
        #expect(throws: Rejection.refused(.wrongState, state: "passed_up")) { try report.apply(.cameBack) }
    }

    // MARK: -

    private struct Pair: Hashable {
        var report: ReportState
        var handoff: HandoffState
    }

    /// All pairs that events lead to. Throws where a report refuses what its handoff took.
    private static func reachable(from start: Pair, except: HandoffEvent? = nil) throws -> Set<Pair> {
        var seen: Set<Pair> = [start]
        var open = [start]
        while let pair = open.popLast() {
            for event in HandoffEvent.allCases where event != except {
                var next = pair
                guard let effects = try? next.handoff.apply(event) else { continue }
                next.report = try next.report.after(effects, [next.handoff])
                if seen.insert(next).inserted { open.append(next) }
            }
        }
        return seen
    }

    private static func outcome(_ state: ReportState, _ event: ReportEvent) -> StateMachineTable.Outcome {
        var state = state
        let before = state
        do {
            try state.apply(event)
            return .moves(to: state.rawValue, effects: [])
        } catch {
            return outcome(error, in: before.rawValue)
        }
    }

    private static func outcome(_ state: HandoffState, _ event: HandoffEvent) -> StateMachineTable.Outcome {
        var state = state
        let before = state
        do {
            let effects = try state.apply(event)
            return .moves(to: state.rawValue, effects: effects.map(describe))
        } catch {
            return outcome(error, in: before.rawValue)
        }
    }

    /// A rejection also names the state in which it was given.
    private static func outcome(_ rejection: Rejection, in state: String) -> StateMachineTable.Outcome {
        switch rejection {
        case .early(state): .early
        case .refused(let refusal, state): .refused(refusal.rawValue)
        case .early, .refused: .refused("in another state")
        }
    }

    private static func describe(_ effect: HandoffEffect) -> String {
        switch effect {
        case .report(let event): "report(\(event))"
        case .start(let start): "start(\(start))"
        case .stop(let stop): "stop(\(stop))"
        }
    }
}
