import AMQP
package import Basics
package import BrokerTopology
import CaseStore
import Casework
import Contract
import PostgreSQL
import Terminal

/// The definitions that an office's broker should have, derived from the parties in its database.
package struct OfficeTopology: Sendable {
    package let definitions: Definitions

    /// Reads the parties.
    package static func read(_ configuration: OfficeConfiguration, monitors: [String]) throws -> OfficeTopology {
        let database = try PostgreSQL.Connection(configuration.databaseSettings("bihuan topology"))
        defer { database.close() }
        return OfficeTopology(configuration, try OfficeParties(in: database), monitors: monitors)
    }

    /// Inactive units and persons get neither queues nor a user.
    init(_ configuration: OfficeConfiguration, _ parties: OfficeParties, monitors: [String] = []) {
        self.init(
            virtualHost: configuration.broker.virtualHost, units: parties.units.filter(\.active).map(\.id),
            sources: parties.sources.map(\.id), persons: parties.persons.filter(\.active).map(\.id),
            monitors: monitors, inboundBytesMax: configuration.inboundBytesMax)
    }

    /// The passwords of its users that the configuration has.
    package func passwords(in configuration: OfficeConfiguration) -> [String: String] {
        let names = definitions.users.map(\.role.description)
        let found = names.map { ($0, configuration.users[$0.replacing(".", with: "-")]) }
        return Dictionary(found.compactMap { name, password in password.map { (name, $0) } }) { first, _ in first }
    }

    package init(
        virtualHost: String, units: [UnitID], sources: [SourceID], persons: [PersonID], monitors: [String],
        inboundBytesMax: Int = Topology.inboundBytesMax
    ) {
        let parties =
            Worker.allCases.map { Party.office($0) } + units.map { .unit($0) } + sources.map { .source($0) }
            + persons.map { .person($0) }
        definitions = Definitions(
            virtualHost: virtualHost, units: units, sources: sources, persons: persons,
            users: (parties.map { .party($0) } + Set(monitors).sorted().map { .monitor($0) }).map {
                BrokerUser($0, password: nil)
            }, inboundBytesMax: inboundBytesMax)
    }

    /// The definitions with the known passwords.
    package func file(passwords: [String: String] = [:]) -> DefinitionsFile {
        var definitions = definitions
        for index in definitions.users.indices {
            definitions.users[index].password = passwords[definitions.users[index].role.description]
        }
        return definitions.file()
    }

    /// A table for people: exchanges, queues, and users with their permissions.
    package var tables: String {
        let file = file()
        let exchanges = file.exchanges.map { exchange in
            [
                exchange.name, exchange.type,
                exchange.arguments["alternate-exchange"].map { "unroutable go to \($0)" } ?? "",
            ]
        }
        let queues = file.queues.map { queue in
            let bindings = file.bindings.filter { $0.destination == queue.name }
            let readers = definitions.users.map(\.role).filter { Rights($0).mayRead(queue.name) }
            return [
                queue.name,
                bindings.map { "\($0.source) \($0.routing_key == queue.name ? "by its name" : $0.routing_key)" }.joined(
                    separator: ", "),
                readers.map(\.description).joined(separator: ", "), bound(of: queue.name, file),
            ]
        }
        let limits = Dictionary(uniqueKeysWithValues: file.users.map { ($0.name, $0.limits) })
        let users = definitions.users.map { user in
            let rights = Rights(user.role)
            return [
                user.role.description, rights.queues.joined(separator: " ").orNothing,
                rights.exchanges.joined(separator: " ").orNothing,
                rights.keyPrefix.map { $0 + "…" } ?? (rights.exchanges.isEmpty ? "" : "names of queues"),
                limits[user.role.description, default: [:]].map { "\($0.key) \($0.value)" }.sorted()
                    .joined(separator: ", "),
                user.role.tags,
            ]
        }
        return [
            "Virtual host \(definitions.virtualHost)",
            grid("Exchanges", ["name", "type", ""], exchanges),
            grid("Queues", ["name", "bound to", "read by", "unread bytes"], queues),
            grid("Users", ["name", "may read", "may write", "keys", "limits", "tag"], users),
        ].joined(separator: "\n\n")
    }

    /// The limit of unread bytes that a policy sets for a queue.
    private func bound(of queue: String, _ file: DefinitionsFile) -> String {
        for policy in file.policies {
            guard let pattern = try? Regex(policy.pattern), queue.contains(pattern) else { continue }
            return policy.definition["max-length-bytes"].map { "at most \($0)" } ?? ""
        }
        return ""
    }

    private func grid(_ title: String, _ headings: [String], _ rows: [[String]]) -> String {
        var grid = Grid(headings.map { .text($0) }, indent: 2)
        for row in rows { grid.add(row) }
        return title + "\n" + grid.printed()
    }
}

extension String {
    fileprivate var orNothing: String { isEmpty ? "nothing" : self }
}
