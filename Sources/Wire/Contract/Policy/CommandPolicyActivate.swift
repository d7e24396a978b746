extension MessageType {
    public static let commandPolicyActivate = MessageType("bihuan.command.policy_activate.v1")
}

/// A command of an office person about a policy.
public enum PolicyCommand: Sendable {
    case activate(CommandPolicyActivate)
}

/// The data of `command.policy_activate`: a stored version of the policy decides from now on, with the reason. The
/// subject is the version, such as `cn-discipline@2`.
public struct CommandPolicyActivate: Codable, Hashable, Sendable {
    public var reason: String
    public init(reason: String) { self.reason = reason }
}

extension MessageDefinition {
    static let commandPolicyActivate = MessageDefinition(
        .commandPolicyActivate, from: .person, about: .policy, to: [.deadlines],
        example: CommandPolicyActivate(reason: "按新规定调整时限"), problem: { .reason($0.reason, $1) }
    ) { .policyCommand(.activate($0)) }
}
