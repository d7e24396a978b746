/// A command of an office person for a dead letter.
public enum DeadLetterOrder: Sendable {
    case replay
    case discard(CommandDiscard)
}
