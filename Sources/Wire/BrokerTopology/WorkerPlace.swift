public import Contract

/// Where each worker stands at the broker. Its rights, its consumers and the queues that wait for it follow from here.
extension Worker {
    /// The queues it reads, those that overtake first.
    public var queues: [String] {
        let command = Topology.Queue.command(self)
        return switch self {
        case .intake: [command, Topology.Queue.intake]
        case .routing: [Topology.Queue.routingExpress, command, Topology.Queue.routing]
        case .deadlines: [command]
        case .feedback: [command, Topology.Queue.feedback, Topology.Queue.unroutable, Topology.Queue.dead]
        }
    }

    /// The exchanges it publishes to. All workers answer (`notice`). Intake notifies routing and passes sealed mail on;
    /// routing hands off; feedback takes handoffs back, releases them, and sends reports back to routing. Deadlines
    /// only remind.
    public var exchanges: [String] {
        switch self {
        case .intake, .feedback: [Topology.Exchange.handoff, Topology.Exchange.notice, Topology.Exchange.work]
        case .routing: [Topology.Exchange.handoff, Topology.Exchange.notice]
        case .deadlines: [Topology.Exchange.notice]
        }
    }
}
