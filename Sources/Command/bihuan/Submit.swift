import AMQP
import ArgumentParser
import Basics
import Casework
import Contract
import Foundation
import Installation
import PostgreSQL
import Submitting
import Terminal
import Workers

/// Publishes the reports of a file, and prints the result of each.
struct Submit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Publish the reports of a file to an office, and read its answers.",
        discussion: """
            The file is JSON lines, a JSON array or CSV, in UTF-8, UTF-16 or GB18030; format and encoding are \
            recognised before anything is sent. A report without an id gets one from its content, so that running the \
            command again submits nothing twice. Bad lines are reported, the good ones are sent. docs/submitting.md \
            describes lines and maps.

            Exit 0 if the office has all reports, 1 if some were not sent or were refused, 3 if the broker or the \
            answers did not come in time, 64 for a wrong command line.
            """)

    @Option(help: ArgumentHelp("The file, or - for standard input.", valueName: "file"))
    var file: String

    @Option(help: ArgumentHelp("A field map (YAML) for lines or columns in another format.", valueName: "file"))
    var map: String?

    @Option(
        help: ArgumentHelp(
            "The file's encoding, if its bytes do not show it: utf-8, utf-16le, utf-16be, gb18030.", valueName: "name"))
    var encoding: String?

    @Option(
        help: ArgumentHelp("The source of lines that name none. Default: web, or the user of the URL.", valueName: "id")
    )
    var source: String?

    @Option(
        help: ArgumentHelp(
            "The office's policy, to report before sending what it would refuse. Default: that of the installation.",
            valueName: "file"))
    var policy: String?

    @Option(
        help: ArgumentHelp(
            "Give up after this many seconds. Default: 60 without a broker, 30 without an answer.",
            valueName: "seconds"))
    var timeout: Double?

    @Flag(
        help:
            """
            Leave the answers in the source's queue, for the program that reads them; exit 0 then means only that all \
            were sent.
            """
    )
    var noReceipts = false

    @Flag(help: "Print one JSON object per line: the result of each report, and the totals at the end.")
    var json = false

    @OptionGroup var installation: InstallationOptions

    @Option(
        help: ArgumentHelp(
            """
            A file of mode 600 with the broker's URL, for a source without an installation: \
            amqp://source.ID:PASSWORD@HOST:PORT/VHOST. \
            Or the environment variable BIHUAN_SUBMIT_URL.
            """, valueName: "file"))
    var urlFile: String?

    @Option(help: ArgumentHelp("That URL, if it needs no password.", valueName: "url"))
    var url: String?

    func validate() throws {
        if let source, SourceID(source) == nil {
            throw ValidationError("a source's id is 1 to 40 of a-z, 0-9 and -, not '\(source)'")
        }
        if let encoding, TextEncoding(rawValue: encoding.lowercased()) == nil {
            throw ValidationError(
                "--encoding is one of \(TextEncoding.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        if let timeout, !(0.001...86_400).contains(timeout) {
            throw ValidationError("--timeout is a number of seconds, at most 86400")
        }
        if url != nil || urlFile != nil, installation.isGiven {
            throw ValidationError("give --url-file or --url, or --data or --config, not both")
        }
    }

    func run() async throws {
        try await plainly {
            let office = try await office()
            let reader = ReportLineReader(
                map: try fieldMap(), defaultSource: source.flatMap { SourceID($0) } ?? office.defaultSource,
                idKey: office.idKey)
            let status = try await onThread {
                let reports = try ReportFile(
                    path: file, encoding: encoding.flatMap { TextEncoding(rawValue: $0.lowercased()) })
                try reader.check(reports)
                var submission = FileSubmission(
                    file: reports, reader: reader, check: office.check,
                    page: SubmissionPage(asJSON: json, noun: reports.noun), timeout: timeout, readsReceipts: !noReceipts
                )
                return try submission.run(office.submitter)
            }
            if status != 0 { throw ExitCode(status) }
        }
    }

    // MARK: Steps

    private struct Office: Sendable {
        let submitter: Submitter
        let defaultSource: SourceID
        let check: Beforehand
        /// The key of made ids, see `ReportLineReader`: holders of the source's password may make the same ids.
        let idKey: String
    }

    private func office() async throws -> Office {
        if let url = installation.isGiven ? nil : try SecretOption.submitURL.url(url, file: urlFile) {
            let broker: AMQP.ConnectionSettings
            do { broker = try AMQP.ConnectionSettings(url: url) } catch {
                throw UserError("the URL must be amqp://source.ID:PASSWORD@HOST:PORT/VHOST")
            }
            guard case .source(let id) = Party(broker.user) else {
                throw UserError("the URL must name a source's user, such as source.web")
            }
            for warning in InTheClear.warnings(of: broker, named: "the URL") { Output.note("warning: \(warning)") }
            return Office(
                submitter: Submitter(broker: broker, passwords: [id: broker.password]), defaultSource: id,
                check: Beforehand(rulebook: try rulebookOfFile(), now: Instant(Date())), idKey: broker.password)
        }
        let configuration = try await installation.configuration()
        let prefix = "source-"
        let passwords = configuration.users.compactMap { key, password in
            SourceID(key.dropFirst(prefix.count)).flatMap { key.hasPrefix(prefix) ? ($0, password) : nil }
        }
        guard !passwords.isEmpty || configuration.brokerTakesCertificates else {
            throw UserError("bihuan.yaml has no password of a source: add users.source-ID")
        }
        let web = SourceID(unchecked: "web")
        // `Submitter` sets user and password for each source.
        return Office(
            submitter: Submitter(broker: configuration.broker, passwords: Dictionary(uniqueKeysWithValues: passwords)),
            defaultSource: web,
            check: Beforehand(rulebook: try await rulebook(configuration), now: configuration.now),
            idKey: try passwords.min { $0.0 < $1.0 }?.1
                ?? keyText(source.flatMap { SourceID($0) } ?? web, configuration))
    }

    /// With certificates, a source's key is the secret that only its holders know.
    private func keyText(_ source: SourceID, _ configuration: OfficeConfiguration) throws -> String {
        try configuration.brokerSettings(for: .source(source)).tls?.keyFile.map { try SecretFile.text($0) } ?? ""
    }

    /// The policy of `--policy`, or the active one if the installation's database can be read.
    private func rulebook(_ configuration: OfficeConfiguration) async throws -> Rulebook? {
        if policy != nil { return try rulebookOfFile() }
        let settings = configuration.databaseSettings("bihuan submit")
        return try? await onThread {
            let connection = try PostgreSQL.Connection(settings)
            defer { connection.close() }
            return try ActivePolicy.active(connection).rulebook
        }
    }

    private func rulebookOfFile() throws -> Rulebook? {
        try policy.map(PolicyText.rulebook)
    }

    private func fieldMap() throws -> FieldMap? {
        guard let map else { return nil }
        guard let yaml = try? String(contentsOfFile: map, encoding: .utf8) else {
            throw UserError("the map \(map) cannot be read")
        }
        do { return try FieldMap(yaml: yaml) } catch {
            throw UserError("the map \(map) is not right:\n" + error.problems.map { "  " + $0 }.joined(separator: "\n"))
        }
    }
}

/// Finds before sending what the office would refuse: always limits and times, words only if the policy is available.
struct Beforehand: Sendable {
    let rulebook: Rulebook?
    /// The present, in business time.
    let now: Instant

    func problems(of report: ReportLine) -> [Problem] {
        SubmissionCheck.problems(in: report.submission, rulebook: rulebook, directory: nil, now: now)
    }

    /// True if the report names reporters, all of them only by placeholders (匿名, 无, 不详).
    func isAnonymous(_ report: ReportLine) -> Bool {
        guard let rulebook, !report.submission.reporters.isEmpty else { return false }
        return report.submission.stated(without: rulebook.placeholders).reporters.isEmpty
    }
}
