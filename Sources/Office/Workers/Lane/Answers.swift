import Basics
import CaseStore
import Casework
import Contract
import PostgreSQL

/// What becomes of the acts that came: verdicts with their answers, refusals, dead letters and what was decided about
/// earlier ones.
struct Answers {
    private(set) var settlements: [InboxKey: Settlement] = [:]
    /// Why acts were refused, or ended as dead letters.
    private(set) var problems: [InboxKey: [Problem]] = [:]
    private(set) var deadLetters: [DeadLetter] = []
    /// Open dead letters of each sender of this transaction's dead ones.
    private var openDeadLetters: [String: Int] = [:]
    /// How many were not kept beside them.
    private var unkept: [String: Int] = [:]
    /// How often dead letters came that lie here already.
    private var cameAgain: [InboxKey: Int] = [:]
    private var deadLetterSettlements: [DeadLetterSettlement] = []
    /// What the operator is told once it stands: what was set aside, and why.
    private(set) var faults: [String] = []

    func verdict(of key: InboxKey) -> Verdict? { settlements[key]?.verdict }

    mutating func settle(_ key: InboxKey, _ verdict: Verdict, reply: OutboxRow? = nil) {
        settlements[key] = Settlement(
            key: key, verdict: verdict, replyType: reply?.type, reply: reply?.body, reportID: reply?.reports.first)
    }

    mutating func refuse(_ key: InboxKey, because problems: [Problem], reply: OutboxRow?) {
        self.problems[key] = problems
        settle(key, .refused, reply: reply)
    }

    mutating func takeBack(_ key: InboxKey, to settlement: Settlement?) { settlements[key] = settlement }

    mutating func report(_ fault: String) { faults.append(fault) }

    // MARK: Dead letters

    mutating func load(openDeadLetters: [(sender: String, count: Int)]) {
        for row in openDeadLetters { self.openDeadLetters[row.sender] = row.count }
    }

    /// Settles an act as dead, for this reason.
    mutating func settleAsDead(_ key: InboxKey, because problem: Problem) {
        settle(key, .dead)
        problems[key] = [problem]
    }

    /// Takes room for one more of a sender's; where there is none, it is counted as not kept.
    /// - Returns: how many wait, where there is no room; `nil` where there is.
    mutating func takeRoom(of sender: String, sendings: Int, countMax: Int) -> Int? {
        guard let open = openDeadLetters[sender] else { return nil }
        guard open >= countMax else {
            openDeadLetters[sender] = open + 1
            return nil
        }
        unkept[sender, default: 0] += sendings
        return open
    }

    /// Twice in one transaction is one row.
    mutating func keep(_ letter: DeadLetter) {
        if let place = deadLetters.firstIndex(where: { $0.id == letter.id }) {
            deadLetters[place].times += 1
        } else {
            deadLetters.append(letter)
        }
    }

    /// What lies among the dead letters came again.
    mutating func count(again key: InboxKey, sendings: Int) { cameAgain[key, default: 0] += sendings }

    mutating func settle(_ settlement: DeadLetterSettlement) { deadLetterSettlements.append(settlement) }

    // MARK: Writing

    func commands(at wall: Instant) -> [any Command] {
        var commands: [any Command] = []
        if !deadLetters.isEmpty { commands.append(InsertDeadLetters(letters: deadLetters)) }
        if !unkept.isEmpty { commands.append(CountUnkeptLetters(unkept, at: wall)) }
        if !cameAgain.isEmpty { commands.append(CountLettersAgain(cameAgain)) }
        if !deadLetterSettlements.isEmpty { commands.append(SettleDeadLetters(deadLetterSettlements)) }
        if !settlements.isEmpty { commands.append(SettleInbox(settlements.values.sorted { $0.key < $1.key })) }
        return commands
    }
}

extension Problem {
    static func tooManyDeadLetters(_ count: Int) -> Problem {
        Problem(
            code: "too_many_dead_letters",
            text:
                """
                \(count) messages of yours wait for a person at the office already; this one was not kept: mend \
                it, and send it again
                """
        )
    }
}
