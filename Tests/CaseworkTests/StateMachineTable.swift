/// A state machine as a readable table: under each state a line for every event, grouped where the results are equal.
///
///     released:
///         confirmed → dispatched
///         signed → signed; stop(signed), report(signedFor)
///         returned, progressed → early
///         approved → refused wrong_state
struct StateMachineTable {
    enum Outcome: Hashable {
        case moves(to: String, effects: [String])
        case early
        case refused(String)
    }

    struct Cell: Hashable {
        let state: String
        let event: String
    }

    private(set) var cells: [Cell: Outcome] = [:]
    /// Lines without content, and events that are listed twice under a state.
    private(set) var mistakes: [String] = []

    init(_ text: String) {
        var state = ""
        for line in text.split(separator: "\n").map({ $0.trimmed }) where !line.isEmpty {
            if line.hasSuffix(":") {
                state = String(line.dropLast())
                continue
            }
            let halves = line.split(separator: "→").map { $0.trimmed }
            guard halves.count == 2, let outcome = Outcome(halves[1]) else {
                mistakes.append(line)
                continue
            }
            for event in halves[0].split(separator: ",").map({ $0.trimmed }) {
                if cells.updateValue(outcome, forKey: Cell(state: state, event: event)) != nil {
                    mistakes.append("\(state): \(event)")
                }
            }
        }
    }

    func outcome(_ state: String, _ event: some Any) -> Outcome? { cells[Cell(state: state, event: "\(event)")] }
}

extension StateMachineTable.Outcome {
    fileprivate init?(_ text: String) {
        if text == "early" {
            self = .early
        } else if text.hasPrefix("refused ") {
            self = .refused(String(text.dropFirst("refused ".count)))
        } else {
            let parts = text.split(separator: ";", maxSplits: 1).map { $0.trimmed }
            guard let next = parts.first else { return nil }
            self = .moves(to: next, effects: parts.count == 2 ? parts[1].split(separator: ",").map { $0.trimmed } : [])
        }
    }
}

extension StringProtocol {
    fileprivate var trimmed: String {
        String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
