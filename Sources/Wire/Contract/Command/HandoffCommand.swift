/// A command of an office person for a handoff.
public enum HandoffCommand: Sendable {
    case recall(CommandRecall)
}
