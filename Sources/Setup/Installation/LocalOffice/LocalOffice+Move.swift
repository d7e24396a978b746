import AMQP
import BrokerTopology
import LocalServers

/// The move of a directory that an earlier version filled.
extension LocalOffice {
    /// Unbinds the queues that all parties once shared, before the workers start, and deletes those that are empty. The
    /// start of the node has declared all others. Does nothing on a broker without such queues.
    static func moveBroker(of configuration: OfficeConfiguration, _ options: Options) throws {
        guard try hasRetiredQueue(configuration),
            let control = try RabbitMQControl.ofPrivateNode(in: options.directory)
        else { return }
        let sample = options.sample
        let topology = OfficeTopology(
            virtualHost: configuration.broker.virtualHost, units: sample.units.map(\.id),
            sources: sample.sources.map(\.id), persons: sample.persons.map(\.id), monitors: [],
            inboundBytesMax: configuration.inboundBytesMax)
        var application = TopologyApplication(topology, through: ControlAccess(control), .init(finishes: true))
        for reason in try application.run().reasons { options.report(reason) }
    }

    private static func hasRetiredQueue(_ configuration: OfficeConfiguration) throws -> Bool {
        let survey = try QueueSurvey(try configuration.operatorBrokerSettings())
        defer { survey.close() }
        return try Topology.Queue.retired.contains { try survey.state(of: $0) != .missing }
    }
}
