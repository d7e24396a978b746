/// What a person of the office may do. Roles are code, not policy, because rights depend on them.
public enum PersonRole: String, CaseIterable, Codable, Hashable, Sendable {
    /// Registers reports, decides about those that need review, and looks after attachments.
    case clerk
    /// Approves, recalls handoffs, and activates policies.
    case leader
    /// Is notified of escalations, and recalls handoffs.
    case supervisor
    /// Runs the system: decides about dead letters, and sees no case.
    case `operator`
}
