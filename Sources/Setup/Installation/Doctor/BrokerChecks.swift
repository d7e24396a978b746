import AMQP
import Basics
import BrokerTopology
import CaseStore
import Contract
import Foundation
import Terminal

// The broker: who gets in, and whether it holds what the office needs.

extension DoctorCheck {
    /// The oldest RabbitMQ that works.
    private static let oldestBroker = [3, 10]

    static let broker = [
        DoctorCheck("broker.reachable", "the broker answers", needs: [.broker]) { patient in
            guard let user = try patient.brokerUsers().first else { throw NotTold.passwords }
            do throws(AMQPError) {
                try AMQP.Connection(user).close()
                return []
            } catch {
                // Who was refused was answered; that is another question.
                return isRefusal(error) ? [] : [.told(.error, error)]
            }
        },
        DoctorCheck("broker.version", "RabbitMQ 3.10 or newer", needs: [.control]) { patient in
            let version = try patient.health().version
            let numbers = version.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
            guard numbers.count == 2 else { return [.unknown("the broker says \"\(version)\"")] }
            return numbers.lexicographicallyPrecedes(oldestBroker)
                ? [.wrong("it is RabbitMQ \(version)", do: "move to RabbitMQ 3.10 or newer")] : []
        },
        DoctorCheck("broker.logins", "workers and the operator get into the virtual host", needs: [.broker], logins),
        DoctorCheck(
            "broker.topology", "queues, bindings, users, passwords, rights and policies", needs: [.control, .database],
            topology),
        DoctorCheck("broker.alarms", "the broker takes messages", needs: [.control]) { patient in
            let health = try patient.health()
            var findings = health.nodes.flatMap { node in
                node.alarms.map { alarm in
                    Finding.wrong(
                        "\(node.name) has the alarm \(alarm): nobody can publish",
                        do: alarm == "disk"
                            ? "make room on its disk; `rabbitmqctl status` shows the limit disk_free_limit"
                            : "find what fills its memory (`rabbitmqctl status`), or raise vm_memory_high_watermark")
                }
            }
            if health.blockedConnections > 0 {
                findings.append(
                    .risky(
                        "\(health.blockedConnections) connections are blocked from publishing",
                        do: "end the alarm; `rabbitmqctl list_connections user state` names them"))
            }
            return findings
        },
        DoctorCheck("broker.limits", "the longest message, and how long a consumer may think", needs: [.control]) {
            patient in
            var findings: [Finding] = []
            let limit = Limits.standard.messageBytesMax
            if let bytes = try patient.access().messageBytesMax() {
                if !(limit...8 * limit).contains(bytes) {
                    let advice =
                        "set max_message_size in rabbitmq.conf to \(limit) to \(8 * limit), and restart the broker"
                    findings.append(
                        bytes < limit
                            ? .wrong("max_message_size is \(bytes): the broker refuses messages of units", do: advice)
                            : .risky("max_message_size is \(bytes): a long message costs much memory", do: advice))
                }
            } else {
                findings.append(.untold("max_message_size", do: "run it on the broker's machine, without --management"))
            }
            switch try patient.health().consumerTimeout {
            case .seconds(let seconds) where seconds < 300:
                findings.append(
                    .risky(
                        "consumer_timeout is \(Int(seconds)) s: the broker ends a worker that waits for its database",
                        do: "set consumer_timeout in rabbitmq.conf to 1800000 (milliseconds), and restart the broker"))
            case nil: findings.append(.untold("consumer_timeout"))
            default: break
            }
            return findings
        },
        DoctorCheck("broker.cluster", "every node runs, and none lost sight of another", needs: [.control]) { patient in
            let health = try patient.health()
            var findings = health.nodes.filter { !$0.isRunning }.map {
                Finding.wrong("the node \($0.name) does not run", do: "start it, or take it out: forget_cluster_node")
            }
            for node in health.nodes where !node.partitions.isEmpty {
                findings.append(
                    .wrong(
                        "\(node.name) lost sight of \(node.partitions.joined(separator: ", ")) and went on alone",
                        do: "restart the smaller part; set cluster_partition_handling to pause_minority"))
            }
            if Set(health.tickSeconds).count > 1 {
                let ticks = health.tickSeconds.map(String.init).joined(separator: ", ")
                findings.append(
                    .wrong("nodes have different net_ticktime: \(ticks)", do: "give all nodes the same"))
            }
            if let tick = health.tickSeconds.min(), tick < 10 {
                findings.append(
                    .risky(
                        "net_ticktime is \(tick) s: a short pause makes a node take another for lost",
                        do: "leave it at 60"))
            }
            return findings
        },
        DoctorCheck("broker.clock", "the broker's clock agrees with this machine's", needs: [.control]) { patient in
            guard let clock = try patient.health().clock else { throw NotTold(text: "the broker's time", advice: nil) }
            return clockFindings("the broker's", ahead: clock.ahead, within: clock.within)
        },
    ]

