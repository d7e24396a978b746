/// `report.received`: the bare receipt, for a source that may learn only that its message arrived.
extension MessageType {
    public static let reportReceived = MessageType("bihuan.report.received.v1")
}

extension MessageDefinition {
    static let reportReceived = MessageDefinition(
        .reportReceived, from: .intake, about: .submission, sentTo: [.sourceNotice], example: Nothing())
}
