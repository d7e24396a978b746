import Observability
import Terminal
import Text

extension Trouble {
    /// So many names are listed; the rest are counted.
    private static let namesMax = 6

    var mark: String { severity == .critical ? "!!" : "! " }
    var look: Look { severity == .critical ? .critical : .warning }

    /// What is wrong, in words with names, amounts and ages.
    func words(in view: OfficeView) -> String {
        let (count, age, names) = (Int(value), Age.text(value), Self.list(subjects))
        let bound = Age.text(kind.bound)
        switch kind {
        case .databaseUnreadable: return "the database cannot be read: \(view.problems.first ?? "")"
        case .queuesUnreadable: return "the queues cannot be read: \(view.problems.last ?? "")"
        case .queueDown: return brokenQueues(in: view)
        case .queueUnread: return "no worker reads \(Self.counted(count, "queue")): \(names)"
        case .queueLong:
            return "up to \(count) messages wait in a queue, more than \(Int(kind.bound)) in \(names)"
        case .workerMissing: return "no lane runs of \(names)"
        case .queuesUnleased: return "no lane holds \(Self.counted(count, "queue")) of parties, to be read by \(names)"
        case .outboxOld: return "a message to be sent has waited for \(age), longer than \(bound)"
        case .sweepLate: return "a step of a clock is late by \(age), longer than \(bound)"
        case .clocksSetAside: return "\(Self.counted(count, "clock")) set aside after a fault"
        case .deadLetters: return "\(Self.counted(count, "dead letter")) open: \(names)"
        case .deferredOld: return "a message ahead of its state has waited for \(age), longer than \(bound)"
        case .unsignedOld: return "not signed for \(age), longer than \(bound), by \(names)"
        case .overdue: return "\(Self.counted(count, "clock")) past the due date"
        case .changesHeld:
            return "an open transaction (\(names)) hides \(Self.counted(count, "transaction")) from readers"
        case .checkpointOld: return "nothing signed for \(age) although the ledger grew, longer than \(bound)"
        }
    }

    private func brokenQueues(in view: OfficeView) -> String {
        let states: [(OfficeView.Queue.State, String)] = [(.down, "down"), (.missing, "missing on the broker")]
        return states.compactMap { state, word in
            let names = (view.queues ?? []).filter { $0.state == state }.map(\.name)
            return names.isEmpty ? nil : "\(Self.counted(names.count, "queue")) \(word): \(Self.list(names))"
        }.joined(separator: "; ")
    }

    private static func counted(_ count: Int, _ thing: String) -> String { "\(count) \(thing)\(count == 1 ? "" : "s")" }

    private static func list(_ names: [String]) -> String {
        let shown = names.prefix(namesMax).joined(separator: ", ")
        return names.count > namesMax ? "\(shown) and \(names.count - namesMax) more" : shown
    }

    /// Lines of at most `width` cells: the mark, the words, and at the end the name of the alert.
    func lines(in view: OfficeView, width: Int?) -> [PageLine] {
        let text = "\(words(in: view)) [\(kind.rawValue)]"
        return wrapped(printable(text), to: width.map { max($0 - 3, 8) } ?? .max).enumerated().map { index, line in
            PageLine((index == 0 ? mark : "  ") + " " + line, look)
        }
    }
}

extension OfficeView {
    /// What is wrong, the worst first. What nobody asked for is no trouble.
    func troubles(withQueues asked: Bool) -> [Trouble] { troubles.filter { asked || $0.kind != .queuesUnreadable } }

    private func queues(where fits: (Queue) -> Bool) -> String {
        (queues ?? []).filter(fits).map(\.name).joined(separator: ", ")
    }

    /// Why `status` ends with 1: what could not be read, and queues that are of no use.
    /// - Parameter user: the broker's user that asked.
    func failures(user: String, advice: String) -> [String] {
        var failures = problems
        let (down, missing) = (queues { $0.state == .down }, queues { $0.state == .missing })
        let unknown = queues { $0.state == .up && $0.messages == nil }
        if !down.isEmpty { failures.append("down: \(down): \(advice)") }
        if !unknown.isEmpty {
            failures.append(
                """
                not known whether they are down: \(unknown): the user \(user) may not read them (docs/topology.md, \
                "A queue that is down")
                """)
        }
        if !missing.isEmpty { failures.append("missing on the broker: \(missing): run `bihuan topology apply`") }
        return failures
    }
}
