import ArgumentParser
import AuditStore
import Basics
import Casework
import Contract
import Foundation
import Installation
import PartyClient
import PostgreSQL
import Terminal
import Text

/// The exits of reports that need review (待审看).
struct Review: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List reports that need review; read one, hand it off, or end it.",
        discussion: """
            A report needs review if no rule decides, if a rule asks for a person, or if a handoff of it was recalled \
            or could not be delivered. No clock runs meanwhile, and no rule routes it again: a person decides.
            """,
        subcommands: [ReviewList.self, ReviewShow.self, ReviewRoute.self, ReviewClose.self])
}

struct ReviewList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the reports that need review, the longest waiting first.",
        discussion: "It shows numbers, codes and times; no name and no text.")

    @OptionGroup var list: ListOptions

    @OptionGroup var installation: InstallationOptions

    func run() async throws {
        try await plainly {
            let configuration = try await installation.configuration()
            let limit = list.limit
            let found = try await onThread {
                let database = try PostgreSQL.Connection(configuration.databaseSettings("bihuan review"))
                defer { database.close() }
                return try database.run(ListReviews(countMax: limit + 1)).rows
            }
            if list.json {
                for report in found.prefix(limit) { try Output.json(encoding: ReviewLine(report)) }
            } else {
                Output.line(ReviewList.table(Array(found.prefix(limit)), at: configuration.now))
            }
            if found.count > limit { Output.note("there are more: raise --limit") }
        }
    }

    static func table(_ reports: [ReviewedReport], at now: Instant, width: Int? = Output.width) -> String {
        if reports.isEmpty { return "no report needs review" }
        var grid = Grid([
            .whole("report"), .whole("since"), .whole("source"), .whole("handoffs"), .whole("last unit"), .text("why"),
            .whole("waits for approval"),
        ])
        for report in reports {
            grid.add([
                Report.display(report.number, sealed: false),
                report.since.map { Age.text(now.seconds(since: $0)) } ?? "", report.sourceKind, "\(report.handoffs)",
                report.lastUnit.map { "unit.\($0)" } ?? "", report.reason ?? "", report.approval?.description ?? "",
            ])
        }
        return grid.printed(width: width)
    }
}

private struct ReviewLine: Encodable {
    let number, id, sourceKind: String
    let matterKind, reason, lastUnit, approval: String?
    let since: Instant?
    let handoffs: Int

    init(_ report: ReviewedReport) {
        (number, id) = (Report.display(report.number, sealed: false), report.id.description)
        (sourceKind, matterKind, reason) = (report.sourceKind, report.matterKind, report.reason)
        (lastUnit, approval) = (report.lastUnit.map { "unit.\($0)" }, report.approval?.description)
        (since, handoffs) = (report.since, report.handoffs)
    }
}

/// Which report a person decides about, and who that is.
struct ReviewOptions: ParsableArguments {
    @Argument(
        help: ArgumentHelp("The report's number, such as 2026-00000001, or its id.", valueName: "number"))
    var report: String

    @OptionGroup var person: PersonOptions

    @OptionGroup var installation: InstallationOptions

    func validate() throws {
        if Trace.wanted(report) == nil {
            throw ValidationError("a report's number is written like 2026-00000001, not '\(report)'")
        }
    }

    /// The id of the report, which the database knows by its number; and how many of its handoffs were taken back, so
    /// that the same words after the next recall are another act.
    func find() async throws -> (id: String, takenBack: String) {
        guard let wanted = Trace.wanted(report) else { throw ExitCode.validationFailure }
        let configuration = try await installation.configuration()
        let found = try await onThread {
            let database = try PostgreSQL.Connection(configuration.databaseSettings("bihuan review"))
            defer { database.close() }
            let id = try database.run(wanted).rows.first
            return try id.map { ($0, try database.run(CountTakenBack(report: $0)).rows.first ?? 0) }
        }
        guard let (id, count) = found else { throw UserError("there is no report \(report)") }
        return (id.description, "\(count)")
    }
}

struct ReviewShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Read a report that needs review, masked as a unit would get it.",
        discussion: """
            Asks the office as the broker's user of PERSON, so that nobody reads a report in which the person has a \
            stake. Clerks, leaders and supervisors may. Exit 1 if it was refused.
            """)

    @OptionGroup var options: ReviewOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() async throws {
        try await plainly {
            let report = try await options.find().id
            let act = "review-read-\(UUID.version7(at: .wall()).lowercased)"
            let verdict = try await options.person.send(
                .commandReviewRead, id: act, about: report, Nothing(), decidedBy: .routing, in: options.installation)
            switch verdict {
            case .contents(let contents):
                if json { return try Output.json(encoding: contents) }
                for line in ReviewPage(contents).lines { Output.line(line) }
            case .refused(let problems): try PersonOptions.refuse(problems)
            case .taken(let text): Output.line(printable(text))
            }
        }
    }
}

