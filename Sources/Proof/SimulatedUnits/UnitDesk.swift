package import Basics
import BrokerTopology
import Casework
import Contract
import Crypto
import Foundation
import PartyClient

/// One unit's knowledge of its handoffs, and its next acts: a value without I/O, derived from the unit's journal.
///
/// The journal is the unit's only storage. A message is acknowledged after it is written there, since all acts of
/// the unit follow from it. A restarted unit reads its journal from the start, skips the acts it finds published,
/// and sends the rest with the same ids and the same bytes.
struct UnitDesk {
    /// An act that is due.
    struct DueAct: Hashable {
        let handoff: String
        let act: UnitAct
        /// The business time in the message, derived from the journal, so that it is the same when the act is sent
        /// again.
        let at: Instant
    }

    private struct Case {
        /// The digest of the received body; `nil` until the handoff itself has arrived.
        var digest: String?
        var sealed = false
        var matter: String?
        var remaining: ArraySlice<DueAct> = []
        var isRecalled = false
        /// The number of conclusions that the office has sent back.
        var timesSentBack = 0
        var hasDecided = false
        var wasRefusedReturn = false
        /// The business time in the message that files a case.
        var filedAt: Instant?
    }

    private let clock: BusinessClock
    private let behaviour: UnitBehaviour
    private var cases: [String: Case] = [:]
    private var published: Set<String> = []
    private var ready: ArraySlice<String> = []
    /// Handoffs that wait for a business time, latest first.
    private var timers: [(at: Instant, handoff: String)] = []

    init(clock: BusinessClock, behaviour: UnitBehaviour) {
        self.clock = clock
        self.behaviour = behaviour
    }

    /// The limit of conclusions: an office that sends so many back wants something that this unit does not have.
    static let conclusionsMax = 10
    /// Wall seconds before a better conclusion, multiplied by the number of conclusions sent back. What was
    /// missing in the last one may still be on its way, since several lanes of the office read one queue.
    static let secondThoughtSeconds = 0.3

    // MARK: Reading the journal

    /// Applies a line of the journal, new or from before a restart. A message seen before changes nothing, since
    /// each step checks that it is new.
    mutating func hear(_ entry: JournalEntry) {
        switch entry.fact {
        case .published: published.insert(entry.id)
        case .delivered: hearDelivery(entry)
        }
    }

    private mutating func hearDelivery(_ entry: JournalEntry) {
        let at = clock.instant(atWall: Instant(microsecondsSinceEpoch: entry.at))
        let handoff = entry.subject
        switch MessageType(rawValue: entry.type) {
        case .handoffDispatched: take(entry, at)
        case .handoffRecalled:
            // The recall may come before the handoff; then the handoff is never begun.
            cases[handoff, default: Case()].isRecalled = true
            cases[handoff]?.remaining = []
        case .messageRefused where entry.inreplyto == UnitAct.giveBack.id(of: handoff):
            guard cases[handoff]?.wasRefusedReturn == false else { return }
            cases[handoff]?.wasRefusedReturn = true
            goOn(handoff, with: plan(handoff).handling, at)
        case .conclusionReturned:
            guard let sentBack = cases[handoff]?.timesSentBack, sentBack + 1 < Self.conclusionsMax,
                entry.inreplyto == UnitAct.conclude(sentBack + 1).id(of: handoff)
            else { return }
            cases[handoff]?.timesSentBack = sentBack + 1
            if cases[handoff]?.hasDecided == false { goOn(handoff, with: [.decide], at) }
            let pause = Self.secondThoughtSeconds * Double(sentBack + 1) * clock.rate
            goOn(handoff, with: [.conclude(sentBack + 2)], at.adding(seconds: pause))
        default: break
        }
    }

    private mutating func take(_ entry: JournalEntry, _ at: Instant) {
        guard cases[entry.subject]?.digest == nil else { return }
        cases[entry.subject, default: Case()].digest = entry.digest
        cases[entry.subject]?.sealed = entry.sealed == true
        cases[entry.subject]?.matter = entry.matter.map { "\(entry.party)|\($0)" }
        guard cases[entry.subject]?.isRecalled == false else { return }
        schedule(entry.subject, plan(entry.subject).opening, from: at)
    }

    private mutating func goOn(_ handoff: String, with acts: [UnitAct], _ at: Instant) {
        guard let known = cases[handoff], known.digest != nil, !known.isRecalled else { return }
        schedule(handoff, acts, from: at)
    }

    private mutating func schedule(_ handoff: String, _ acts: [UnitAct], from start: Instant) {
        let plan = plan(handoff)
        var time = start
        for act in acts {
            switch act {
            case .sign: if plan.signsLate { time = start.adding(seconds: behaviour.lateSignatureSeconds) }
            case .conclude(1) where plan.concludesLate:
                time = max(time, start.adding(seconds: behaviour.lateConclusionSeconds))
            case .decide: cases[handoff]?.hasDecided = true
            case .fileCase: cases[handoff]?.filedAt = time
            case .giveBack, .progress, .conclude: break
            }
            cases[handoff]?.remaining.append(DueAct(handoff: handoff, act: act, at: time))
            time = time.adding(seconds: behaviour.thinkSeconds)
        }
        ready.append(handoff)
    }

