import AMQP
import ArgumentParser
import Basics
import CaseStore
import Foundation
import Installation
import Observability
import Terminal

/// The office as it is now: what is wrong, how much waits where, reports and handoffs by state.
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what is wrong, and reports, handoffs, duties, queues and what waits.",
        discussion: """
            What is wrong comes first, with the name of its alert: !! is critical, ! a warning. docs/status.md \
            describes the page. Queues are read as the broker's user operator; without its password only the \
            database is shown. If database or broker is not available, the other is still shown. Exit 0 if \
            everything could be read and no queue is down or missing, 1 if not; with --watch this is said of the \
            last view, when Ctrl-C ends it. --json prints one object (with --watch one a line): officeName, database \
            (reports, handoffs, unsigned, outbox, deferred, deadLetters, clocks, readers, lanes, duties and more), \
            queues, problems (what could not be read), troubles (alert, severity, text, subjects, value), and when it \
            was read. database or queues is missing if it could not be read. Ages are in seconds.
            """)

    @Option(
        name: .long, defaultAsFlag: 2.0,
        help: ArgumentHelp(
            "Draw it again every so many seconds, until Ctrl-C. It goes on while a server is away.",
            valueName: "seconds"))
    var watch: Double?

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var installation: InstallationOptions

    func validate() throws {
        if let watch, !(0.2...86_400).contains(watch) { throw ValidationError("--watch takes 0.2 to 86400 seconds") }
    }

    func run() async throws {
        try await plainly {
            let configuration = try await installation.configuration()
            let isWhole =
                if let watch { await watched(configuration, every: watch) } else { try await once(configuration) }
            if !isWhole { throw ExitCode(1) }
        }
    }

    private func once(_ configuration: OfficeConfiguration) async throws -> Bool {
        let json = json
        return try await onThread {
            let look = StatusLook(configuration)
            defer { look.close() }
            look.read()
            json ? Output.json(try look.json()) : Output.page(look.page.lines)
            for failure in look.failures { Output.note("Error: \(failure)") }
            return look.failures.isEmpty
        }
    }

    /// Reads and draws until it is told to stop. A thread that waits for a server that does not answer is left to
    /// itself then.
    private func watched(_ configuration: OfficeConfiguration, every seconds: Double) async -> Bool {
        let stop = await CallToStop.signal(withOutput: true)
        let watch = StatusWatch(json: json)
        _ = WorkThread(named: "status") { watch.run(configuration, every: seconds, until: stop) }
        await stop.wait()
        return watch.end()
    }
}

/// One look at an office, by connections that are kept for the next. For one thread.
final class StatusLook {
    private let configuration: OfficeConfiguration
    private let reader: OfficeReader
    private let asksQueues: Bool
    private(set) var view: OfficeView
    private var now: Instant

    convenience init(_ configuration: OfficeConfiguration, isStopped: @escaping () -> Bool = { false }) {
        self.init(configuration, broker: try? configuration.operatorBrokerSettings(), isStopped: isStopped)
    }

    /// - Parameter broker: as whom queues are asked; `nil`: they are not.
    init(
        _ configuration: OfficeConfiguration, broker: AMQP.ConnectionSettings?,
        isStopped: @escaping () -> Bool = { false }
    ) {
        self.configuration = configuration
        asksQueues = broker != nil
        reader = OfficeReader(
            configuration, as: .operator, broker: broker, name: "bihuan status", isForPersons: true,
            isStopped: isStopped)
        view = OfficeView(officeName: configuration.officeName)
        now = configuration.now
    }

    func close() { reader.close() }

    func read() {
        view = reader.read()
        now = configuration.now
    }

    var failures: [String] {
        view.failures(user: OfficeConfiguration.operatorUser, advice: QueueSurvey.advice)
    }

    var page: StatusPage { page(width: Output.width) }

    func page(width: Int?) -> StatusPage {
        StatusPage(view: view, asksQueues: asksQueues, now: now, width: width)
    }

    func json() throws -> String { try StatusObject(view: view, asksQueues: asksQueues).text() }
}

/// The view with its troubles, as one JSON object.
struct StatusObject: Encodable {
    let view: OfficeView
    let asksQueues: Bool

    private struct Line: Encodable {
        let alert, severity, text: String
        let subjects: [String]
        let value: Double
    }

    private enum Key: String, CodingKey { case troubles }

    func encode(to encoder: any Encoder) throws {
        try view.encode(to: encoder)
        var own = encoder.container(keyedBy: Key.self)
        let lines = view.troubles(withQueues: asksQueues).map {
            Line(
                alert: $0.kind.rawValue, severity: $0.severity.rawValue, text: $0.words(in: view),
                subjects: $0.subjects, value: $0.value)
        }
        try own.encode(lines, forKey: .troubles)
    }

    func text() throws -> String {
        try Output.jsonText(self)
    }
}
