import Basics
import BrokerTopology
import Foundation

/// How a broker and its nodes are, as an access to it tells. What this access cannot tell is `nil`.
package struct BrokerHealth: Sendable {
    package struct Node: Sendable {
        package var name: String
        package var isRunning: Bool
        /// Alarms that make the broker take no messages: `memory`, `disk`.
        package var alarms: [String]
        /// The nodes that it lost sight of and that went on alone.
        package var partitions: [String]
    }

    /// How long RabbitMQ waits for an acknowledgement before it ends a consumer.
    package enum ConsumerTimeout: Sendable, Equatable {
        case off
        case seconds(Double)
    }

    /// Such as `3.10.8`.
    package var version: String
    package var nodes: [Node]
    /// Connections whose publishing the broker has stopped.
    package var blockedConnections: Int
    package var consumerTimeout: ConsumerTimeout?
    /// After how many seconds of silence a node takes another for lost; one value for each node that tells it.
    package var tickSeconds: [Int]
    /// By how many seconds the node's clock is ahead of ours, and how exact that is.
    package var clock: (ahead: Double, within: Double)?
}

/// The replicas of a queue.
package struct QueueHealth: Sendable {
    package var name: String
    /// `quorum`, `classic` or `stream`.
    package var type: String
    package var leader: String?
    package var members: [String]
    package var online: [String]
}

/// As rabbitmqctl and the management interface write it.
struct WrittenQueue: Decodable {
    var name: String
    var type: String?
    var leader: String?
    var members: [String]?
    var online: [String]?

    var health: QueueHealth {
        // rabbitmqctl of some versions writes the name of the module.
        let type = (type ?? "").replacing("rabbit_", with: "").replacing("_queue", with: "")
        let leader = leader.flatMap { $0.isEmpty || $0 == "none" ? nil : $0 }
        return QueueHealth(name: name, type: type, leader: leader, members: members ?? [], online: online ?? [])
    }

    private enum CodingKeys: String, CodingKey { case name, type, leader, members, online }

    /// An empty value may be written as an empty text or an empty list, whatever its kind.
    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        name = try values.decode(String.self, forKey: .name)
        type = try? values.decode(String.self, forKey: .type)
        leader = try? values.decode(String.self, forKey: .leader)
        members = try? values.decode([String].self, forKey: .members)
        online = try? values.decode([String].self, forKey: .online)
    }
}

// MARK: rabbitmqctl

extension ControlAccess {
    package func health() throws -> BrokerHealth {
        let begun = Date()
        let written: Written = try answer(
            """
            Names = fun(L) -> [atom_to_binary(N, utf8) || N <- L] end, \
            {All, Up} = case erlang:function_exported(rabbit_nodes, list_members, 0) of \
            true -> {rabbit_nodes:list_members(), rabbit_nodes:list_running()}; \
            false -> {rabbit_mnesia:cluster_nodes(all), rabbit_mnesia:cluster_nodes(running)} end, \
            Lost = case catch rabbit_node_monitor:partitions() of L when is_list(L) -> L; _ -> [] end, \
            Count = length([1 || [{state, S}] <- rabbit_networking:connection_info_all([state]), \
            lists:member(S, [blocked, blocking])]), \
            Wait = case application:get_env(rabbit, consumer_timeout) of \
            {ok, T} when is_integer(T) -> T; _ -> 0 end, \
            #{version => list_to_binary(element(2, application:get_key(rabbit, vsn))), \
            all => Names(All), up => Names(Up), blocked => Count, wait => Wait, \
            alarms => [[atom_to_binary(R, utf8), atom_to_binary(N, utf8)] || \
            {{resource_limit, R, N}, _} <- rabbit_alarm:get_alarms()], \
            lost => [[atom_to_binary(N, utf8) | Names(O)] || {N, O} <- Lost], \
            tick => case net_kernel:get_net_ticktime() of {_, S} -> S; S -> S end, \
            now => os:system_time(millisecond)}
            """)
        // Starting rabbitmqctl takes a second or two, and somewhere in it the node told its time.
        let ended = Date()
        let middle = (begun.timeIntervalSince1970 + ended.timeIntervalSince1970) / 2
        return BrokerHealth(
            version: written.version,
            nodes: written.all.map { name in
                BrokerHealth.Node(
                    name: name, isRunning: written.up.contains(name),
                    alarms: written.alarms.filter { $0.last == name }.compactMap(\.first),
                    partitions: written.lost.filter { $0.first == name }.flatMap { $0.dropFirst() })
            },
            blockedConnections: written.blocked,
            consumerTimeout: written.wait == 0 ? .off : .seconds(written.wait / 1000),
            tickSeconds: [written.tick],
            clock: (written.now / 1000 - middle, ended.timeIntervalSince(begun) / 2))
    }

