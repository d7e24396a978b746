import Basics
import Casework
import Foundation
import Testing
import Yams

/// Invariant 8 with the shipped policy: whatever happens to a handoff of any kind, while it is open a clock runs, or
/// the policy says why none does. Walks every way through the state machine, with the case file and the policy's own
/// clocks.
@Suite("Clocks of the shipped policy")
struct ClockWalkTests {
    static func rulebook() throws -> Rulebook {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/Setup/Installation/Resources/policy_cn_discipline.yaml")
        return try Rulebook(YAMLDecoder().decode(Policy.self, from: String(contentsOf: file, encoding: .utf8)))
    }

    /// The position of a walk: two walks at the same position continue alike.
    private struct Place: Hashable {
        let state: HandoffState
        let running: [String]
    }

    @Test("every open state of every kind of handoff has a running clock or a stated reason")
    func openHandoffsAreWatched() throws {
        let rulebook = try Self.rulebook()
        #expect(!rulebook.handoffKinds.isEmpty && Self.moves.map(\.event) == HandoffEvent.allCases)
        for kind in rulebook.handoffKinds.values {
            let places = try walk(kind, rulebook)
            #expect(
                Set(places.map(\.state)).isSuperset(of: Set(HandoffState.allCases).subtracting([.awaitingApproval])),
                "\(kind.id)")
            for place in places {
                switch place.state {
                case .closed, .returned, .recalled, .undeliverable:
                    #expect(place.running.isEmpty, "\(kind.id) \(place.state)")
                case .awaitingApproval:
                    // A person of the office owes the approval; the unit of work states it.
                    #expect(kind.needsApproval)
                case .concluded:
                    // Judged within the transaction that concluded it, so no handoff rests here.
                    continue
                case .released, .dispatched:
                    #expect(place.running == ["sign"], "\(kind.id) \(place.state)")
                case .signed, .inHand, .caseFiled:
                    #expect(!place.running.isEmpty || kind.noClockReason != nil, "\(kind.id) \(place.state)")
                    #expect(!place.running.contains("sign"))
                    #expect(kind.resultOwed == place.running.contains("overdue"), "\(kind.id) \(place.state)")
                }
            }
        }
    }

    @Test("every clock names its row and source, and its ladder warns, then reports it overdue, then escalates")
    func clocksAreExplained() throws {
        let rulebook = try Self.rulebook()
        let start = Instant(microsecondsSinceEpoch: 1_772_438_400_000_000)
        for kind in rulebook.handoffKinds.keys {
            for moment in ClockStart.allCases {
                for plan in rulebook.clocks(startedBy: moment, handoffKind: kind, at: start) {
                    #expect(plan.startedAt == start && plan.dueAt > start)
                    #expect(plan.rule.description.hasPrefix("cn-discipline@"))
                    #expect(plan.rule.citation?.isEmpty == false)
                    #expect(plan.steps.map(\.at) == plan.steps.map(\.at).sorted())
                    #expect(plan.steps.first { $0.action == .overdue }?.at == plan.dueAt)
                    #expect(plan.steps.contains { $0.action == .escalate && $0.at > plan.dueAt })
                }
            }
        }
    }

    private func walk(_ kind: HandoffKind, _ rulebook: Rulebook) throws -> Set<Place> {
        var seen: Set<Place> = []
        var open = [try begin(kind, rulebook)]
        while let (file, id) = open.popLast() {
            let handoff = try #require(file[handoff: id])
            let place = Place(state: handoff.state, running: file.clocks.filter(\.isRunning).map(\.key.duty).sorted())
            #expect(handoff.runningClocks == place.running.count)
            #expect((handoff.noClockReason != nil) == (place.running.isEmpty && handoff.endedAt == nil))
            guard seen.insert(place).inserted else { continue }
            for move in Self.moves {
                if let next = step(file, id, move, rulebook) { open.append((next, id)) }
            }
        }
        return seen
    }

    /// A handoff as routing makes it.
    private func begin(_ kind: HandoffKind, _ rulebook: Rulebook) throws -> (CaseFile, HandoffID) {
        let now = Instant(microsecondsSinceEpoch: 1_772_438_400_000_000)
        let report = Report(
            id: .make(at: now), number: 1, source: SourceID(unchecked: "letter"), submissionID: "s", digest: [],
            state: .routed, sourceKind: "letter", matterKind: nil, region: nil, realName: false, receivedAt: now,
            registeredAt: now, verdict: .registered, rule: "r", reason: nil, authority: nil, repeatOf: nil,
            receiptOnly: false, handoffCount: 0, head: .genesis)
        let handoff = Handoff(
            id: .make(at: now), reportID: report.id, attempt: 1, unit: UnitID(unchecked: "d1"), kind: kind.id,
            state: kind.needsApproval ? .awaitingApproval : .released, express: kind.express, rule: "r", digest: [])
        var file = CaseFile(new: report, barred: [])
        let plans = rulebook.clocks(startedBy: .released, handoffKind: kind.id, at: now)
        file.open(handoff, clocks: kind.needsApproval ? [] : plans, otherwise: kind.noClockReason)
        return (file, handoff.id)
    }

    /// What follows from a move; `nil` where it is refused.
    private func step(_ file: CaseFile, _ id: HandoffID, _ move: HandoffMove, _ rulebook: Rulebook) -> CaseFile? {
        var next = file
        let now = file.report.registeredAt.adding(seconds: 3600)
        return (try? next.move(id, move, by: "somebody", at: now, under: rulebook)) == nil ? nil : next
    }

    private static let moves: [HandoffMove] = [
        .approved, .confirmed, .unroutable, .signed, .returned(reason: "r", rule: "r"), .progressed,
        .decided(disposition: "d"),
        .caseFiled(on: CivilDate(daysSinceEpoch: 0)), .caseNotified(filedOn: CivilDate(daysSinceEpoch: 0)),
        .concluded(outcome: "o"),
        .conclusionAccepted(rule: "r"), .conclusionSentBack(rule: "r"), .recalled, .sentAgain, .resent,
    ]
}