    // MARK: Acts

    /// The due acts that are not published yet, in order.
    mutating func takeDue(at now: Instant) -> [DueAct] {
        while let timer = timers.last, timer.at <= now {
            ready.append(timer.handoff)
            timers.removeLast()
        }
        var due: [DueAct] = []
        for handoff in ready {
            while let next = cases[handoff]?.remaining.first {
                guard next.at <= now else {
                    wait(handoff, until: next.at)
                    break
                }
                cases[handoff]?.remaining.removeFirst()
                if !published.contains(next.act.id(of: handoff)) { due.append(next) }
            }
            if cases[handoff]?.remaining.isEmpty == true { cases[handoff]?.remaining = [] }
        }
        ready = []
        return due
    }

    /// The time of the next due act; `nil` if none is planned.
    var nextDue: Instant? { ready.isEmpty ? timers.last?.at : Instant(microsecondsSinceEpoch: 0) }

    /// The number of acts planned for later.
    var plannedCount: Int { timers.count }

    func hasPublished(_ id: String) -> Bool { published.contains(id) }

    /// The handoffs filed as cases, for the case office.
    var filedCases: [CaseNotice] { cases.keys.sorted().compactMap { filedCase(of: $0) } }

    /// The case of one handoff, after the office has received the message that files it.
    func filedCase(of handoff: String) -> CaseNotice? {
        guard let filedAt = cases[handoff]?.filedAt, published.contains(UnitAct.fileCase.id(of: handoff)) else {
            return nil
        }
        return CaseNotice(handoff: handoff, filedAt: filedAt)
    }

    private mutating func wait(_ handoff: String, until at: Instant) {
        var low = 0
        var high = timers.count
        while low < high {
            let middle = (low + high) / 2
            if timers[middle].at > at { low = middle + 1 } else { high = middle }
        }
        timers.insert((at, handoff), at: low)
    }

    // MARK: Messages

    /// The value that decides how this unit handles a handoff: its text if readable, else the handoff's id.
    func matter(of handoff: String) -> String { cases[handoff]?.matter ?? handoff }

    private func plan(_ handoff: String) -> UnitPlan {
        UnitPlan(matter: matter(of: handoff), sealed: cases[handoff]?.sealed ?? false, behaviour: behaviour)
    }

    /// The message of an act.
    func posting(of due: DueAct, from unit: UnitID) -> Posting {
        let plan = plan(due.handoff)
        func event<Payload: Codable & Sendable>(_ type: MessageType, _ data: Payload) -> Posting {
            Posting(
                CloudEvent(
                    id: due.act.id(of: due.handoff), source: .unit(unit), type: type, subject: due.handoff,
                    time: due.at, data: data), to: Topology.Exchange.feedback)
        }
        switch due.act {
        case .sign:
            return event(.handoffSigned, HandoffSigned(digest: cases[due.handoff]?.digest ?? "", signedBy: "收发员"))
        case .giveBack:
            return event(.handoffReturned, HandoffReturned(reason: plan.returnReason ?? "", text: plan.returnText))
        case .progress: return event(.handoffProgress, HandoffProgress(text: "已调阅有关材料，正在了解核实。"))
        case .decide:
            return event(
                .dispositionDecided,
                DispositionDecided(disposition: plan.disposition, decidedOn: CivilDate(inChina: due.at)))
        case .fileCase:
            return event(.caseFiled, CaseNotice(handoff: due.handoff, filedAt: due.at).data)
        case .conclude(let round):
            let summary = round == 1 && plan.flaw == .noSummary ? "" : plan.summary
            return event(
                .handoffConcluded, HandoffConcluded(outcome: plan.outcome, summary: summary, reporterAnswered: true))
        }
    }
}

/// A filed case, as the unit notifies the case office.
struct CaseNotice: Hashable, Sendable {
    let handoff: String
    let filedAt: Instant

    var data: CaseFiled { CaseFiled(caseNumber: "LA-\(handoff.suffix(12))", filedOn: CivilDate(inChina: filedAt)) }
    var actID: String { "\(handoff)-case-notified" }

    func posting(from caseOffice: UnitID) -> Posting {
        Posting(
            CloudEvent(
                id: actID, source: .unit(caseOffice), type: .caseNotified, subject: handoff, time: filedAt, data: data),
            to: Topology.Exchange.feedback)
    }
}

extension CivilDate {
    /// The day in China (UTC+8).
    package init(inChina instant: Instant) {
        let seconds = Double(instant.microsecondsSinceEpoch) / 1_000_000 + 8 * 3600
        self.init(daysSinceEpoch: Int((seconds / 86_400).rounded(.down)))
    }
}
