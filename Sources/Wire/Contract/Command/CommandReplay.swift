import Casework

/// `command.replay`: a dead letter goes through its worker once more.
extension MessageType {
    public static let commandReplay = MessageType("bihuan.command.replay.v1")
}

extension MessageDefinition {
    static let commandReplay = MessageDefinition(
        .commandReplay, from: .person, about: .deadLetter, to: Worker.allCases, example: Nothing()
    ) { _ in .deadLetter(.replay) }
}
