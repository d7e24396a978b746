public import Contract

/// The place of each worker at the broker. Its permissions, its consumers and its queues follow from here.
extension Worker {
    /// The queues that all its lanes read, in order of priority.
    public var queues: [String] {
        let command = Topology.Queue.command(self)
        return switch self {
        case .intake, .deadlines: [command]
        case .routing: [Topology.Queue.routingExpress, command, Topology.Queue.routing]
        case .feedback: [command, Topology.Queue.unroutable, Topology.Queue.dead]
        }
    }

    /// The queue of a party that it reads; `nil` if it reads none of this party. One lane at a time reads it: lanes
    /// share these queues by leases.
    public func queue(of party: Party) -> String? {
        switch (self, party) {
        case (.intake, .source), (.feedback, .unit): Topology.Queue.inbound(from: party)
        default: nil
        }
    }

    /// The queue that all parties of this worker once shared, and that it reads to its end first.
    public var retiredQueue: String? {
        switch self {
        case .intake: "bihuan.intake"
        case .feedback: "bihuan.feedback"
        case .routing, .deadlines: nil
        }
    }

    /// The queues of parties that it reads; `*` stands for the id of any party.
    var partyQueues: String? {
        switch self {
        case .intake: "source.*.submit"
        case .feedback: "unit.*.acts"
        case .routing, .deadlines: nil
        }
    }

    /// Whether it reads queues of parties.
    public var readsParties: Bool { partyQueues != nil }

    /// All queues that it may read; `*` stands for the id of any party.
    var readableQueues: [String] { queues + [partyQueues, retiredQueue].compactMap(\.self) }

    /// The exchanges to which it publishes. All workers answer (`notice`). Intake notifies routing and passes sealed
    /// mail on; routing hands off; feedback takes handoffs back, releases them, sends reports back to routing, and
    /// sends markers to itself. Deadlines only sends notices.
    public var exchanges: [String] {
        switch self {
        case .intake, .feedback: [Topology.Exchange.handoff, Topology.Exchange.notice, Topology.Exchange.work]
        case .routing: [Topology.Exchange.handoff, Topology.Exchange.notice]
        case .deadlines: [Topology.Exchange.notice]
        }
    }
}