    private static func isRefusal(_ error: AMQPError) -> Bool {
        error.code == .authenticationFailed || error.replyCode == 530 || error.replyCode == 403
    }

    private static func logins(_ patient: Patient) throws -> [Finding] {
        let users = try patient.brokerUsers()
        if users.isEmpty { throw NotTold.passwords }
        var findings: [Finding] = []
        for user in users {
            do throws(AMQPError) {
                try AMQP.Connection(user).close()
            } catch {
                // A broker that does not answer one of them answers none.
                guard isRefusal(error) else { throw error }
                let isVirtualHost = error.replyCode == 530
                findings.append(
                    .wrong(
                        isVirtualHost
                            ? "\(user.user) may not enter the virtual host \(user.virtualHost), or there is none"
                            : user.authentication == .external
                                ? "\(user.user) is refused: its certificate names another user, or there is none of "
                                    + "its name"
                                : "\(user.user) is refused: its password here is not the one at the broker",
                        do: user.authentication == .external
                            ? "look at the common name of its certificate, and run `bihuan topology diff`"
                            : "run `bihuan setup` again, which gives the broker's users the passwords that are here"))
            }
        }
        return findings
    }

    /// So many differences are shown.
    private static let differencesMax = 10

    private static func topology(_ patient: Patient) throws -> [Finding] {
        let (configuration, topology) = (try patient.configuration(), try patient.topology())
        var passwords: [String: String] = [:]
        for user in topology.definitions.users {
            let name = user.role.description
            passwords[name] = configuration.users[name.replacing(".", with: "-")]
        }
        let difference = TopologyDifference(
            wanted: topology.file(), found: try patient.definitions(), virtualHost: configuration.broker.virtualHost,
            // The check of limits looks at it.
            messageBytesMax: Limits.standard.messageBytesMax, passwords: passwords)
        // A monitor is named on the command line of `topology`, so its user is not known here.
        let lines = difference.lines.filter { line in
            !(line.mark == .unwanted && line.text.contains(/(user|permission) monitor\./))
        }
        let shown = lines.prefix(differencesMax).map { line in
            let isPassword = line.text.hasSuffix("the password is not the one given")
            let what = isPassword ? "user " + line.text.dropFirst(5) : line.text
            let advice =
                isPassword
                ? "run `bihuan setup` again, which gives the broker's users the passwords that are here"
                : line.needsPrune
                    ? "look at `bihuan topology diff`; `bihuan topology apply --prune` removes it"
                    : line.mustBeDeletedFirst
                        ? "see docs/topology.md: it must be deleted and made again" : "run `bihuan topology apply`"
            return line.needsPrune
                ? Finding.risky("not wanted: \(what)", do: advice)
                : Finding.wrong("\(line.mark == .missing ? "missing: " : "")\(what)", do: advice)
        }
        let more = lines.count - shown.count
        return shown
            + (more > 0 ? [.wrong("\(more) more differences", do: "look at `bihuan topology diff`")] : [])
            + difference.notes.filter { !$0.hasPrefix("\(OfficeConfiguration.operatorUser) is no user") }
            .map { .note($0) }
    }
}
