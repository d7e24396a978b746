public import Contract

/// The place of each worker at the broker. Its permissions, its consumers and its queues follow from here.
extension Worker {
    /// The queues that it reads, in order of priority.
    public var queues: [String] {
        let command = Topology.Queue.command(self)
        return switch self {
        case .intake: [command, Topology.Queue.intake]
        case .routing: [Topology.Queue.routingExpress, command, Topology.Queue.routing]
        case .deadlines: [command]
        case .feedback: [command, Topology.Queue.feedback, Topology.Queue.unroutable, Topology.Queue.dead]
        }
    }

    /// The exchanges to which it publishes. All workers answer (`notice`). Intake notifies routing and passes sealed
    /// mail on; routing hands off; feedback takes handoffs back, releases them, and sends reports back to routing.
    /// Deadlines only sends notices.
    public var exchanges: [String] {
        switch self {
        case .intake, .feedback: [Topology.Exchange.handoff, Topology.Exchange.notice, Topology.Exchange.work]
        case .routing: [Topology.Exchange.handoff, Topology.Exchange.notice]
        case .deadlines: [Topology.Exchange.notice]
        }
    }
}
