import Casework
import Contract
import Foundation
import LocalServers
import Terminal
import Testing
import Witness
@testable import Basics
@testable import Chaos
@testable import Rehearsal

@testable import bihuan

@Suite("What disturbs an office, and what it relies on")
struct ChaosPlanTests {
    @Test("a seed always gives the same plan, and another seed another one")
    func derivesPlanFromSeed() {
        let plan = DisturbancePlan(seed: 7, minutes: 3, kills: 50)
        #expect(plan.lines == DisturbancePlan(seed: 7, minutes: 3, kills: 50).lines)
        #expect(plan.lines != DisturbancePlan(seed: 8, minutes: 3, kills: 50).lines)
        #expect(plan.kills.prefix(2).map(\.line) == ["    5.19 s  kill  routing", "    7.07 s  kill  routing"])
    }

    @Test("the kills are as many as asked, in order and in time; two minutes include every other kind")
    func plansEveryKindInOrder() {
        let plan = DisturbancePlan(seed: 1, minutes: 2, kills: 40)
        #expect(plan.kills.count == 40 && plan.kills.allSatisfy { $0.kind == .kill && $0.worker != nil })
        #expect(plan.kills.map(\.at) == plan.kills.map(\.at).sorted())
        #expect((plan.kills + plan.others).allSatisfy { (2...120).contains($0.at) })
        #expect(Set(plan.others.map(\.kind)) == Set(Disturbance.Kind.allCases).subtracting([.kill, .longPause]))
        let long = DisturbancePlan(seed: 1, minutes: 10, kills: 0, hasOtherHost: false)
        #expect(Set(long.others.map(\.kind)) == Set(Disturbance.Kind.allCases).subtracting([.kill, .hostCutOff]))
        #expect(long.others.filter { $0.kind == .longPause }.allSatisfy { $0.seconds == 180 && $0.worker != nil })
        #expect(
            Set(DisturbancePlan(seed: 1, minutes: 20, kills: 1000).kills.compactMap(\.worker)) == Set(Worker.allCases))
    }

    @Test("each named kind comes once and no other does; a long stop fits a short run too")
    func plansOnlyNamedKinds() throws {
        let plan = DisturbancePlan(seed: 1, minutes: 1, kills: 2, only: [.longPause, .pause])
        #expect(plan.kills.count == 2 && plan.others.map(\.kind) == [.longPause, .pause])
        #expect(plan.others.map(\.at).allSatisfy { (2...60).contains($0) })
        let listed = try Program.run(
            Program.lab, ["chaos", "--plan", "--kills", "0", "--only", "long stop", "--only", "pause"])
        #expect(
            listed.output.split(separator: "\n").count == 2 && listed.output.contains("  long stop  "),
            "\(listed.output)\(listed.errors)")
    }

    @Test("the recorded command names all inputs; an omitted event makes its line false; an unplanned one is reported")
    func recordsEverythingTheRunDependsOn() {
        let start = Instant(microsecondsSinceEpoch: 0)
        var record = ChaosRecord(
            seed: 7, minutes: 0.5, killsPlanned: 0, rate: 100, daysPerSecond: 4.5, began: start, ended: start,
            receivedAround: start)
        #expect(record.command == "bihuan-lab chaos --minutes 0.5 --kills 0 --seed 7 --rate 100 --days-per-second 4.5")
        record.only = ["long stop", "pause"]
        #expect(
            record.command
                == """
                bihuan-lab chaos --minutes 0.5 --kills 0 --only 'long stop' --only pause --seed 7 --rate 100 \
                --days-per-second 4.5
                """
        )
        (record.rate, record.only) = (nil, [])
        #expect(record.command == "bihuan-lab chaos --minutes 0.5 --kills 0 --seed 7 --days-per-second 4.5")

        record.othersPlanned = ["pause": 2, "cut broker": 1]
        record.others = ["pause": 2]
        let missing = "other disturbances done: 2 of 3 planned: cut broker 0 of 1, pause 2 of 2"
        #expect(record.lines.first { $0.text == missing }?.holds == false)
        record.others["cut broker"] = 1
        #expect(record.lines.first { $0.text.hasPrefix("other disturbances done: 3 of 3") }?.holds == true)
        #expect(record.lines.first?.text == "kills done: 0 of 0 planned, each of a worker that held work")
        #expect(record.lines.first?.holds == true)
        let left = record.story.first { $0.contains("not part of it") } ?? ""
        #expect(left.contains("memory alarm") && !left.contains("pause") && !left.contains("kill,"))
        #expect(DisturbancePlan(seed: 7, minutes: 1, kills: 0).kills.isEmpty)
    }

    @Test("an unwritable file, or a run that could not settle, is refused before anything starts")
    func refusesRunsThatCannotEnd() throws {
        for arguments in [
            ["--json", "/nowhere/at/all.json"], ["--json", "/"], ["--days-per-second", "0.4"], ["--kills", "-1"],
            ["--only", "kill"], ["--only", "earthquake"],
        ] {
            let run = try Program.run(Program.lab, ["chaos"] + arguments)
            #expect(run.status == 64, "\(arguments): \(run.errors)")
        }
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).json")
        try JSONFile.check(file.path)
        #expect(!FileManager.default.fileExists(atPath: file.path))
        #expect(try Program.run(Program.lab, ["chaos", "--plan", "--kills", "0", "--json", file.path]).status == 0)
    }

    @Test("a setting that is not durable is refused by name")
    func namesWhatIsNotDurable() {
        let good = ChaosDurability(
            settings: ["fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"],
            queues: [.init(name: "bihuan.intake", type: "quorum", isDurable: true)])
        #expect(good.problems.isEmpty)
        var bad = good
        bad.settings["fsync"] = "off"
        bad.settings["full_page_writes"] = nil
        bad.queues.append(.init(name: "unit.d1.inbox", type: "classic", isDurable: false))
        #expect(
            bad.problems == [
                "fsync is off, not on", "full_page_writes is unknown, not on",
                "the queue unit.d1.inbox is classic, durable false",
            ])
        bad.queues = []
        #expect(bad.problems.contains("there are no queues"))
        #expect(good.messageProblems.count == ChaosDurability.exchanges.count)
        var seen = good
        for exchange in ChaosDurability.exchanges { seen.messages[exchange] = 1 }
        #expect(seen.messageProblems.isEmpty)
        seen.messagesNotPersistent = 2
        #expect(seen.messageProblems == ["2 messages were not persistent"])
    }
}

