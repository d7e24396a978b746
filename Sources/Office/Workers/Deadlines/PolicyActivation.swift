import Basics
import CaseStore
import Casework
import Contract

extension InboundMessage {
    /// The version of the policy that a person activates.
    var policyVersion: String? {
        guard case .message(let message) = content, case .policyCommand = message.body else { return nil }
        return message.envelope.subject
    }
}

/// A person activates a version of the policy that the owner entered (启用规则).
extension UnitOfWork {
    /// The versions that loaded approvals are about.
    var approvedVersions: [String] {
        cases.approvals.values.filter { $0.act == .policyActivate }.compactMap {
            (try? Message(reading: $0.command, typeHint: nil))?.envelope.subject
        }
    }

    mutating func activate(_ act: Act) throws -> String? {
        guard case .policyCommand(.activate) = act.message.body else { throw Problem.wrongWorker }
        guard case .person(let person) = act.sender, let row = office.directory.persons[person], row.active,
            !row.roles.isDisjoint(with: PersonRole.mayActivatePolicies)
        else { throw Problem(code: Refusal.notAllowed.rawValue, text: "you may not activate policies") }
        let name = act.message.envelope.subject
        guard let rulebook = cases.rulebooks[name] else {
            throw Problem(
                code: "unknown_policy", path: "subject",
                text: "no version of a policy that this office can read is entered under this name")
        }
        let policy = rulebook.policy
        let last = cases.activations.last.map { "\($0.name)@\($0.version)" } ?? cases.activePolicy
        // A lane reads the active policy now and then, and it says whether a second person is needed.
        guard last == office.rulebook.policy.versionName else {
            throw Problem(
                code: Refusal.wrongState.rawValue, path: "subject",
                text: "another version began to decide a moment ago: try again under another id")
        }
        guard name != last else {
            throw Problem(code: Refusal.wrongState.rawValue, path: "subject", text: "this version decides already")
        }
        guard try isApproved(act, as: .policyActivate, of: nil) else { return nil }
        cases.activations.append(
            ActivatePolicyVersion(
                name: policy.name, version: policy.version, at: now, by: act.sender.description))
        guard let chain = cases.chains[.office] else { throw NotLoaded() }
        try cases.record(
            .policyActivated(name, act: office.commitment(toAct: act.key, of: chain.id)), in: .office, at: now,
            by: act.sender.description)
        return "\(name) decides from now on; workers go by it within some seconds"
    }
}
