import ArgumentParser
import AuditStore
import Basics
import Casework
import Contract
import Foundation
import Installation
import PostgreSQL
import Terminal
import Workers

/// What units and the office owe by the calendar (月汇总, 办结反馈).
struct Duty: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the duties of units and the office, or report one as done.",
        discussion: """
            The policy says what each unit, or the office, owes for a month or a quarter. A duty begins when its \
            period is over, and is asked for until a person reports that it was done.
            """,
        subcommands: [DutyList.self, DutyDone.self])
}

struct DutyList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the duties that are owed, longest due first.")

    @OptionGroup var installation: InstallationOptions

    func run() async throws {
        try await plainly {
            let configuration = try await installation.configuration()
            Output.line(try await onThread { try DutyList.table(configuration) })
        }
    }

    static func table(_ configuration: OfficeConfiguration, width: Int? = Output.width) throws -> String {
        let database = try PostgreSQL.Connection(configuration.databaseSettings("bihuan duty"))
        defer { database.close() }
        let names = DutyNames(in: database)
        var grid = Grid([.whole("duty"), .text("name"), .whole("due"), .whole("")])
        for duty in try database.run(ListOpenDuties()).rows {
            let state = duty.dueAt < configuration.now ? "overdue" : ""
            grid.add([duty.key, names[duty.row], names.lastDay(before: duty.dueAt), state])
        }
        return grid.printed(width: width)
    }
}

struct DutyDone: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "done", abstract: "Report that a duty was done; its clock ends.",
        discussion: """
            Publishes the command as the broker's user of PERSON and waits for the verdict. Clerks, leaders and \
            supervisors may do so; the ledger says who did, and when. Exit 0 if it was accepted, 1 if not.
            """)

    @Argument(help: "The duty, as `bihuan duty list` prints it, such as office/duty-monthly-summary/2026-10.")
    var duty: String

    @OptionGroup var options: PersonOptions

    @OptionGroup var installation: InstallationOptions

    func validate() throws {
        if DutyKey(duty) == nil {
            throw ValidationError("a duty is written like office/duty-monthly-summary/2026-10, not '\(duty)'")
        }
    }

    func run() async throws {
        try await plainly {
            try await options.give(
                "duty-done", .commandDutyDone, about: duty, Nothing(), decidedBy: .deadlines, in: installation)
        }
    }
}
