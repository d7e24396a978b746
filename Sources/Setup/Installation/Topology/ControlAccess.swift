import Basics
import BrokerTopology
import Contract
import Foundation
import LocalServers

/// Access through `rabbitmqctl`, on the broker's own machine.
struct ControlAccess: BrokerAccess {
    private let control: RabbitMQControl
    private static let patienceSeconds = 60.0

    init(_ control: RabbitMQControl) { self.control = control }

    var name: String { "rabbitmqctl for \(control.node)" }

    func ports() throws -> Set<Int> {
        // The fields are: record name, node, protocol, host, address, port, options.
        let printed = try evaluated(
            """
            list_to_tuple([element(6, L) || L <- rabbit_networking:active_listeners(), \
            lists:member(element(3, L), ['amqp', 'amqp/ssl'])])
            """)
        return Set(printed.matches(of: /[0-9]+/).compactMap { Int($0.output) })
    }

    func messageBytesMax() throws -> Int? {
        let printed = try evaluated("application:get_env(rabbit, max_message_size)")
        return printed.wholeMatch(of: /\{ok,(\d+)\}/).flatMap { Int($0.1) }
    }

    func definitions() throws -> DefinitionsFile {
        let text = try run(["--quiet", "export_definitions", "-", "--format", "json"])
        do {
            return try JSONDecoder().decode(DefinitionsFile.self, from: Data(text.utf8))
        } catch {
            throw UserError("\(name) printed definitions that cannot be read: is it a RabbitMQ of 3.8 or newer?")
        }
    }

    func add(_ definitions: DefinitionsFile) throws {
        _ = try run(["--quiet", "import_definitions", "--format", "json"], input: try definitions.json())
    }

    func remove(_ removal: TopologyDifference.Removal, in virtualHost: String, wanted: DefinitionsFile) throws {
        let host = ["--vhost", virtualHost]
        switch removal {
        case .user(let user): _ = try run(["--quiet", "delete_user", user])
        case .userLimit(let user, let limit): _ = try run(["--quiet", "clear_user_limits", user, limit])
        case .permission(let user): _ = try run(["--quiet", "clear_permissions"] + host + [user])
        case .topicPermission(let user, let exchange):
            _ = try run(["--quiet", "clear_topic_permissions"] + host + [user, exchange])
        case .policy(let policy): _ = try run(["--quiet", "clear_policy"] + host + [policy])
        case .queue(let queue): _ = try run(["--quiet", "delete_queue"] + host + [queue])
        // rabbitmqctl has no command for these two.
        case .exchange(let exchange):
            try evaluate(
                "rabbit_exchange:delete(\(resource(virtualHost, "exchange", exchange)), false, \(ControlAccess.actor))")
        case .binding(let binding):
            let kind = binding.destination_type == "queue" ? "queue" : "exchange"
            try evaluate(
                """
                Found = [B || B <- rabbit_binding:list(\(ControlAccess.binary(virtualHost))), \
                element(2, B) =:= \(resource(virtualHost, "exchange", binding.source)), \
                element(3, B) =:= \(ControlAccess.binary(binding.routing_key)), \
                (element(5, B) =:= []) =:= \(binding.arguments.isEmpty), \
                element(4, B) =:= \(resource(virtualHost, kind, binding.destination))], \
                lists:foreach(fun(B) -> ok = rabbit_binding:remove(B, \(ControlAccess.actor)) end, Found)
                """)
        }
    }

    func depth(of queue: String, in virtualHost: String) throws -> QueueDepth? {
        // `list_queues` shows figures of a quorum queue up to five seconds old, and none of a queue that is down. This
        // asks the queue itself, which counts unacknowledged messages too.
        let printed = try evaluated(
            """
            case rabbit_amqqueue:lookup(\(resource(virtualHost, "queue", queue))) of \
            {ok, Q} -> {ok, Ready, Readers} = rabbit_amqqueue:stat(Q), \
            case amqqueue:get_type(Q) of rabbit_quorum_queue -> \
            case ra:leader_query(amqqueue:get_pid(Q), fun rabbit_fifo:query_messages_total/1) of \
            {ok, {_, Total}, _} -> {depth, Total, Readers}; _ -> down end; \
            _ -> [{_, Held}] = rabbit_amqqueue:info(Q, [messages_unacknowledged]), {depth, Ready + Held, Readers} end; \
            _ -> none end
            """)
        if printed == "none" { return nil }
        if printed == "down" { throw UserError("the queue \(queue) does not answer: \(QueueSurvey.advice)") }
        guard let match = printed.wholeMatch(of: /\{depth,(\d+),(\d+)\}/), let messages = Int(match.1),
            let readers = Int(match.2)
        else { throw UserError("\(name) does not say how much the queue \(queue) holds: \(printed)") }
        return QueueDepth(messages: messages, consumers: readers)
    }

    // MARK: Erlang

    private static let actor = binary("bihuan")

    /// A name as an Erlang binary of its bytes, so that nothing in it is read as Erlang.
    private static func binary(_ text: String) -> String {
        "<<" + text.utf8.map(String.init).joined(separator: ",") + ">>"
    }

    private func resource(_ virtualHost: String, _ kind: String, _ name: String) -> String {
        "rabbit_misc:r(\(ControlAccess.binary(virtualHost)), \(kind), \(ControlAccess.binary(name)))"
    }

    private func evaluate(_ expression: String) throws {
        let printed = try evaluated(expression)
        guard printed == "ok" else { throw UserError("\(name) could not remove something: \(printed)") }
    }

    func evaluated(_ expression: String) throws -> String {
        try run(["--quiet", "eval", expression + "."]).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func run(_ arguments: [String], input: Data? = nil) throws -> String {
        do throws(LocalServersError) {
            return try control.run(arguments, input: input, seconds: ControlAccess.patienceSeconds)
        } catch {
            let lines = (error.cause ?? "").split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
            let reason = lines.first { $0.hasPrefix("Error") } ?? lines.first ?? error.description
            throw UserError(
                """
                \(name) was tried and failed: \(reason)\nDoes the broker run on this machine, and do you run this \
                as root or as its user? \
                Elsewhere give --management URL, with the management plugin enabled on the broker.
                """)
        }
    }
}
