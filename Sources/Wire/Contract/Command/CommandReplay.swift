import Casework

/// `command.replay`: a dead letter is processed by its worker again.
extension MessageType {
    public static let commandReplay = MessageType("bihuan.command.replay.v1")
}

extension MessageDefinition {
    static let commandReplay = MessageDefinition(
        .commandReplay, from: .person, about: .deadLetter, to: Worker.allCases, example: Nothing()
    ) { _ in .deadLetter(.replay) }
}
