/// `handoff.came_back`: feedback passes a report whose return was approved to routing.
extension MessageType {
    public static let handoffCameBack = MessageType("bihuan.handoff.came_back.v1")
}

extension MessageDefinition {
    static let handoffCameBack = MessageDefinition(
        .handoffCameBack, from: .office(.feedback), about: .report, to: [.routing], andSentTo: [.worker],
        example: InternalReference(report: Example.report, handoff: Example.handoff)
    ) { .note(.handoffCameBack($0)) }
}
