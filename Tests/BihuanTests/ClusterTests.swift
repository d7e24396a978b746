import Basics
import CaseStore
import Casework
import Chaos
import Contract
import Foundation
import Installation
import LocalServers
import PartyClient
import TestOffice
import Testing
import Witness
import Workers

@Suite("An office on a cluster")
struct ClusterTests {
    @Test("the office file of the cluster names the parties for which the corpus writes reports")
    func officeFileIsTheSample() throws {
        let file = Self.folder.appending(path: "office.yaml")
        let policy = try PolicyFile.read(ShippedPolicy.chineseDiscipline, named: "cn-discipline")
        let parties = try OfficeFile.read(file.path, for: policy)
        let sample = SampleOffice.standard
        #expect(parties.units.map(\.id) == sample.units.map(\.id))
        for (unit, wanted) in zip(parties.units, sample.units) {
            #expect(unit.name == wanted.name && unit.kind == wanted.kind && unit.parent == wanted.parent)
            #expect(unit.region == wanted.region && unit.levels == Set(wanted.levels), "\(unit.id)")
        }
        #expect(parties.sources.map(\.id) == sample.sources.map(\.id))
        #expect(parties.sources.map(\.kind) == sample.sources.map(\.kind))
        #expect(parties.sources.map(\.unit) == sample.sources.map(\.unit))
        #expect(parties.persons.map(\.id) == sample.persons.map(\.id))
        #expect(parties.persons.map(\.recusedFrom) == sample.persons.map { Set($0.recusedFrom) })
    }

    @Test("a pause is the longest time between two words from the office that touches a span")
    func measuresPauses() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "pauses-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func hear(_ type: MessageType, _ party: String, at seconds: [Double]) throws {
            let journal = try Journal(file: JournalFolder.file(of: party, in: folder))
            try journal.append(
                seconds.map {
                    JournalEntry(
                        fact: .delivered, at: Int64($0 * 1_000_000), party: party, id: "\($0)", type: type.rawValue,
                        subject: "", digest: "")
                })
        }
        try hear(.reportAccepted, "source.web", at: [1, 2, 9, 10])
        try hear(.reportAccepted, "source.letter", at: [4, 10.5])
        try hear(.conclusionAccepted, "unit.d1", at: [1, 11])
        let meter = try PauseMeter(journals: folder)
        #expect(meter.concludedCount == 2)
        // From 4 to 9 nobody heard that a report was accepted; the span begins and ends within.
        #expect(meter.pause(from: 5_000_000, to: 8_000_000) == .init(accepted: 5, concluded: 10))
        #expect(meter.pause(from: 1_000_000, to: 4_000_000) == .init(accepted: 2, concluded: 10))
        // What never ends is counted up to the end of the span.
        #expect(meter.pause(from: 9_500_000, to: 30_000_000) == .init(accepted: 19.5, concluded: 19))
    }

    @Test("a run is bad if one pause is too long, a disturbance is missing, or a queue kept its leader")
    func judgesRuns() {
        let start = Instant(microsecondsSinceEpoch: 0)
        var record = ClusterRecord(seed: 1, rate: 20, daysPerSecond: 4.5, began: start, receivedAround: start)
        #expect(record.command == "bihuan-lab cluster --seed 1 --rate 20 --days-per-second 4.5")
        #expect(!record.lines.contains { $0.holds }, "a run that did nothing shows nothing")
        record.trialsPlanned = ClusterTrial.all.count
        record.trials = ClusterTrial.all.map {
            ClusterRecord.Trial(what: $0.what, seconds: [1, 15, 4], pause: .init(accepted: 3, concluded: 12.5))
        }
        (record.reports, record.isQuiet) = (100, true)
        (record.queues, record.queuesThatLostTheirLeader) = (103, 103)
        record.states = ["before", "after"]
        #expect(record.lines.allSatisfy { $0.holds })
        #expect(record.story.contains { $0.hasPrefix("mq1 stopped") && $0.hasSuffix(" 12.5") })

        var bad = record
        bad.trials[2].pause.concluded = 30.1
        #expect(bad.lines.filter { !$0.holds }.map(\.text) == ["longest pause 30.1 s, at most 30 s"])
        bad = record
        bad.trials.removeLast()
        #expect(bad.lines.filter { !$0.holds }.count == 1)
        bad = record
        bad.queuesThatLostTheirLeader = 102
        #expect(bad.lines.filter { !$0.holds }.count == 1)
    }

    @Test(
        "a cluster that is interrupted while it starts leaves no host, no process and no file behind it",
        .enabled(if: NetworkNamespace.obstacle == nil, "network namespaces need root"))
    func leavesNothing() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "cluster-\(UUID())")
        defer { try? FileManager.default.removeItem(at: directory) }
        let script = Self.folder.appending(path: "local").path
        let name = try Program.run(script, ["name", directory.path]).output.trimmingCharacters(in: .newlines)
        func left() throws -> [String] {
            try Program.run("/bin/bash", ["-c", "ip netns; ip -o link; ls /etc/netns; pgrep -af \(directory.path)/"])
                .output.split(separator: "\n").map(String.init).filter {
                    !$0.contains("pgrep") && ($0.contains(name) || $0.contains(directory.path + "/"))
                }
        }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        // A task's thread blocks signals, and what it starts would too.
        process.arguments = [
            "python3", "-c",
            "import os, signal as s, sys; s.pthread_sigmask(s.SIG_SETMASK, []); os.execv(sys.argv[1], sys.argv[1:])",
            script, "up", directory.path,
        ]
        process.standardError = FileHandle.nullDevice
        try process.run()
        // Until servers run.
        try await eventually("servers of the cluster", within: 60) {
            try left().contains { $0.contains(directory.path) }
        }
        process.terminate()
        process.waitUntilExit()
        #expect(process.terminationStatus != 0)
        #expect(try left() == [])
    }

    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../deploy/cluster").standardizedFileURL

    @Test("each broker is stopped before any leader is spread again")
    func everyLeaderLosesItsNode() {
        let nodes = ClusterTrial.all.compactMap(\.lostBroker)
        #expect(Array(nodes.prefix(3)) == ["mq1", "mq2", "mq3"])
    }
}
