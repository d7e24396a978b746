public import AMQP
public import Basics
import BrokerTopology
public import Casework
import Contract
import Foundation

/// Runs the scenarios against a unit's system and judges its messages. Blocks its thread, which needs the stack of an
/// AMQP connection.
public struct Check: Sendable {
    public struct Options: Sendable {
        public var unit: UnitID
        /// The rulebook by which words, returns and conclusions are judged.
        public var rulebook: Rulebook
        /// As `office.routing`, or as a user with the tag `impersonator`; writes `bihuan.handoff`.
        public var routing: ConnectionSettings
        /// As `office.feedback`, or as a user with the tag `impersonator`; writes `bihuan.handoff` and
        /// `bihuan.notice`, reads `unit.<id>.acts`.
        public var feedback: ConnectionSettings
        /// The longest wait for each expected message.
        public var patienceSeconds = 10.0
        /// How long to wait for unexpected messages.
        public var listenSeconds = 2.0
        /// The longest wait for the unit's system to connect.
        public var connectSeconds = 600.0
        /// Whether messages already in the queue of the unit's acts may be consumed: those of an earlier check, never
        /// those of an office.
        public var takesWhatLies = false
        /// The only scenario to run.
        public var only: String?
        /// Called with the name of each scenario before it runs.
        public var progress: @Sendable (String) -> Void = { _ in }
        /// Called about once a second; `true` ends the check with `ConformanceError.cancelled`.
        public var isCancelled: @Sendable () -> Bool = { false }

        public init(unit: UnitID, rulebook: Rulebook, routing: ConnectionSettings, feedback: ConnectionSettings) {
            self.unit = unit
            self.rulebook = rulebook
            self.routing = routing
            self.feedback = feedback
        }
    }

    private let options: Options

    public init(_ options: Options) { self.options = options }

    /// Waits for the unit's system, runs the scenarios, and returns a verdict for every scenario that was asked for.
    /// - Throws: `ConformanceError` or `AMQPError` if no check can be made.
    public func run() throws -> [Verdict] {
        var scenarios = Scenario.played
        if let only = options.only {
            guard let playing = Scenario.playing(only) else { throw ConformanceError.unknownScenario(only) }
            scenarios = playing
        }
        let player = try Player(
            unit: options.unit, routing: options.routing, feedback: options.feedback,
            takesWhatLies: options.takesWhatLies)
        defer { player.close() }
        var play = Play(
            office: OfficeSide(
                unit: options.unit, run: String(format: "%08x", UInt32.random(in: 0 ... .max)),
                rulebook: options.rulebook), player: player, options: options)
        try play.waitForUnit()
        var missing: [String: String] = [:]
        var blocked: String?
        for scenario in scenarios {
            if let blocked {
                missing[scenario.name] = blocked
                continue
            }
            options.progress(scenario.name)
            let wanting = try play.perform(scenario)
            missing[scenario.name] = wanting
            // A unit that does not sign cannot be judged any further.
            if scenario.name == Scenario.signs, wanting != nil { blocked = "not played: \(Scenario.signs) comes first" }
        }
        // The unit may finish what it began, and is judged by it.
        try play.listen()
        play.office.finish()
        return verdicts(play, missing: missing, blocked: blocked, played: Set(scenarios.map(\.name)))
    }

