import Basics
import CaseStore
import Casework
import Contract
import Foundation
import PartyClient
import Terminal
import Text

/// Sends a command for each dead letter, many under way at once within a rate limit, and prints the results. Dead
/// letters of a sender that does not read its answers are held back.
struct SettlingRun<Payload: Codable & Sendable> {
    /// The most commands under way at once.
    private let windowMax = 100

    private let client: PersonClient
    private let options: SettlingOptions
    private let event: (DeadLetterSummary) -> CloudEvent<Payload>
    private let count: Int
    private var todo: ArraySlice<DeadLetterSummary>
    /// Dead letters held back until their sender reads its answers, by sender.
    private var kept: [String: ArraySlice<DeadLetterSummary>] = [:]
    private var waiting: [String: DeadLetterSummary] = [:]
    private var (done, refused) = ([String: Int](), 0)
    private var pace: Pace
    private var answers = AnswerPace()
    private var progress = ProgressLine()
    /// The time of the last command or verdict.
    private var movedAt = ContinuousClock.now

    init(
        _ letters: [DeadLetterSummary], by client: PersonClient, _ options: SettlingOptions,
        event: @escaping (DeadLetterSummary) -> CloudEvent<Payload>
    ) {
        (self.client, self.options, self.event) = (client, options, event)
        (count, todo) = (letters.count, letters[...])
        pace = Pace(perSecond: options.rate)
    }

    /// Settles the dead letters; true if all are settled.
    mutating func settle() throws -> Bool {
        while !todo.isEmpty || !kept.isEmpty || !waiting.isEmpty {
            try send()
            let mayGoOn = !todo.isEmpty && waiting.count < windowMax
            if let (act, verdict) = try client.next(within: mayGoOn ? pace.secondsLeft(at: .now) : 0.2) {
                take(verdict, of: act)
            }
            let decided = done.values.reduce(refused, +)
            let held = kept.keys.sorted().map { "\($0) has not read \(answers.depth(of: $0)) answers" }.joined(
                separator: ", ")
            progress.draw(
                "\(decided) of \(count) decided" + (held.isEmpty ? "" : ": \(held)"),
                share: Double(decided) / Double(count))
            if (ContinuousClock.now - movedAt).inSeconds > options.timeout, !waiting.isEmpty || todo.isEmpty { break }
        }
        progress.clear()
        return tell()
    }

    private mutating func send() throws {
        while waiting.count < windowMax, !todo.isEmpty || !kept.isEmpty, pace.secondsLeft(at: .now) == 0,
            let letter = try next()
        {
            _ = pace.take(at: .now)
            let command = event(letter)
            movedAt = .now
            waiting[command.id] = letter
            try client.publish(command, to: Worker(rawValue: letter.worker), timeoutSeconds: options.timeout)
        }
    }

    /// The next dead letter whose sender has room for an answer.
    private mutating func next() throws -> DeadLetterSummary? {
        for sender in kept.keys.sorted() where try mayAnswer(sender) {
            let letter = kept[sender]?.popFirst()
            if kept[sender]?.isEmpty == true { kept[sender] = nil }
            return letter
        }
        while let letter = todo.popFirst() {
            guard let sender = letter.sender else { return letter }
            if kept[sender] == nil, try mayAnswer(sender) { return letter }
            kept[sender, default: []].append(letter)
        }
        return nil
    }

    private mutating func mayAnswer(_ sender: String) throws -> Bool {
        let client = client
        return options.despiteUnread ? true : try answers.take(sender, at: .now) { try client.depth(of: $0) }
    }

    private mutating func take(_ verdict: PersonClient.Verdict, of act: String) {
        guard let letter = waiting.removeValue(forKey: act) else { return }
        movedAt = .now
        if let sender = letter.sender { answers.decided(sender) }
        switch verdict {
        case .taken(let text): done[text, default: 0] += 1
        case .contents: break
        case .refused(let problems):
            refused += 1
            progress.clear()
            Output.note("\(letter.id.lowercased): \(printable(problems.map(\.description).joined(separator: "; ")))")
        }
    }

    private func tell() -> Bool {
        for (text, count) in done.sorted(by: { $0.key < $1.key }) { Output.line("\(count) \(printable(text))") }
        if refused > 0 { Output.line("\(refused) not settled") }
        for (sender, letters) in kept.sorted(by: { $0.key < $1.key }) {
            Output.line("\(letters.count) left: \(printable(sender)) has not read \(answers.depth(of: sender)) answers")
            Output.note("run it again when \(printable(sender)) reads its queue, or with --despite-unread")
        }
        let silent = waiting.count + todo.count
        if silent > 0 {
            let workers = Set(waiting.values.map(\.worker)).sorted().joined(separator: ", ")
            Output.note(
                """
                no verdict about \(silent) within \(Int(options.timeout)) s: the commands are with the office; \
                run it again, and \
                see that the workers \(workers) run
                """)
        }
        return refused == 0 && silent == 0 && kept.isEmpty
    }
}
