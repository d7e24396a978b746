/// What persons of the office decide about a dead letter.
public enum DeadLetterOrder: Sendable {
    case replay
    case discard(CommandDiscard)
}
