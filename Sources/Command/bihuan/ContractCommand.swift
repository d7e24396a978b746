import AMQP
import ArgumentParser
import Basics
import Casework
import Conformance
import Contract
import Foundation
import Installation
import Terminal
import Workers

/// The contract with units, for developers of a unit's system.
struct ContractCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "contract", abstract: "Check a unit's system against the contract.",
        subcommands: [ContractCheck.self])
}

/// Acts as the office towards a unit's system and judges its answers.
struct ContractCheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Act as the office towards a unit's system, and judge its answers.",
        discussion: """
            Starts a private broker with the unit's queues, prints how to connect, and waits for the unit's system. \
            Then it sends invented handoffs and judges every message that the system publishes; it judges words, \
            returns and conclusions by the policy. Exit 0 if all scenarios pass, 1 if not. If your system waits for a \
            person, use a larger --patience, and let a person sign and conclude.
            """)

    @Option(help: ArgumentHelp("The unit that the system acts for.", valueName: "id"))
    var unit: String?

    @Option(
        help: ArgumentHelp(
            """
            Keep the private broker here, with its port and the unit's password, so that the system is configured \
            once.
            """,
            valueName: "dir"))
    var directory: String?

    @Option(
        help: ArgumentHelp(
            "The private broker's port; by default a free one, kept with --directory.", valueName: "port"))
    var port: Int?

    @Option(
        help: ArgumentHelp(
            """
            A file of mode 600 with the unit's password on the private broker, or the environment variable \
            BIHUAN_CHECK_PASSWORD; by default \
            a random one.
            """, valueName: "file"))
    var passwordFile: String?

    @Option(
        help: ArgumentHelp(
            """
            Use a virtual host that has the queues and no workers, instead of a private broker. The URL's user needs \
            the tag impersonator, because it sends as office.routing and office.feedback; it writes bihuan.handoff \
            and bihuan.notice, and reads unit.<id>.acts. If the URL has a password: --amqp-file, or the environment \
            variable BIHUAN_CHECK_AMQP.
            """, valueName: "url"))
    var amqp: String?

    @Option(help: ArgumentHelp("A file of mode 600 with that URL.", valueName: "file"))
    var amqpFile: String?

    @Option(help: ArgumentHelp("The office's policy; by default the one that comes with bihuan.", valueName: "file"))
    var policy: String?

    @Option(help: ArgumentHelp("How long each expected message may take.", valueName: "seconds"))
    var patience = 10.0

    @Option(help: ArgumentHelp("How long to wait for messages that must not come.", valueName: "seconds"))
    var listen = 2.0

    @Option(help: ArgumentHelp("How long the unit's system may take to connect.", valueName: "seconds"))
    var wait = 600.0

    @Option(help: ArgumentHelp("Run only this scenario.", valueName: "name"))
    var only: String?

    @Option(help: ArgumentHelp("Also write the verdicts here.", valueName: "file"))
    var json: String?

    @Flag(help: "List the scenarios, and run none.")
    var list = false

    func validate() throws {
        if list { return }
        try JSONFile.check(json)
        guard let unit else { throw ValidationError("--unit is missing") }
        guard UnitID(unit) != nil else { throw ValidationError("--unit: \(UnitID.shape)") }
        if amqp != nil || amqpFile != nil, directory != nil || port != nil || passwordFile != nil {
            throw ValidationError(
                "--amqp uses a broker that is there: --directory, --port and --password-file are for a private one")
        }
        if let port, !(1024...65_535).contains(port) { throw ValidationError("--port takes 1024 to 65535") }
        for (name, value) in [("patience", patience), ("listen", listen), ("wait", wait)]
        where !(0.1...86_400).contains(value) {
            throw ValidationError("--\(name) takes 0.1 to 86400 seconds")
        }
        if let only, !Scenario.all.contains(where: { $0.name == only }) {
            throw ValidationError("there is no scenario \(only); --list names them")
        }
    }

    func run() async throws {
        if list { return Output.line(ContractReport.list) }
        guard let id = unit.flatMap({ UnitID($0) }) else { return }
        try await plainly {
            let stop = await CallToStop.signal(withOutput: true)
            let found: [Verdict]
            do {
                found = try await verdicts(of: id, stop)
            } catch  where stop.isStopped {
                Output.note("stopped")
                throw ExitCode(130)
            } catch let error as AMQPError where error.replyCode == 406 {
                throw UserError(
                    """
                    the broker does not let this user speak as the office: give it the tag impersonator \
                    (rabbitmqctl set_user_tags)
                    """
                )
            }
            let report = ContractReport(unit: id, verdicts: found)
            Output.line(report.text)
            if let json { try report.json().write(to: URL(filePath: json)) }
            if !report.passed { throw ExitCode(1) }
        }
    }

    private func rulebook() throws -> Rulebook {
        guard let policy else {
            return try Rulebook(try PolicyFile.read(ShippedPolicy.chineseDiscipline, named: "policy"))
        }
        return try PolicyText.rulebook(policy)
    }

    private func verdicts(of id: UnitID, _ stop: StopSignal) async throws -> [Verdict] {
        let rulebook = try rulebook()
        let isPrivate = directory != nil || port != nil || passwordFile != nil
        if let amqp = isPrivate ? nil : try SecretOption.checkAMQP.url(amqp, file: amqpFile) {
            let settings = try AMQP.ConnectionSettings(url: amqp)
            for warning in InTheClear.warnings(of: settings, named: "--amqp") { Output.note("warning: \(warning)") }
            Output.note("waiting until the system of unit.\(id) reads its queues on \(settings) …")
            let options = options(id, rulebook, routing: settings, feedback: settings, stop)
            return try await onThread { try Check(options).run() }
        }
        Output.note("starting a private broker …")
        let (directory, port, password) = (directory, port, try SecretOption.checkPassword.value(file: passwordFile))
        return try await onThread {
            let broker = try CheckBroker(
                unit: id,
                directory: directory.map {
                    URL(filePath: $0, directoryHint: .isDirectory).absoluteURL.standardizedFileURL
                }, port: port, password: password, isCancelled: { stop.isStopped })
            defer { broker.stop() }
            Output.line(broker.announcement)
            Output.note("waiting until the unit's system reads its queues …")
            var options = options(
                id, rulebook, routing: broker.settings(of: .routing), feedback: broker.settings(of: .feedback), stop)
            options.takesWhatLies = true
            return try Check(options).run()
        }
    }

    private func options(
        _ id: UnitID, _ rulebook: Rulebook, routing: AMQP.ConnectionSettings, feedback: AMQP.ConnectionSettings,
        _ stop: StopSignal
    ) -> Check.Options {
        var options = Check.Options(unit: id, rulebook: rulebook, routing: routing, feedback: feedback)
        (options.patienceSeconds, options.listenSeconds, options.connectSeconds) = (patience, listen, wait)
        options.only = only
        options.progress = { Output.note("playing \($0)") }
        options.isCancelled = { stop.isStopped }
        return options
    }
}
