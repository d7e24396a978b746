import AMQP
package import Basics
import Casework
import Contract
import Foundation
import Installation
import PartyClient
package import Rehearsal
import Submitting
import Terminal

/// One run on a cluster of brokers, databases and workers' hosts: under load each disturbance, then the verdict.
package struct ClusterRun: Sendable {
    package let home: RehearsalFolder
    package let stop: StopSignal
    /// `deploy/cluster/local`.
    package let script: String
    package var seed: UInt64 = 1
    package var reportsPerSecond = 20.0
    package var daysPerSecond = 4.5
    package var json: String?

    package init(home: RehearsalFolder, stop: StopSignal, script: String) {
        (self.home, self.stop, self.script) = (home, stop, script)
    }

    /// Business time is so far ahead of wall time that no moment of one can be confused with one of the other.
    private static let aheadDays = 30.0
    /// Loops that are concluded before the first disturbance: then they come steadily.
    private static let warmLoops = 100
    private static let warmSecondsMax = 180.0
    private static let wholeSecondsMax = 180.0
    /// The time between two disturbances, and after the last.
    private static let restSeconds = 10.0
    private static let furtherStopsMax = 3
    /// A party on another machine gives a silent broker up sooner than 5 s: its other senders wait meanwhile.
    private static let connectSeconds = 1.0

    /// Runs it; returns whether every line holds.
    package func run() async throws -> Bool {
        let cluster = ClusterScript(program: script, directory: home.url, bihuan: Executable.bihuan)
        defer { _ = try? cluster.run("down") }
        let began = Instant(Date())
        Output.note("starting three brokers, a primary and its standby in \(home.url.path) …")
        _ = try await onThread { try cluster.run("up") }
        let settings = home.url.appending(path: "clock.yaml")
        let clock = """
            clock: {wallOrigin: "\(began)", businessOrigin: "\(began.adding(seconds: Self.aheadDays * 86_400))", \
            rate: \(daysPerSecond * 86_400)}

            """
        try Data(clock.utf8).write(to: settings)
        let parties = URL(filePath: script).deletingLastPathComponent().appending(path: "office.yaml").path
        Output.note("setting the office up, and starting its workers on two hosts …")
        _ = try await onThread { try cluster.run("office", parties, settings.path) }
        let configuration = try await OfficeConfiguration.read(file: home.url.appending(path: "bihuan.yaml"))
        return try await onThread { try play(cluster, configuration, began: began) }
    }

    // MARK: Steps

    private func play(_ cluster: ClusterScript, _ configuration: OfficeConfiguration, began: Instant) throws -> Bool {
        let units = try Sidecar(
            Executable.lab,
            [
                "simulate-units", "--data", home.url.path, "--journals", home.journals.path, "--seed", "\(seed)",
                "--repeated-per-mille", "20", "--until-input-ends",
            ], log: home.url.appending(path: "log/units.log"))
        defer { units.stop() }
        let passwords = Dictionary(
            uniqueKeysWithValues: SampleOffice.standard.sources.compactMap { source in
                configuration.users[OfficeConfiguration.userKey(.source(source.id))].map { (source.id, $0) }
            })
        var broker = try configuration.operatorBrokerSettings()
        (broker.user, broker.password, broker.connectTimeoutSeconds) = ("", "", Self.connectSeconds)
        let receipts = try ReceiptReader(broker: broker, passwords: passwords, journals: home.journals)
        var record = ClusterRecord(
            seed: seed, rate: reportsPerSecond, daysPerSecond: daysPerSecond, began: began,
            receivedAround: configuration.now)
        let load = ChaosLoad(
            broker: broker, passwords: passwords,
            journal: try Journal(file: JournalFolder.file(of: "submitter", in: home.journals)),
            corpus: ChaosCorpus(seed: seed, receivedAround: record.receivedAround), rate: reportsPerSecond,
            watcher: broker)
        defer { load.stop() }
        let loadBegan = ContinuousClock.now
        try warmUp()
        try disturb(cluster, &record)
        load.stop()
        record.seconds = (ContinuousClock.now - loadBegan).inSeconds
        record.reports = load.count
        record.interruptions = load.interruptions
        let calm = Calm(configuration: configuration, journals: home.journals, daysPerSecond: daysPerSecond)
        record.isQuiet = try calm.wait(reports: load.count, stop: stop) {
            Dictionary(try cluster.queues().map { ($0.name, $0.messages) }) { $1 }
        }
        units.stop()
        try receipts.stop()
        // The judged state must not change: the clocks of open handoffs would go on.
        for host in ["w1", "w2"] { try cluster.run("stop", host) }
        record.ended = Instant(Date())
        try record.write(to: home.url)
        return try judge()
    }

    private func warmUp() throws {
        Output.note("load: \(Int(reportsPerSecond)) reports a second; waiting until loops are concluded steadily …")
        let end = ContinuousClock.now + .seconds(Self.warmSecondsMax)
        while try PauseMeter(journals: home.journals).concludedCount < Self.warmLoops {
            guard ContinuousClock.now < end, !stop.isStopped else {
                throw UserError("the office concluded too little: read \(home.url.path)/log")
            }
            usleep(500_000)
        }
    }

    /// What was done when, and the queues that lost the node of their leader.
    private struct Done {
        var lost: Set<String> = []
        var spans: [(from: Int64, seconds: [Double], what: String)] = []
    }

    private func disturb(_ cluster: ClusterScript, _ record: inout ClusterRecord) throws {
        var done = Done()
        record.queues = try cluster.queues().count
        note(cluster, in: &record)
        for trial in ClusterTrial.all { try make(trial, cluster, &done, &record) }
        // A busy machine may have moved a leader between two stops.
        for _ in 1...Self.furtherStopsMax {
            let kept = try cluster.queues().filter { !done.lost.contains($0.name) }
            guard let node = kept.first.flatMap({ ClusterTrial.broker(of: $0.leader) }) else { break }
            try make(.stop(node), cluster, &done, &record)
        }
        let end = Wall.now
        if stop.isStopped { record.failures.append("the run was interrupted") }
        record.queuesThatLostTheirLeader = done.lost.count
        note(cluster, in: &record)
        // A message that is on its way to a journal may still arrive.
        rest(Self.restSeconds)
        let meter = try PauseMeter(journals: home.journals)
        record.trials = done.spans.indices.map { index in
            let span = done.spans[index]
            let until = index + 1 < done.spans.count ? done.spans[index + 1].from : end
            return ClusterRecord.Trial(
                what: span.what, seconds: span.seconds, pause: meter.pause(from: span.from, to: until))
        }
    }

    /// Makes one disturbance and waits until everything is whole again; nothing after a failure.
    private func make(
        _ trial: ClusterTrial, _ cluster: ClusterScript, _ done: inout Done, _ record: inout ClusterRecord
    ) throws {
        record.trialsPlanned += 1
        guard !stop.isStopped, record.failures.isEmpty else { return }
        Output.note("\(trial.what) …")
        if let node = trial.lostBroker {
            done.lost.formUnion(
                try cluster.queues().filter { ClusterTrial.broker(of: $0.leader) == node }.map(\.name))
        }
        let from = Wall.now
        var seconds: [Double] = []
        do {
            try seconds.append(timed { for act in trial.begin { try cluster.run(act) } })
            try seconds.append(timed { rest(trial.heldSeconds) })
            try seconds.append(
                timed {
                    for act in trial.end { try cluster.run(act) }
                    try waitUntilWhole(cluster)
                })
            done.spans.append((from, seconds, trial.what))
        } catch {
            record.failures.append("\(trial.what): \(error)")
        }
        rest(Self.restSeconds)
    }

    /// Spreads the leaders and writes down what the cluster says of itself.
    private func note(_ cluster: ClusterScript, in record: inout ClusterRecord) {
        do throws(UserError) {
            try cluster.run("balance")
            record.states.append(try cluster.run("check").replacing("\n", with: "; "))
        } catch {
            record.failures.append("\(error)")
        }
    }

    private func waitUntilWhole(_ cluster: ClusterScript) throws {
        let end = ContinuousClock.now + .seconds(Self.wholeSecondsMax)
        while true {
            // A node that has just started may not be able to tell yet.
            if let queues = try? cluster.queues(), queues.allSatisfy(\.isWhole), !queues.isEmpty { return }
            guard ContinuousClock.now < end, !stop.isStopped else { throw UserError("not every queue became whole") }
            usleep(200_000)
        }
    }

    private func timed(_ work: () throws -> Void) throws -> Double {
        let start = ContinuousClock.now
        try work()
        return (ContinuousClock.now - start).inSeconds
    }

    private func rest(_ seconds: Double) {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end, !stop.isStopped { usleep(50_000) }
    }

    /// Judges in a separate process, which knows only tables, journals and logs.
    private func judge() throws -> Bool {
        let process = Process()
        process.executableURL = URL(filePath: Executable.lab)
        process.arguments =
            ["cluster-verdict", "--data", home.url.path, "--journals", home.journals.path]
            + (json.map { ["--json", URL(filePath: $0).absoluteURL.path] } ?? [])
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
