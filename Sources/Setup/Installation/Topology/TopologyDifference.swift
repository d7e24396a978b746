package import BrokerTopology
import Contract

/// The differences between a broker's definitions and the wanted ones. Pure: values in, lines out.
package struct TopologyDifference {
    package struct Line: Hashable, CustomStringConvertible {
        package enum Mark: String {
            case missing = "+"
            case unwanted = "-"
            case different = "~"
        }

        package let mark: Mark
        package let text: String
        /// Whether the broker cannot change it in place.
        package var mustBeDeletedFirst = false
        /// Whether it is removed only if `--prune` is given.
        package var needsPrune = false

        package init(mark: Mark, text: String, mustBeDeletedFirst: Bool = false, needsPrune: Bool = false) {
            self.mark = mark
            self.text = text
            self.mustBeDeletedFirst = mustBeDeletedFirst
            self.needsPrune = needsPrune
        }
        package var description: String { "\(mark.rawValue) \(text)" }
    }

    /// An object with one of our names that is not wanted, or that adds rights or routes to a wanted one.
    package enum Removal: Hashable {
        case user(String)
        case userLimit(user: String, limit: String)
        case permission(user: String)
        case topicPermission(user: String, exchange: String)
        case binding(DefinitionsFile.Binding)
        case policy(String)
        case queue(String)
        case exchange(String)
    }

    package private(set) var lines: [Line] = []
    /// The definitions to import: missing ones, and the wanted form of different ones. New users have no password here.
    private(set) var additions = DefinitionsFile()
    /// The removals in their order: users first, since they lose rights; queues last, since they hold messages.
    private(set) var removals: [Removal] = []
    private(set) var newUsers: [String] = []
    /// Limits of our users that they should not have. An import of definitions sets limits and removes none.
    private(set) var surplusLimits: [Removal] = []
    /// The queues of an earlier version that the broker still has: workers read them to their end.
    private(set) var retiredQueues: [String] = []
    /// Their bindings to our exchanges. They are removed when all others are there, so that every message has a way.
    private(set) var retiredBindings: [DefinitionsFile.Binding] = []
    /// Objects that are not ours and may still matter.
    package private(set) var notes: [String] = []

    package var isEmpty: Bool { lines.isEmpty }

    private let virtualHost: String

    /// - Parameters:
    ///   - messageBytesMax: the maximum message size of the broker in bytes (`max_message_size`), if it could be
    ///     read.
    ///   - passwords: by user; a user named here must have this password. Others keep theirs.
    package init(
        wanted: DefinitionsFile, found: DefinitionsFile, virtualHost: String, messageBytesMax: Int?,
        passwords: [String: String] = [:]
    ) {
        self.virtualHost = virtualHost
        if !found.vhosts.contains(where: { $0.name == virtualHost }) {
            add(.missing, "virtual host \(virtualHost)")
            additions.vhosts = wanted.vhosts
        }
        compareUsers(wanted, found, passwords)
        comparePermissions(wanted, found)
        compareTopicPermissions(wanted, found)
        comparePolicies(wanted, found)
        compareBindings(wanted, found)
        compareQueues(wanted, found)
        compareExchanges(wanted, found)
        compare(messageBytesMax: messageBytesMax)
    }

    // MARK: Settings

    /// `max_message_size` is set in the broker's own file, for all virtual hosts; it cannot be set here.
    private mutating func compare(messageBytesMax bytes: Int?, limits: Limits = .standard) {
        guard let bytes else {
            return notes.append(
                """
                only rabbitmqctl on the broker's machine can tell how long a message the broker takes \
                (max_message_size)
                """
            )
        }
        let right = limits.messageBytesMax...8 * limits.messageBytesMax
        guard !right.contains(bytes) else { return }
        add(
            .different,
            "setting max_message_size: \(bytes), shall be \(right.lowerBound) to \(right.upperBound): "
                + "set it in the broker's rabbitmq.conf and restart it")
    }

    // MARK: Users and rights

    private mutating func compareUsers(
        _ wanted: DefinitionsFile, _ found: DefinitionsFile, _ passwords: [String: String]
    ) {
        let there = Dictionary(found.users.map { ($0.name, $0) }) { first, _ in first }
        for user in wanted.users {
            guard var existing = there[user.name] else {
                add(.missing, "user \(user.name)")
                newUsers.append(user.name)
                additions.users.append(user)
                continue
            }
            var differs = compareLimits(of: &existing, user)
            if existing.tags != user.tags {
                add(.different, "user \(user.name): tags \"\(existing.tags)\", shall be \"\(user.tags)\"")
                (existing.tags, differs) = (user.tags, true)
            }
            if let password = passwords[user.name],
                !PasswordHash.fits(password, hash: existing.password_hash, algorithm: existing.hashing_algorithm)
            {
                add(.different, "user \(user.name): the password is not the one given")
                (existing.password_hash, existing.hashing_algorithm, differs) = (
                    PasswordHash.make(password), PasswordHash.algorithm, true
                )
            }
            // An import without a hash would remove the password, so the existing hash is imported again.
            if differs { additions.users.append(existing) }
        }
        let names = Set(wanted.users.map(\.name))
        for user in found.users where BrokerRole.isOurs(user.name) && !names.contains(user.name) {
            let hosts = Set((found.permissions.filter { $0.user == user.name }).map(\.vhost))
            // Another office on the same broker may have a user of this name.
            if hosts.subtracting([virtualHost]).isEmpty { remove(.user(user.name), "user \(user.name)") }
        }
    }

    /// Whether the wanted limits must be imported.
    private mutating func compareLimits(of existing: inout DefinitionsFile.User, _ user: DefinitionsFile.User) -> Bool {
        let parts = differences(existing.limits.mapValues { .number($0) }, user.limits.mapValues { .number($0) })
        guard !parts.isEmpty else { return false }
        add(.different, "user \(user.name): " + parts.joined(separator: "; "))
        surplusLimits += existing.limits.keys.filter { user.limits[$0] == nil }.sorted().map {
            .userLimit(user: user.name, limit: $0)
        }
        let differs = user.limits.contains { existing.limits[$0.key] != $0.value }
        existing.limits = user.limits
        return differs
    }

    private mutating func comparePermissions(_ wanted: DefinitionsFile, _ found: DefinitionsFile) {
        let there = Dictionary(found.permissions.filter { $0.vhost == virtualHost }.map { ($0.user, $0) }) { first, _ in
            first
        }
        for permission in wanted.permissions {
            let existing = there[permission.user]
            if existing == permission { continue }
            additions.permissions.append(permission)
            guard let existing else {
                add(.missing, "permission \(permission.user)")
                continue
            }
            let parts = [
                ("configure", existing.configure, permission.configure), ("write", existing.write, permission.write),
                ("read", existing.read, permission.read),
            ].filter { $0.1 != $0.2 }
            add(
                .different,
                "permission \(permission.user): "
                    + parts.map { "\($0.0) \"\($0.1)\", shall be \"\($0.2)\"" }.joined(separator: "; "))
        }
        let names = Set(wanted.permissions.map(\.user))
        for (user, permission) in there.sorted(by: { $0.key < $1.key }) where !names.contains(user) {
            if !BrokerRole.isOurs(user) {
                notes.append(
                    "\(user) is no user of the office and has rights here: configure \"\(permission.configure)\", "
                        + "write \"\(permission.write)\", read \"\(permission.read)\"")
            } else if !removals.contains(.user(user)) {
                remove(.permission(user: user), "permission \(user)")
            }
        }
    }

    private mutating func compareTopicPermissions(_ wanted: DefinitionsFile, _ found: DefinitionsFile) {
        let existing = found.topic_permissions.filter { $0.vhost == virtualHost && BrokerRole.isOurs($0.user) }
        for permission in wanted.topic_permissions {
            let same = existing.first { $0.user == permission.user && $0.exchange == permission.exchange }
            if same == permission { continue }
            additions.topic_permissions.append(permission)
            let name = "topic permission \(permission.user) on \(permission.exchange)"
            guard let same else {
                add(.missing, name)
                continue
            }
            let parts = [("write", same.write, permission.write), ("read", same.read, permission.read)].filter {
                $0.1 != $0.2
            }
            add(
                .different,
                name + ": " + parts.map { "\($0.0) \"\($0.1)\", shall be \"\($0.2)\"" }.joined(separator: "; "))
        }
        for extra in existing where !removals.contains(.user(extra.user)) {
            if wanted.topic_permissions.contains(where: { $0.user == extra.user && $0.exchange == extra.exchange }) {
                continue
            }
            remove(
                .topicPermission(user: extra.user, exchange: extra.exchange),
                "topic permission \(extra.user) on \(extra.exchange)")
        }
    }

    // MARK: Policies

    /// Foreign policies are reported only if they may apply to our queues instead of ours.
    private mutating func comparePolicies(_ wanted: DefinitionsFile, _ found: DefinitionsFile) {
        let there = Dictionary(found.policies.filter { $0.vhost == virtualHost }.map { ($0.name, $0) }) { first, _ in
            first
        }
        for policy in wanted.policies {
            let existing = there[policy.name]
            if existing == policy { continue }
            additions.policies.append(policy)
            guard let existing else {
                add(.missing, "policy \(policy.name)")
                continue
            }
            var parts = differences(existing.definition, policy.definition)
            if existing.pattern != policy.pattern {
                parts.append("pattern \"\(existing.pattern)\", shall be \"\(policy.pattern)\"")
            }
            if existing.applyTo != policy.applyTo {
                parts.append("applies to \(existing.applyTo), shall to \(policy.applyTo)")
            }
            if existing.priority != policy.priority {
                parts.append("priority \(existing.priority), shall be \(policy.priority)")
            }
            add(.different, "policy \(policy.name): " + parts.joined(separator: "; "))
        }
        for (name, policy) in there.sorted(by: { $0.key < $1.key })
        where !wanted.policies.contains(where: { $0.name == name }) {
            if name.hasPrefix("bihuan.") {
                remove(.policy(name), "policy \(name)")
            } else if policy.applyTo != "exchanges" {
                notes.append(
                    """
                    the policy \(name) is none of the office: where it matches its queues \
                    (\"\(policy.pattern)\"), it may hold in the place of ours
                    """
                )
            }
        }
    }

    // MARK: Exchanges, queues, bindings

    /// Also checks bindings from our exchanges to foreign queues, and from foreign exchanges to our queues.
    private mutating func compareBindings(_ wanted: DefinitionsFile, _ found: DefinitionsFile) {
        // The default exchange binds every queue by its name. That cannot be changed, and none of our users may
        // write to it.
        let existing = found.bindings.filter { $0.vhost == virtualHost && !$0.source.isEmpty }
        let there = Set(existing)
        for binding in wanted.bindings where !there.contains(binding) {
            add(.missing, "binding \(words(binding))")
            additions.bindings.append(binding)
        }
        let right = Set(wanted.bindings)
        for binding in existing where !right.contains(binding) {
            guard TopologyDifference.isOurs(exchange: binding.source) || isOurs(destinationOf: binding) else {
                continue
            }
            if isRetired(binding) {
                lines.append(Line(mark: .unwanted, text: "binding \(words(binding))"))
                retiredBindings.append(binding)
                continue
            }
            remove(.binding(binding), "binding \(words(binding))")
        }
    }

    private mutating func compareQueues(_ wanted: DefinitionsFile, _ found: DefinitionsFile) {
        let there = Dictionary(found.queues.filter { $0.vhost == virtualHost }.map { ($0.name, $0) }) { first, _ in
            first
        }
        for queue in wanted.queues {
            guard let existing = there[queue.name] else {
                add(.missing, "queue \(queue.name)")
                additions.queues.append(queue)
                continue
            }
            var parts = differences(existing.arguments, queue.arguments)
            if !existing.durable { parts.append("not durable") }
            if existing.auto_delete { parts.append("deletes itself") }
            if !parts.isEmpty { addUnchangeable("queue \(queue.name): " + parts.joined(separator: "; ")) }
        }
        let names = Set(wanted.queues.map(\.name))
        for name in there.keys.sorted() where TopologyDifference.isOurs(queue: name) && !names.contains(name) {
            guard Topology.Queue.retired.contains(name) else {
                remove(.queue(name), "queue \(name)")
                continue
            }
            retiredQueues.append(name)
            if retiredBindings.contains(where: { $0.destination == name }) { continue }
            notes.append(
                """
                the queue \(name) is of an earlier version, and nothing goes into it any more: the workers read it to \
                its end, then `bihuan topology apply --finish` deletes it
                """)
        }
    }

    private mutating func compareExchanges(_ wanted: DefinitionsFile, _ found: DefinitionsFile) {
        let there = Dictionary(found.exchanges.filter { $0.vhost == virtualHost }.map { ($0.name, $0) }) { first, _ in
            first
        }
        for exchange in wanted.exchanges {
            guard let existing = there[exchange.name] else {
                add(.missing, "exchange \(exchange.name)")
                additions.exchanges.append(exchange)
                continue
            }
            var parts = differences(existing.arguments, exchange.arguments)
            if existing.type != exchange.type { parts.append("type \(existing.type), shall be \(exchange.type)") }
            if !existing.durable { parts.append("not durable") }
            if existing.auto_delete { parts.append("deletes itself") }
            if existing.internal { parts.append("internal") }
            if !parts.isEmpty { addUnchangeable("exchange \(exchange.name): " + parts.joined(separator: "; ")) }
        }
        let names = Set(wanted.exchanges.map(\.name))
        for name in there.keys.sorted() where TopologyDifference.isOurs(exchange: name) && !names.contains(name) {
            remove(.exchange(name), "exchange \(name)")
        }
    }

    private static func isOurs(exchange name: String) -> Bool { name.hasPrefix("bihuan.") }
    private static func isOurs(queue name: String) -> Bool { name.hasPrefix("bihuan.") || BrokerRole.isOurs(name) }

    private func isRetired(_ binding: DefinitionsFile.Binding) -> Bool {
        binding.destination_type == "queue" && Topology.Queue.retired.contains(binding.destination)
            && TopologyDifference.isOurs(exchange: binding.source)
    }

    private func isOurs(destinationOf binding: DefinitionsFile.Binding) -> Bool {
        binding.destination_type == "queue"
            ? TopologyDifference.isOurs(queue: binding.destination)
            : TopologyDifference.isOurs(exchange: binding.destination)
    }

    // MARK: Texts

    private mutating func add(_ mark: Line.Mark, _ text: String) { lines.append(Line(mark: mark, text: text)) }

    private mutating func addUnchangeable(_ text: String) {
        lines.append(Line(mark: .different, text: text + " (cannot be changed in place)", mustBeDeletedFirst: true))
    }

    private mutating func remove(_ removal: Removal, _ text: String) {
        lines.append(Line(mark: .unwanted, text: text, needsPrune: true))
        removals.append(removal)
    }

    private func words(_ binding: DefinitionsFile.Binding) -> String {
        let key = binding.routing_key == binding.destination ? "by its name" : "by \"\(binding.routing_key)\""
        let arguments = binding.arguments.isEmpty ? "" : " \(DefinitionsFile.Value.table(binding.arguments))"
        return "\(binding.source) -> \(binding.destination) \(key)\(arguments)"
    }

    private func differences(
        _ found: [String: DefinitionsFile.Value], _ wanted: [String: DefinitionsFile.Value]
    ) -> [String] {
        Set(found.keys).union(wanted.keys).sorted().filter { found[$0] != wanted[$0] }.map { name in
            switch (found[name], wanted[name]) {
            case (let value?, let right?): "\(name) \(value), shall be \(right)"
            case (let value?, nil): "\(name) \(value), shall not be"
            case (nil, let right): "no \(name), shall be \(right.map(\.description) ?? "")"
            }
        }
    }
}