struct ReviewRoute: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "route", abstract: "Hand a report that needs review to a unit, or let the rules choose again.",
        discussion: """
            With --unit and --kind the report goes to that unit, if the barrier admits it. Without both the rules \
            decide again, with the units and the policy of now; a unit that returned it, or from which it was \
            recalled, does not get it. Clerks, leaders and supervisors may. If the policy asks for a second person, it \
            waits as an approval. Exit 0 if it was accepted, 1 if not.
            """)

    @OptionGroup var options: ReviewOptions

    @Option(help: ArgumentHelp("The unit, such as d1.", valueName: "unit"))
    var unit: String?

    @Option(help: ArgumentHelp("The handoff kind, such as transfer.", valueName: "word"))
    var kind: String?

    @OptionGroup var why: ReasonOption

    func validate() throws {
        if (unit == nil) != (kind == nil) { throw ValidationError("--unit and --kind stand together") }
        if let unit, UnitID(unit) == nil {
            throw ValidationError("a unit's id is 1 to 40 of a-z, 0-9 and -, not '\(unit)'")
        }
    }

    func run() async throws {
        try await plainly {
            let (report, takenBack) = try await options.find()
            try await options.person.give(
                "review-route", .commandReviewRoute, about: report,
                words: [takenBack, unit ?? "", kind ?? "", why.reason],
                CommandReviewRoute(unit: unit.flatMap { UnitID($0) }, kind: kind, reason: why.reason),
                decidedBy: .routing, in: options.installation)
        }
    }
}

struct ReviewClose: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "close", abstract: "End a report that needs review, without a handoff.",
        discussion: """
            --not-accepted: it is outside the scope, and that authority is competent. Without it nothing more follows. \
            Clerks, leaders and supervisors may. If the policy asks for a second person, as the shipped one does, it \
            waits as an approval. Exit 0 if it was accepted, 1 if not.
            """)

    @OptionGroup var options: ReviewOptions

    @Option(help: ArgumentHelp("The competent authority, a word of the policy, such as housing.", valueName: "word"))
    var notAccepted: String?

    @OptionGroup var why: ReasonOption

    func run() async throws {
        try await plainly {
            let (report, takenBack) = try await options.find()
            try await options.person.give(
                "review-close", .commandReviewClose, about: report, words: [takenBack, notAccepted ?? "", why.reason],
                CommandReviewClose(
                    end: notAccepted == nil ? .closed : .notAccepted, authority: notAccepted, reason: why.reason),
                decidedBy: .routing, in: options.installation)
        }
    }
}

/// A report that needs review, for reading at a terminal.
struct ReviewPage {
    let contents: ReviewContents
    init(_ contents: ReviewContents) { self.contents = contents }

    var lines: [String] {
        func present(_ parts: [String?]) -> String {
            // A sender chose these: none of them looks like a line of the office.
            printable(parts.compactMap(\.self).filter { !$0.isEmpty }.joined(separator: ", "))
        }
        var lines = [
            "\(contents.number)  \(present([contents.sourceKind, contents.matterKind, contents.region]))",
            "received \(contents.receivedAt), \(contents.realName ? "real name" : "anonymous")",
            "why: \(printable(contents.reason ?? ""))", "",
        ]
        for accused in contents.accused {
            lines.append(
                "accused: \(present([accused.name, accused.organ, accused.position, accused.level, accused.region]))")
        }
        for allegation in contents.allegations {
            lines.append("allegation: \(present([allegation.category, allegation.act]))")
        }
        for attachment in contents.attachments {
            lines.append("attachment: \(present([attachment.name, "\(attachment.bytes) bytes"]))")
        }
        for earlier in contents.handoffs {
            let state = present([earlier.state.rawValue, earlier.ended])
            lines.append("handoff: unit.\(earlier.unit), \(earlier.kind), \(state)")
        }
        if !contents.barred.isEmpty {
            lines.append("barred: \(contents.barred.map { "unit.\($0)" }.joined(separator: ", "))")
        }
        lines +=
            ["", printable(contents.title), ""]
            + contents.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        return lines
    }
}