    private func verdicts(_ play: Play, missing: [String: String], blocked: String?, played: Set<String>) -> [Verdict] {
        let wanted = Scenario.all.filter { options.only == nil || options.only == $0.name }
        return wanted.map { scenario in
            let own = play.office.faults.filter { $0.scenario == scenario.name }.map(\.text)
            func verdict(_ outcome: Verdict.Outcome, _ reasons: [String]) -> Verdict {
                Verdict(scenario: scenario.name, expectation: scenario.expectation, outcome: outcome, reasons: reasons)
            }
            if !own.isEmpty { return verdict(.failed, own) }
            if scenario.isAboutAll {
                return play.office.heardCount == 0
                    ? verdict(.notJudged, ["the unit published nothing"]) : verdict(.passed, [])
            }
            guard let wanting = missing[scenario.name] else { return verdict(.passed, []) }
            if wanting == blocked { return verdict(.notJudged, [wanting]) }
            // A fault elsewhere may be the reason why the expected act did not count.
            let subjects = Set(play.office.handoffs.filter { $0.value.scenario == scenario.name }.keys)
            let elsewhere = Set(
                play.office.faults.filter { $0.subject.map(subjects.contains) ?? false }.map(\.scenario)
            ).sorted()
            if elsewhere.isEmpty { return verdict(.failed, [wanting]) }
            return verdict(
                .notJudged, ["see \(elsewhere.joined(separator: ", ")): the acts of this handoff did not count"])
        }
    }
}

/// The state of the run.
private struct Play {
    var office: OfficeSide
    let player: Player
    let options: Check.Options

    private var now: Instant { Instant(Date()) }

    mutating func waitForUnit() throws {
        let end = ContinuousClock.now + .seconds(options.connectSeconds)
        var unread = try player.unreadQueues()
        while !unread.isEmpty {
            guard ContinuousClock.now < end else { throw ConformanceError.nobodyReads(unread) }
            if options.isCancelled() { throw ConformanceError.cancelled }
            // A unit that was stopped during an earlier run may publish first.
            if let utterance = try player.next(within: 0.25) { try player.send(office.hear(utterance, at: now)) }
            unread = try player.unreadQueues()
        }
    }

    mutating func listen() throws { try hear(for: options.listenSeconds) { _ in false } }

    /// Runs one scenario. Returns what was expected and did not come; `nil` if everything came.
    mutating func perform(_ scenario: Scenario) throws -> String? {
        var ids: [String: String] = [:]
        for step in scenario.steps {
            if options.isCancelled() { throw ConformanceError.cancelled }
            switch step {
            case .announce(let name):
                ids[name] = office.announce(.plain, express: false, conduct: .judges, of: scenario.name, at: now)
            case .dispatch(let name, let style, let express, let conduct):
                let id = office.announce(style, express: express, conduct: conduct, of: scenario.name, at: now)
                ids[name] = id
                try player.send(office.dispatch(id))
            case .dispatchAgain(let name): try player.send(office.dispatch(ids[name] ?? ""))
            case .recall(let name): try player.send(office.recall(ids[name] ?? "", at: now))
            case .recallIsKnown(let name): office.recallIsKnown(ids[name] ?? "")
            case .unknownTypes: try player.send(office.letters.unknownTypes(at: now))
            case .listen: try listen()
            case .await(let wish, let name):
                let id = ids[name] ?? ""
                if try !hear(for: options.patienceSeconds, until: { $0.isFulfilled(wish, of: id) }) {
                    let unread = try player.unreadQueues()
                    let gone = unread.isEmpty ? "" : "; nobody reads \(unread.joined(separator: ", ")) any more"
                    let objection = office.handoffs[id]?.objection.map { "; \($0)" } ?? ""
                    return "\(wish.words) of \(id) within \(options.patienceSeconds.formatted()) s\(objection)\(gone)"
                }
            case .noticesRead:
                let queue = Topology.Queue.notice(options.unit)
                let left = try player.waitingCount(in: queue)
                if left > 0 { return "\(left) messages lie in \(queue), which the unit does not take" }
            }
        }
        return nil
    }

    /// Answers every message of the unit until the condition holds or the time is over. Returns whether it holds.
    @discardableResult
    private mutating func hear(for seconds: Double, until isDone: (OfficeSide) -> Bool) throws -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        while !isDone(office) {
            let left = (end - .now) / .seconds(1)
            if left <= 0 { return false }
            if options.isCancelled() { throw ConformanceError.cancelled }
            if let utterance = try player.next(within: min(left, 1)) {
                try player.send(office.hear(utterance, at: now))
            }
        }
        return true
    }
}
