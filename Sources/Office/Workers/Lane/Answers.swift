import Basics
import CaseStore
import Casework
import Contract
import PostgreSQL

/// The results of a transaction for the received acts: verdicts with their answers, refusals, dead letters, and
/// decisions about earlier dead letters.
struct Answers {
    private(set) var settlements: [InboxKey: Settlement] = [:]
    /// Acts that a desk took. Nothing is written for them: their inbox rows say so since they were claimed.
    private var taken: Set<InboxKey> = []
    /// The reasons why acts were refused or became dead letters.
    private(set) var problems: [InboxKey: [Problem]] = [:]
    private(set) var deadLetters: [DeadLetter] = []
    /// The number of open dead letters of each sender that has new ones in this transaction.
    private var openDeadLetters: [String: Int] = [:]
    /// The number of messages that were not kept because their sender has too many dead letters.
    private var unkept: [String: Int] = [:]
    /// How often messages came again that are already dead letters.
    private var cameAgain: [InboxKey: Int] = [:]
    private var deadLetterSettlements: [DeadLetterSettlement] = []
    /// Messages to the operator, logged after the commit: what was set aside, and why.
    private(set) var faults: [String] = []

    /// `nil` if nobody has settled the act.
    func verdict(of key: InboxKey) -> Verdict? { settlements[key]?.verdict ?? (taken.contains(key) ? .taken : nil) }

    /// Settles an act as taken that has no answer, or has another settlement already.
    mutating func take(_ key: InboxKey) { taken.insert(key) }

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

    /// Settles an act with the verdict `dead`, for this reason.
    mutating func settleAsDead(_ key: InboxKey, because problem: Problem) {
        settle(key, .dead)
        problems[key] = [problem]
    }

    /// Takes room for one more dead letter of a sender. If there is none, its sendings are counted as not kept.
    /// - Returns: `nil` if there is room; otherwise the number of the sender's open dead letters.
    mutating func takeRoom(of sender: String, sendings: Int, countMax: Int) -> Int? {
        guard let open = openDeadLetters[sender] else { return nil }
        guard open >= countMax else {
            openDeadLetters[sender] = open + 1
            return nil
        }
        unkept[sender, default: 0] += sendings
        return open
    }

    /// Adds a dead letter. If it comes twice in one transaction, it is one row.
    mutating func keep(_ letter: DeadLetter) {
        if let place = deadLetters.firstIndex(where: { $0.id == letter.id }) {
            deadLetters[place].times += 1
        } else {
            deadLetters.append(letter)
        }
    }

    /// Counts the repeats of a message that is already a dead letter.
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
