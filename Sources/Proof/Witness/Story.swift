import Casework
import Foundation

/// What the ledger tells of one report: its entries put through the same state machines that wrote them.
///
/// An entry that the rules would have refused (a second signature, a second conclusion that nobody sent back) shows an act that was
/// applied twice.
struct Story {
    private(set) var entries: [LedgerWords] = []
    private(set) var report: ReportState?
    private(set) var handoffs: [String: HandoffState] = [:]
    private(set) var reportStates: Set<ReportState> = []
    private(set) var handoffStates: Set<HandoffState> = []
    /// Entries that do not follow from those before them.
    private(set) var impossible: [LedgerWords] = []
    private(set) var unreadable = 0

    init(_ ledger: [LedgerEntry]) {
        for entry in ledger {
            guard let words = LedgerWords(entry.bytes) else {
                unreadable += 1
                continue
            }
            entries.append(words)
            if (try? tell(words)) == nil { impossible.append(words) }
        }
    }

    private mutating func tell(_ words: LedgerWords) throws {
        switch words.event {
        case "registered":
            guard report == nil else { throw Rejection.refused(.wrongState, state: "registered") }
            report = words.fields["verdict"].flatMap(ReportState.init(rawValue:))
            if let report { reportStates.insert(report) }
        case "routed": try handOff(words, .routed, as: .released)
        case "proposed": try handOff(words, .routed, as: .awaitingApproval)
        case "passed_up": try handOff(words, nil, as: .released)
        case "sent_to_review": try move(.sentToReview)
        case "approved": try move(words, .approved)
        case "dispatched": try move(words, .confirmed)
        case "undeliverable": try move(words, .unroutable)
        case "sent_again": try move(words, .sentAgain)
        case "signed": try move(words, .signed)
        case "returned": try move(words, .returned)
        case "progress": try move(words, .progressed)
        case "disposition_decided": try move(words, .decided)
        case "case_filed": try move(words, .caseFiled)
        case "case_notified": try move(words, .caseNotified)
        case "concluded": try move(words, .concluded)
        case "conclusion_accepted": try move(words, .conclusionAccepted)
        case "conclusion_sent_back": try move(words, .conclusionSentBack)
        case "recalled": try move(words, .recalled)
        // What changes no state: reminders, warnings and what later versions add.
        default: break
        }
    }

    private mutating func handOff(_ words: LedgerWords, _ event: ReportEvent?, as state: HandoffState) throws {
        guard let id = words.handoff, handoffs[id] == nil else { throw Rejection.refused(.wrongState, state: "routed") }
        if let event { try move(event) }
        handoffs[id] = state
        handoffStates.insert(state)
    }

    private mutating func move(_ event: ReportEvent) throws {
        guard var state = report else { throw Rejection.refused(.wrongState, state: "unregistered") }
        try state.apply(event)
        report = state
        reportStates.insert(state)
    }

    private mutating func move(_ words: LedgerWords, _ event: HandoffEvent) throws {
        guard let id = words.handoff, var state = handoffs[id] else { throw Rejection.refused(.unknownHandoff, state: "none") }
        let effects = try state.apply(event)
        for case .report(let event) in effects { try move(event) }
        handoffs[id] = state
        handoffStates.insert(state)
    }
}
