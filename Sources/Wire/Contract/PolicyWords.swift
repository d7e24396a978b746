public import Casework
import Text

extension Rulebook {
    /// A word of an act that the policy does not know. The word itself is not repeated: a shifted column may have put a
    /// name there.
    public func unknownWord(in body: Message.Body) -> Problem? {
        switch body {
        case .dispositionDecided(let data):
            unknown(data.disposition, policy.vocabulary.dispositions.map(\.id), "data.disposition")
        case .handoffReturned(let data): unknown(data.reason, policy.vocabulary.returnReasons.map(\.id), "data.reason")
        case .handoffConcluded(let data):
            unknown(data.outcome, policy.vocabulary.conclusionOutcomes.map(\.id), "data.outcome")
        default: nil
        }
    }

    private func unknown(_ word: String, _ words: [String], _ path: String) -> Problem? {
        if words.contains(word) { return nil }
        return Problem(
            code: Refusal.unknownWord.rawValue, path: path,
            text: "the policy does not know this word" + Suggestion.phrase(for: String(word.prefix(40)), among: words)
                + Suggestion.known(words))
    }
}
