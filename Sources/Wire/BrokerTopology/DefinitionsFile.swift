public import Foundation

/// RabbitMQ's definitions, the format of `load_definitions` and `export_definitions`. The field names are RabbitMQ's;
/// other fields of its files are ignored.
public struct DefinitionsFile: Codable, Sendable {
    public var users: [User] = []
    public var vhosts: [VirtualHost] = []
    public var permissions: [Permission] = []
    public var topic_permissions: [TopicPermission] = []
    public var exchanges: [Exchange] = []
    public var queues: [Queue] = []
    public var bindings: [Binding] = []
    public var policies: [Policy] = []

    public init() {}

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        users = try container.decodeIfPresent([User].self, forKey: .users) ?? []
        vhosts = try container.decodeIfPresent([VirtualHost].self, forKey: .vhosts) ?? []
        permissions = try container.decodeIfPresent([Permission].self, forKey: .permissions) ?? []
        topic_permissions = try container.decodeIfPresent([TopicPermission].self, forKey: .topic_permissions) ?? []
        exchanges = try container.decodeIfPresent([Exchange].self, forKey: .exchanges) ?? []
        queues = try container.decodeIfPresent([Queue].self, forKey: .queues) ?? []
        bindings = try container.decodeIfPresent([Binding].self, forKey: .bindings) ?? []
        policies = try container.decodeIfPresent([Policy].self, forKey: .policies) ?? []
    }

    /// The file's bytes; equal contents give equal bytes.
    public func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        return try encoder.encode(self)
    }

    public var isEmpty: Bool {
        users.isEmpty && vhosts.isEmpty && permissions.isEmpty && topic_permissions.isEmpty && exchanges.isEmpty
            && queues.isEmpty && bindings.isEmpty && policies.isEmpty
    }

    public struct User: Codable, Sendable {
        public var name: String
        /// Empty: login by password is impossible.
        public var password_hash: String
        public var hashing_algorithm: String
        /// Separated by commas, in alphabetical order.
        public var tags: String
        /// `max-connections` and `max-channels`; empty for a user without limits.
        public var limits: [String: Int]

        public init(
            name: String, password_hash: String, tags: String, limits: [String: Int] = [:],
            hashing_algorithm: String = PasswordHash.algorithm
        ) {
            self.name = name
            self.password_hash = password_hash
            self.hashing_algorithm = hashing_algorithm
            self.tags = tags
            self.limits = limits
        }

        /// Reads tags as a list or as one text; RabbitMQ's versions differ.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            name = try container.decode(String.self, forKey: .name)
            password_hash = try container.decodeIfPresent(String.self, forKey: .password_hash) ?? ""
            hashing_algorithm =
                try container.decodeIfPresent(String.self, forKey: .hashing_algorithm) ?? PasswordHash.algorithm
            let list =
                (try? container.decode([String].self, forKey: .tags))
                ?? (try? container.decode(String.self, forKey: .tags))?.split(separator: ",").map(String.init)
            tags = (list ?? []).sorted().joined(separator: ",")
            limits = try container.decodeIfPresent([String: Int].self, forKey: .limits) ?? [:]
        }
    }

    public struct VirtualHost: Codable, Sendable {
        public var name: String
        public init(name: String) { self.name = name }
    }

    public struct Permission: Codable, Sendable, Equatable {
        public var user, vhost, configure, write, read: String

        public init(user: String, vhost: String, configure: String, write: String, read: String) {
            (self.user, self.vhost, self.configure, self.write, self.read) = (user, vhost, configure, write, read)
        }
    }

    public struct TopicPermission: Codable, Sendable, Equatable {
        public var user, vhost, exchange, write, read: String

        public init(user: String, vhost: String, exchange: String, write: String, read: String) {
            (self.user, self.vhost, self.exchange, self.write, self.read) = (user, vhost, exchange, write, read)
        }
    }

    public struct Exchange: Codable, Sendable, Equatable {
        public var name, vhost, type: String
        public var durable = true
        public var auto_delete = false
        public var `internal` = false
        public var arguments: [String: Value]

        public init(name: String, vhost: String, type: String, arguments: [String: Value] = [:]) {
            (self.name, self.vhost, self.type, self.arguments) = (name, vhost, type, arguments)
        }

        /// RabbitMQ omits `internal` if it is false.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            name = try container.decode(String.self, forKey: .name)
            vhost = try container.decode(String.self, forKey: .vhost)
            type = try container.decode(String.self, forKey: .type)
            durable = try container.decode(Bool.self, forKey: .durable)
            auto_delete = try container.decode(Bool.self, forKey: .auto_delete)
            `internal` = try container.decodeIfPresent(Bool.self, forKey: .internal) ?? false
            arguments = try container.decode([String: Value].self, forKey: .arguments)
        }
    }

    public struct Queue: Codable, Sendable, Equatable {
        public var name, vhost: String
        public var durable = true
        public var auto_delete = false
        public var arguments: [String: Value]

        public init(name: String, vhost: String, arguments: [String: Value]) {
            (self.name, self.vhost, self.arguments) = (name, vhost, arguments)
        }
    }

    public struct Binding: Codable, Sendable, Hashable {
        public var source, vhost, destination: String
        public var destination_type = "queue"
        public var routing_key: String
        public var arguments: [String: Value] = [:]

        public init(source: String, vhost: String, destination: String, routing_key: String) {
            (self.source, self.vhost, self.destination, self.routing_key) = (source, vhost, destination, routing_key)
        }
    }

    /// Settings of all queues whose names match, beside their own arguments. Unlike arguments, they can be changed.
    public struct Policy: Codable, Sendable, Equatable {
        public var vhost, name, pattern: String
        public var applyTo = "queues"
        public var definition: [String: Value]
        /// Of several policies that match a queue, only the one with the highest priority applies.
        public var priority = 0

        private enum CodingKeys: String, CodingKey {
            case vhost, name, pattern, definition, priority
            case applyTo = "apply-to"
        }

        public init(vhost: String, name: String, pattern: String, definition: [String: Value]) {
            (self.vhost, self.name, self.pattern, self.definition) = (vhost, name, pattern, definition)
        }
    }

    /// A JSON value in an argument table.
    public enum Value: Codable, Sendable, Hashable, CustomStringConvertible {
        case text(String), number(Int), decimal(Double), flag(Bool), list([Value]), table([String: Value]), nothing

        public init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let flag = try? container.decode(Bool.self) {
                self = .flag(flag)
            } else if let number = try? container.decode(Int.self) {
                self = .number(number)
            } else if let decimal = try? container.decode(Double.self) {
                self = .decimal(decimal)
            } else if let text = try? container.decode(String.self) {
                self = .text(text)
            } else if let list = try? container.decode([Value].self) {
                self = .list(list)
            } else if let table = try? container.decode([String: Value].self) {
                self = .table(table)
            } else {
                self = .nothing
            }
        }

        public func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .number(let number): try container.encode(number)
            case .decimal(let decimal): try container.encode(decimal)
            case .flag(let flag): try container.encode(flag)
            case .list(let list): try container.encode(list)
            case .table(let table): try container.encode(table)
            case .nothing: try container.encodeNil()
            }
        }

        public var description: String {
            switch self {
            case .text(let text): text
            case .number(let number): "\(number)"
            case .decimal(let decimal): "\(decimal)"
            case .flag(let flag): "\(flag)"
            case .list(let list): "[" + list.map(\.description).joined(separator: ", ") + "]"
            case .table(let table): "{" + table.map { "\($0.key): \($0.value)" }.sorted().joined(separator: ", ") + "}"
            case .nothing: "null"
            }
        }
    }
}
