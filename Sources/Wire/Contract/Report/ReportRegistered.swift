/// `report.registered`: intake passes a report to routing.
extension MessageType {
    public static let reportRegistered = MessageType("bihuan.report.registered.v1")
}

extension MessageDefinition {
    static let reportRegistered = MessageDefinition(
        .reportRegistered, from: .office(.intake), about: .report, to: [.routing], andSentTo: [.worker],
        example: InternalReference(report: Example.report, handoff: Example.handoff, bytes: 1_234)
    ) { .note(.reportRegistered($0)) }
}
