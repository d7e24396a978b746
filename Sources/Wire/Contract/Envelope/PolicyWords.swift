public import Casework
import Text

/// A word of the policy in a message, and the list that must contain it.
struct PolicyWord: Sendable {
    let word: String
    let path: String
    let list: List

    enum List { case dispositions, returnReasons, conclusionOutcomes, handoffKinds, authorities }

    init(_ word: String, at path: String, of list: List) {
        self.word = word
        self.path = path
        self.list = list
    }
}

extension Rulebook {
    /// The problem of a word that the policy does not contain. The text does not repeat the word: in data with
    /// shifted columns it may be a name.
    public func unknownWord(in message: Message) -> Problem? {
        for word in message.words {
            let known = words(of: word.list)
            if known.contains(word.word) { continue }
            return Problem(
                code: Refusal.unknownWord.rawValue, path: word.path,
                text: "the policy does not know this word"
                    + Suggestion.phrase(for: String(word.word.prefix(40)), among: known) + Suggestion.known(known))
        }
        return nil
    }

    private func words(of list: PolicyWord.List) -> [String] {
        switch list {
        case .dispositions: policy.vocabulary.dispositions.map(\.id)
        case .returnReasons: policy.vocabulary.returnReasons.map(\.id)
        case .conclusionOutcomes: policy.vocabulary.conclusionOutcomes.map(\.id)
        case .handoffKinds: policy.vocabulary.handoffKinds.map(\.id)
        case .authorities: policy.vocabulary.authorities.map(\.id)
        }
    }
}
