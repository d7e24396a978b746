package import AMQP
import Basics
package import BrokerTopology
import Contract
package import Foundation
import FoundationNetworking
import Synchronization

/// Access through RabbitMQ's management interface, from any machine. The user needs the tag `administrator`. To
/// remove queues, bindings and exchanges, the user also needs all rights in the virtual host, since the interface
/// acts as the user.
package struct ManagementAccess: BrokerAccess {
    private let url: URL
    private let user: String
    private let password: String
    /// The AMQP settings of the same broker, to ask a queue itself for its messages.
    private let broker: AMQP.ConnectionSettings
    private let session: URLSession
    /// For one request and its answer.
    private let patienceSeconds: Double

    /// - Parameter broker: the AMQP settings; its user and password are replaced by the management user's.
    package init(
        _ url: URL, user: String, password: String, broker: AMQP.ConnectionSettings, patienceSeconds: Double = 60
    ) {
        self.patienceSeconds = patienceSeconds
        self.url = url
        self.user = user
        self.password = password
        var broker = broker
        (broker.user, broker.password) = (user, password)
        self.broker = broker
        let configuration = URLSessionConfiguration.ephemeral
        configuration.timeoutIntervalForRequest = patienceSeconds / 2
        configuration.timeoutIntervalForResource = patienceSeconds
        session = URLSession(configuration: configuration, delegate: ChallengeRefusal(), delegateQueue: nil)
    }

    package var name: String { "the management interface at \(url.absoluteString) as user \(user)" }

    package func ports() throws -> Set<Int> {
        struct Overview: Decodable {
            struct Listener: Decodable {
                var `protocol`: String
                var port: Int
            }
            var listeners: [Listener]
        }
        let overview = try JSONDecoder().decode(Overview.self, from: try send("GET", ["overview"]))
        return Set(overview.listeners.filter { ["amqp", "amqp/ssl"].contains($0.protocol) }.map(\.port))
    }

    /// A queue reports its unacknowledged messages every 5 s, and the interface collects reports every 5 s.
    package var figuresLateSeconds: Double { 11 }

    package func definitions() throws -> DefinitionsFile {
        let answer = try send("GET", ["definitions"])
        do {
            return try JSONDecoder().decode(DefinitionsFile.self, from: answer)
        } catch {
            throw UserError("\(name) answered with something else than definitions: is the URL right?")
        }
    }

    package func add(_ definitions: DefinitionsFile) throws {
        _ = try send("POST", ["definitions"], try definitions.json())
    }

    package func remove(_ removal: TopologyDifference.Removal, in virtualHost: String, wanted: DefinitionsFile) throws {
        switch removal {
        case .user(let user): _ = try send("DELETE", ["users", user])
        case .userLimit(let user, let limit): _ = try send("DELETE", ["user-limits", user, limit])
        case .permission(let user): _ = try send("DELETE", ["permissions", virtualHost, user])
        case .topicPermission(let user, _): try removeTopicPermissions(of: user, in: virtualHost, wanted)
        case .policy(let policy): _ = try send("DELETE", ["policies", virtualHost, policy])
        case .queue(let queue): _ = try send("DELETE", ["queues", virtualHost, queue])
        case .exchange(let exchange): _ = try send("DELETE", ["exchanges", virtualHost, exchange])
        case .binding(let binding): try remove(binding, in: virtualHost)
        }
    }

    package func depth(of queue: String, in virtualHost: String) throws -> QueueDepth? {
        struct Status: Decodable {
            var messages: Int?
            var state: String?
        }
        guard let answer = try sendIfThere("GET", ["queues", virtualHost, queue]) else { return nil }
        let status = try JSONDecoder().decode(Status.self, from: answer)
        if ["down", "minority", "stopped", "crashed"].contains(status.state) {
            throw UserError("the queue \(queue) does not answer: \(QueueSurvey.advice)")
        }
        // The interface's figures are some seconds old. The queue itself gives its ready messages and consumers,
        // but not its unacknowledged messages.
        let now = try statusNow(of: queue, in: virtualHost)
        return QueueDepth(
            messages: max(status.messages ?? 0, now.messageCount), consumers: now.consumerCount)
    }

    /// Messages a second into and out of each queue of a virtual host.
    func rates(in virtualHost: String) throws -> [String: (publish: Double?, deliver: Double?)] {
        struct Queue: Decodable {
            struct Statistics: Decodable {
                struct Rate: Decodable { var rate: Double? }
                var publish_details: Rate?
                var deliver_get_details: Rate?
            }
            var name: String
            var message_stats: Statistics?
        }
        let answer = try JSONDecoder().decode([Queue].self, from: try send("GET", ["queues", virtualHost]))
        return Dictionary(
            answer.map { queue in
                let found = queue.message_stats
                return (queue.name, (found?.publish_details?.rate ?? 0, found?.deliver_get_details?.rate ?? 0))
            }, uniquingKeysWith: { first, _ in first })
    }

    // MARK: Steps

    private func statusNow(of queue: String, in virtualHost: String) throws -> QueueStatus {
        guard try listens(on: broker.endpoints.map(\.port)) else {
            throw UserError(
                """
                the queue \(queue) was not removed: how much it holds is asked at \(broker), and \(name) leads to a \
                broker that does not listen on that port
                """)
        }
        var settings = broker
        settings.virtualHost = virtualHost
        do throws(AMQPError) {
            let connection = try AMQP.Connection(settings)
            defer { connection.close() }
            return try connection.declareQueue(
                QueueName(rawValue: queue), passive: true, on: try connection.openChannel())
        } catch {
            throw UserError(
                """
                the queue \(queue) was not removed: how much it holds could not be asked by AMQP at \(settings) \
                as user \(user) \
                (\(error)). It needs all rights in the virtual host.
                """)
        }
    }

    /// The interface removes all topic permissions of a user at once, and without any every key would be allowed.
    /// So the write permission is removed first and restored last.
    private func removeTopicPermissions(of user: String, in virtualHost: String, _ wanted: DefinitionsFile) throws {
        _ = try send("DELETE", ["permissions", virtualHost, user])
        _ = try send("DELETE", ["topic-permissions", virtualHost, user])
        var again = DefinitionsFile()
        again.topic_permissions = wanted.topic_permissions.filter { $0.user == user }
        try add(again)
        again = DefinitionsFile()
        again.permissions = wanted.permissions.filter { $0.user == user }
        try add(again)
    }

    private func remove(_ binding: DefinitionsFile.Binding, in virtualHost: String) throws {
        struct Found: Decodable {
            var routing_key: String
            var properties_key: String
            var arguments: [String: DefinitionsFile.Value]
        }
        let kind = binding.destination_type == "queue" ? "q" : "e"
        let path = ["bindings", virtualHost, "e", binding.source, kind, binding.destination]
        let found = try JSONDecoder().decode([Found].self, from: try send("GET", path))
        for one in found where one.routing_key == binding.routing_key && one.arguments == binding.arguments {
            _ = try send("DELETE", path + [one.properties_key])
        }
    }

    // MARK: HTTP

    @discardableResult
    package func send(_ method: String, _ path: [String], _ body: Data? = nil) throws -> Data {
        guard let answer = try sendIfThere(method, path, body) else {
            throw UserError("\(name) does not know /api/\(path.joined(separator: "/")): is the URL right?")
        }
        return answer
    }

    /// The answer, and the time that the interface's machine gave it.
    func sendForDate(_ method: String, _ path: [String]) throws -> (answer: Data, date: Date?) {
        guard let (data, date) = try exchange(method, path, nil) else {
            throw UserError("\(name) does not know /api/\(path.joined(separator: "/")): is the URL right?")
        }
        return (data, date)
    }

    /// The answer; nil if the interface answers 404.
    private func sendIfThere(_ method: String, _ path: [String], _ body: Data? = nil) throws -> Data? {
        try exchange(method, path, body)?.data
    }

    private func exchange(
        _ method: String, _ path: [String], _ body: Data?
    ) throws -> (data: Data, date: Date?)? {
        let base = url.absoluteString.hasSuffix("/") ? String(url.absoluteString.dropLast()) : url.absoluteString
        guard let target = URL(string: base + "/api/" + path.map(percentEncoded).joined(separator: "/")) else {
            throw UserError("\(base) is no URL such as http://127.0.0.1:15672")
        }
        var request = URLRequest(url: target)
        request.httpMethod = method
        request.httpBody = body
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        request.setValue(
            "Basic " + Data("\(user):\(password)".utf8).base64EncodedString(), forHTTPHeaderField: "Authorization")
        let (status, data, date) = try exchange(request)
        switch status {
        case 200...299: return (data, date)
        case 404: return nil
        case 401:
            throw UserError(
                "\(name) was tried: it refuses the user or the password, or the user may not do this. It needs the tag "
                    + "administrator, and to remove queues, bindings and exchanges all rights in the virtual host "
                    + "(\(method) /api/\(path.joined(separator: "/")))")
        default:
            let reason = String(decoding: data.prefix(500), as: UTF8.self)
            throw UserError("\(name) refused \(method) /api/\(path.joined(separator: "/")) with \(status): \(reason)")
        }
    }

    /// One request and its answer, within the session's time-outs.
    private func exchange(_ request: URLRequest) throws(UserError) -> (status: Int, body: Data, date: Date?) {
        let answer = Answer()
        let task = session.dataTask(with: request) { data, response, error in
            let http = response as? HTTPURLResponse
            let date = http?.value(forHTTPHeaderField: "Date").flatMap(ManagementAccess.date)
            answer.result.withLock { $0 = (http?.statusCode, data ?? Data(), date, error as? URLError) }
            answer.hasCome.signal()
        }
        task.resume()
        // The time-outs of URLSession do not cover every step of a request.
        if answer.hasCome.wait(timeout: .now() + patienceSeconds) == .timedOut { task.cancel() }
        let (status, data, date, failure) = answer.result.withLock { $0 }
        // Only the refused challenge cancels a request that was answered.
        if failure?.code == .cancelled { return (401, data, date) }
        guard let status, failure == nil else {
            throw UserError(
                """
                \(name) was tried and does not answer (\(failure?.localizedDescription ?? "not in time")). Is the \
                plugin enabled there \
                (rabbitmq-plugins enable rabbitmq_management), and the URL right? On the broker's machine \
                leave --management out.
                """
            )
        }
        return (status, data, date)
    }

    /// As HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
    private static func date(_ text: String) -> Date? {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        format.timeZone = TimeZone(secondsFromGMT: 0)
        return format.date(from: text)
    }

    private final class Answer: Sendable {
        let hasCome = DispatchSemaphore(value: 0)
        let result = Mutex<(Int?, Data, Date?, URLError?)>((nil, Data(), nil, nil))
    }

    /// Cancels a request that the interface answers with 401. Otherwise URLSession would wait for other
    /// credentials without end.
    private final class ChallengeRefusal: NSObject, URLSessionTaskDelegate, Sendable {
        func urlSession(
            _ session: URLSession, task: URLSessionTask, didReceive challenge: URLAuthenticationChallenge,
            completionHandler: @escaping @Sendable (URLSession.AuthChallengeDisposition, URLCredential?) -> Void
        ) {
            completionHandler(.cancelAuthenticationChallenge, nil)
        }
    }
}

private func percentEncoded(_ part: String) -> String {
    let unreserved = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    return part.addingPercentEncoding(withAllowedCharacters: unreserved) ?? part
}
