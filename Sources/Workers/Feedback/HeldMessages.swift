import CaseStore
import Casework
import Contract

extension Docket {
    /// Tries what is held for a handoff again, oldest first, until none moves.
    mutating func retryHeld(of handoff: HandoffID) {
        guard let report = reportOf[handoff] else { return }
        var moved = true
        while moved {
            moved = false
            for message in waiting(for: handoff, in: report) {
                guard let act = open(message) else { continue }
                switch perform(act) {
                case .early: continue
                case .done:
                    release(message)
                    // Its claim says `held`; an answer, where the act has one, has set it already.
                    if settlements[message.key] == nil || settlements[message.key]?.verdict == .held { settle(message.key, .taken) }
                case .refused(let problem):
                    release(message)
                    refuseHeld(message, act: act, problem)
                }
                moved = true
                break
            }
        }
    }

    /// The signature never came: what waited for it is refused.
    mutating func giveUpHeld(of report: ReportID, heldBefore: Instant) {
        for message in held[report] ?? [] where message.heldAt < heldBefore && !noLongerHeld.contains(message.key) {
            guard let act = open(message) else { continue }
            switch perform(act) {
            case .done(let handoff):
                release(message)
                if settlements[message.key] == nil { settle(message.key, .taken) }
                retryHeld(of: handoff)
            case .refused(let problem):
                release(message)
                refuseHeld(message, act: act, problem)
            case .early:
                release(message)
                refuseHeld(
                    message, act: act,
                    Problem(
                        code: Refusal.neverSigned.rawValue,
                        text: "the handoff was never signed for; sign it, then send this again under a new id"))
            }
        }
    }

    func waiting(for handoff: HandoffID, in report: ReportID) -> [HeldMessage] {
        ((held[report] ?? []) + newlyHeld).filter { $0.handoffID == handoff && !noLongerHeld.contains($0.key) }
    }

    private mutating func release(_ message: HeldMessage) {
        if newlyHeld.contains(where: { $0.key == message.key }) {
            newlyHeld.removeAll { $0.key == message.key }
        } else {
            noLongerHeld.insert(message.key)
        }
    }

    private mutating func refuseHeld(_ message: HeldMessage, act: Act, _ problem: Problem) {
        refuse(
            message.key, from: act.sender, type: message.type, subject: act.message.envelope.subject,
            inReplyTo: message.key.eventID, problems: [problem])
    }

    /// A held message is read again; its bytes were readable when it was held, and are bound to their row.
    private func open(_ message: HeldMessage) -> Act? {
        do {
            let bytes = try vault.open(message.box, context: Vault.context(message: message.key.sender, message.key.eventID))
            let read = try Message(reading: bytes, typeHint: message.type)
            return Act(key: message.key, message: read, sender: read.envelope.source)
        } catch {
            return nil
        }
    }
}