    private struct Written: Decodable {
        var version: String
        var all: [String]
        var up: [String]
        var alarms: [[String]]
        var lost: [[String]]
        var blocked: Int
        /// Milliseconds; 0 for never.
        var wait: Double
        var tick: Int
        var now: Double
    }

    package func queues(in virtualHost: String) throws -> [QueueHealth] {
        let columns = ["name", "type", "leader", "members", "online"]
        let text = try run(["--quiet", "list_queues", "-p", virtualHost, "--formatter", "json"] + columns)
        do {
            return try JSONDecoder().decode([WrittenQueue].self, from: Data(text.utf8)).map(\.health)
        } catch {
            throw UserError("\(name) printed queues that cannot be read")
        }
    }

    /// The value of an Erlang expression that JSON can hold. It comes as a tuple of the JSON's bytes, since
    /// `rabbitmqctl eval` breaks long texts into lines.
    private func answer<Answer: Decodable>(_ expression: String) throws -> Answer {
        let printed = try evaluated(
            "list_to_tuple(binary_to_list(iolist_to_binary(rabbit_json:encode((fun() -> \(expression) end)()))))")
        let bytes = printed.split { !$0.isNumber }.compactMap { UInt8($0) }
        do {
            return try JSONDecoder().decode(Answer.self, from: Data(bytes))
        } catch {
            throw UserError("\(name) said something else than was asked: \(printed.prefix(200))")
        }
    }
}

// MARK: The management interface

extension ManagementAccess {
    package func health() throws -> BrokerHealth {
        struct Overview: Decodable { var rabbitmq_version: String }
        struct Node: Decodable {
            var name: String
            var running: Bool
            var mem_alarm: Bool?
            var disk_free_alarm: Bool?
            var partitions: [String]?
            var net_ticktime: Int?
        }
        struct Connection: Decodable { var state: String? }
        let begun = Date()
        let (overview, date) = try sendForDate("GET", ["overview"])
        let ended = Date()
        let version = try JSONDecoder().decode(Overview.self, from: overview).rabbitmq_version
        let nodes = try JSONDecoder().decode([Node].self, from: try send("GET", ["nodes"]))
        let connections = try JSONDecoder().decode([Connection].self, from: try send("GET", ["connections"]))
        // The interface tells whole seconds.
        let clock = date.map { date in
            let middle = (begun.timeIntervalSince1970 + ended.timeIntervalSince1970) / 2
            return (date.timeIntervalSince1970 + 0.5 - middle, 0.5 + ended.timeIntervalSince(begun) / 2)
        }
        return BrokerHealth(
            version: version,
            nodes: nodes.map { node in
                BrokerHealth.Node(
                    name: node.name, isRunning: node.running,
                    alarms: (node.mem_alarm == true ? ["memory"] : []) + (node.disk_free_alarm == true ? ["disk"] : []),
                    partitions: node.partitions ?? [])
            },
            blockedConnections: connections.count { ["blocked", "blocking"].contains($0.state) },
            consumerTimeout: nil, tickSeconds: nodes.compactMap(\.net_ticktime), clock: clock)
    }

    package func queues(in virtualHost: String) throws -> [QueueHealth] {
        try JSONDecoder().decode([WrittenQueue].self, from: try send("GET", ["queues", virtualHost])).map(\.health)
    }
}
