/// A command of an office person about a duty of a unit or the office.
public enum DutyCommand: Sendable {
    case done
}

/// `command.duty_done`: what was owed for a period was delivered. The subject is the duty.
extension MessageType {
    public static let commandDutyDone = MessageType("bihuan.command.duty_done.v1")
}

extension MessageDefinition {
    static let commandDutyDone = MessageDefinition(
        .commandDutyDone, from: .person, about: .duty, to: [.deadlines], example: Nothing()
    ) { _ in .dutyCommand(.done) }
}
