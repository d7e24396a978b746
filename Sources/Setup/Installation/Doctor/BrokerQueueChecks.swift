import AMQP
import Basics
import BrokerTopology
import Contract
import Terminal

// The broker's queues: whether they keep what is in them, and whether somebody reads them.

extension DoctorCheck {
    static let brokerQueues = [
        DoctorCheck("broker.queues", "each queue has its leader and its replicas", needs: [.control]) { patient in
            let configuration = try patient.configuration()
            let nodes = try patient.health().nodes.count
            let queues = try patient.access().queues(in: configuration.broker.virtualHost)
            let ours = queues.filter { $0.name.hasPrefix("bihuan.") || BrokerRole.isOurs($0.name) }
            func named(_ queues: [QueueHealth]) -> String { names(queues.map(\.name)) }
            let quorum = ours.filter { $0.type == "quorum" && !$0.members.isEmpty }
            let headless = quorum.filter { $0.leader == nil || 2 * $0.online.count <= $0.members.count }
            let short = quorum.filter { queue in
                queue.online.count < queue.members.count && !headless.contains { $0.name == queue.name }
            }
            let alone = quorum.filter { $0.members.count < min(3, nodes) }
            let silent = ours.filter { $0.type == "quorum" && $0.members.isEmpty }
            var findings: [Finding] = []
            if ours.isEmpty { findings.append(.unknown("there is no queue of the office")) }
            if !silent.isEmpty {
                findings.append(.unknown("the replicas of \(named(silent))", do: "ask again in some seconds"))
            }
            if !headless.isEmpty {
                findings.append(.wrong("without a leader: \(named(headless))", do: QueueSurvey.advice))
            }
            if !short.isEmpty {
                findings.append(
                    .risky("not all replicas are there: \(named(short))", do: "start the missing nodes"))
            }
            if !alone.isEmpty {
                findings.append(
                    .risky(
                        "fewer than \(min(3, nodes)) replicas: \(named(alone))",
                        do: "rabbitmq-queues grow NODE all --vhost-pattern "
                            + "\"^\(configuration.broker.virtualHost)$\" for each node"))
            }
            return findings
        },
        DoctorCheck(
            "broker.consumers", "every queue that the office reads has a reader", needs: [.broker, .database]
        ) { patient in
            let depths = try patient.depths()
            let missing = depths.states.filter { $0.state == .missing }.map(\.queue)
            let down = depths.states.filter { $0.state == .down }.map(\.queue)
            let unread = depths.states.filter { if case .up(_, 0) = $0.state { true } else { false } }.map(\.queue)
            var findings: [Finding] = []
            if !missing.isEmpty {
                findings.append(.wrong("missing: \(names(missing))", do: "run `bihuan topology apply`"))
            }
            if !down.isEmpty { findings.append(.wrong("down: \(names(down))", do: QueueSurvey.advice)) }
            if !unread.isEmpty {
                findings.append(
                    .wrong(
                        "nobody reads \(names(unread))",
                        do: "start the workers that read them (docs/topology.md, \"Queues\"); if they run, see "
                            + "office.workers and their logs"))
            }
            if !depths.unchecked.isEmpty {
                findings.append(
                    .untold(
                        "whether \(names(depths.unchecked)) are empty or down",
                        do: "put the password of operator here: it may read every queue"))
            }
            return findings
        },
    ]

    /// A few names, and how many more there are.
    static func names(_ names: [String]) -> String {
        let shown = names.prefix(6).joined(separator: ", ")
        return names.count > 6 ? shown + " and \(names.count - 6) more" : shown
    }
}
