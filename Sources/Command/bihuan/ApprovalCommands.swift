import ArgumentParser
import AuditStore
import Basics
import Casework
import Contract
import Foundation
import Installation
import PostgreSQL
import Terminal

/// What waits for a second person (审批).
struct Approvals: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the commands that wait for a second person.",
        discussion: """
            The policy says which acts of a person a second one must approve, who may, and until when. \
            `bihuan approve` and `bihuan reject` decide; what is approved is carried out at once. The list shows no \
            name of an accused and no text.
            """)

    @Flag(help: "Also those that were decided, after the open ones.")
    var all = false

    @OptionGroup var list: ListOptions

    @OptionGroup var installation: InstallationOptions

    func run() async throws {
        try await plainly {
            let configuration = try await installation.configuration()
            let (all, limit) = (all, list.limit)
            let found = try await onThread {
                let database = try PostgreSQL.Connection(configuration.databaseSettings("bihuan approvals"))
                defer { database.close() }
                return try database.run(ListApprovals(all: all, countMax: limit + 1)).rows
            }
            if list.json {
                for approval in found.prefix(limit) { try Output.json(encoding: ApprovalLine(approval)) }
            } else {
                Output.line(Approvals.table(Array(found.prefix(limit)), at: configuration.now))
            }
            if found.count > limit { Output.note("there are more: raise --limit") }
        }
    }

    static func table(_ approvals: [ListedApproval], at now: Instant, width: Int? = Output.width) -> String {
        if approvals.isEmpty { return "nothing waits for a second person" }
        var grid = Grid([
            .whole("approval"), .whole("act"), .whole("about"), .whole("asked by"), .whole("due"), .whole("may decide"),
            .text("state"),
        ])
        for approval in approvals {
            let state =
                approval.decidedBy.map { "\(approval.state) by \($0)" }
                ?? (approval.dueAt.map { $0 < now } == true ? "overdue" : approval.state)
            grid.add([
                approval.id.description, approval.act,
                approval.number.map { Report.display($0, sealed: false) } ?? "the office", approval.askedBy.rawValue,
                approval.dueAt?.description ?? "", approval.roles.joined(separator: ", "), state,
            ])
        }
        return grid.printed(width: width)
    }
}

private struct ApprovalLine: Encodable {
    let id, act, worker, askedBy, state: String
    let report, handoff, decidedBy: String?
    let askedAt: Instant
    let dueAt: Instant?
    let roles: [String]

    init(_ approval: ListedApproval) {
        (id, act, worker) = (approval.id.description, approval.act, approval.worker)
        (askedBy, state, decidedBy) = (approval.askedBy.rawValue, approval.state, approval.decidedBy?.rawValue)
        report = approval.number.map { Report.display($0, sealed: false) }
        (handoff, askedAt, dueAt, roles) = (
            approval.handoff?.description, approval.askedAt, approval.dueAt, approval.roles
        )
    }
}

/// An approval, who decides it, and why.
struct DecisionOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("The approval, as `bihuan approvals` prints it.", valueName: "id"))
    var approval: String

    @OptionGroup var why: ReasonOption

    @OptionGroup var person: PersonOptions

    @OptionGroup var installation: InstallationOptions

    func validate() throws {
        if ApprovalID(approval) == nil { throw ValidationError("an approval's id is a UUID, not '\(approval)'") }
    }

    func decide(_ word: String, _ type: MessageType) async throws {
        guard let id = ApprovalID(approval) else { throw ExitCode.validationFailure }
        let configuration = try await installation.configuration()
        let found = try await onThread {
            let database = try PostgreSQL.Connection(configuration.databaseSettings("bihuan \(word)"))
            defer { database.close() }
            return try database.run(ListApprovals(id: id)).rows.first
        }
        guard let owner = found.flatMap({ Worker(rawValue: $0.worker) }) else {
            throw UserError("there is no approval \(approval): `bihuan approvals` lists them")
        }
        try await person.give(
            word, type, about: approval, words: [why.reason], ApprovalDecision(reason: why.reason), decidedBy: owner,
            in: installation)
    }
}

struct Approve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Approve a command of another person; it is carried out at once.",
        discussion: """
            You need a role that the policy names for it, and must not be the person who asked. What was commanded is \
            checked again: if it is no longer possible, it is refused, and still waits. Exit 0 if it was carried out, \
            1 if not.
            """)

    @OptionGroup var options: DecisionOptions

    func run() async throws { try await plainly { try await options.decide("approve", .commandApprove) } }
}

struct Reject: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Reject a command of another person; nothing is done.",
        discussion: """
            You need a role that the policy names for it, and must not be the person who asked, who is notified. \
            Exit 0 if it was rejected, 1 if not.
            """)

    @OptionGroup var options: DecisionOptions

    func run() async throws { try await plainly { try await options.decide("reject", .commandReject) } }
}
