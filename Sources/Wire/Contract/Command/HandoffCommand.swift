/// What persons of the office command about a handoff.
public enum HandoffCommand: Sendable {
    case recall(CommandRecall)
}