@Suite("A bad network")
struct BadNetworkTests {
    @Test("it forwards by default, holds data back in silence and releases it, resets when cut, and is late when slow")
    func forwardsDelaysAndResets() throws {
        let echo = try EchoServer()
        let network = try BadNetwork()
        defer { network.close() }
        network.lead(to: echo.port)
        let line = try Line(to: network.port)
        #expect(line.echo("one") == "one")

        network.set(.silent)
        #expect(line.echo("two", withinMilliseconds: 200) == nil)
        network.set(.clear)
        #expect(line.answer(withinMilliseconds: 5_000) == "two")

        network.set(.slow(delaySeconds: 0.1, bytesPerSecond: 10_000))
        let began = ContinuousClock.now
        #expect(line.echo("three") == "three")
        #expect(ContinuousClock.now - began >= .milliseconds(200), "late on the way there, and on the way back")

        network.set(.cut)
        #expect(line.isReset(withinMilliseconds: 5_000))
        #expect(try Line(to: network.port).isReset(withinMilliseconds: 5_000))
        network.set(.clear)
        #expect(try Line(to: network.port).echo("four") == "four")
    }

    /// Sends back what it gets, to one client after the other.
    private final class EchoServer: Sendable {
        let port: Int

        init() throws {
            let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            try #require(listen(listener, 8) == 0)
            port = Loopback.port(of: listener)
            Thread.detachNewThread {
                while true {
                    let client = accept(listener, nil, nil)
                    guard client >= 0 else { return }
                    Thread.detachNewThread {
                        var bytes = [UInt8](repeating: 0, count: 1024)
                        while true {
                            let count = recv(client, &bytes, bytes.count, 0)
                            guard count > 0, send(client, bytes, count, Int32(MSG_NOSIGNAL)) == count else { break }
                        }
                        close(client)
                    }
                }
            }
        }
    }

    private final class Line {
        private let descriptor: Int32

        init(to port: Int) throws {
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            let connected = Loopback.withAddress(port: port) { connect(descriptor, $0, $1) }
            try #require(connected == 0)
        }

        deinit { close(descriptor) }

        func echo(_ text: String, withinMilliseconds limit: Int32 = 5_000) -> String? {
            let bytes = Array(text.utf8)
            guard send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else { return nil }
            return answer(withinMilliseconds: limit)
        }

        func answer(withinMilliseconds limit: Int32) -> String? {
            var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&polled, 1, limit) == 1 else { return nil }
            var bytes = [UInt8](repeating: 0, count: 1024)
            let count = recv(descriptor, &bytes, bytes.count, 0)
            return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
        }

        func isReset(withinMilliseconds limit: Int32) -> Bool {
            var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&polled, 1, limit) == 1 else { return false }
            var byte: UInt8 = 0
            return recv(descriptor, &byte, 1, 0) < 0 && errno == ECONNRESET
        }
    }
}
