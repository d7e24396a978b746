import ArgumentParser
import Contract
import Foundation
import LocalServers
import PostgreSQL
import TestOffice
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

@Suite("bihuan doctor")
struct DoctorTests {
    @Test("a working office is well; each fault is found by its check, and is gone when the advice is followed")
    func findsEveryFault() throws {
        let examined = try ExaminedOffice()
        defer { examined.close() }
        try examined.isWell()
        for round in DoctorFault.rounds {
            for fault in round.faults { try fault.provoke(examined) }
            var (missing, last) = ([String](), ExaminedOffice.Said?.none)
            try? eventually(within: 60) {
                let said = try examined.doctor(round.options)
                last = said
                missing = round.faults.filter { fault in
                    !said.text(of: fault.check).contains(fault.expected) || said.isWell(fault.check)
                }.map { "\($0.name): \($0.check) must say \"\($0.expected)\", and says: \(said.text(of: $0.check))" }
                return missing.isEmpty
            }
            #expect(missing == [], "round \(round.name)")
            let isError = last?.checks.values.contains { $0.status == "error" } ?? false
            #expect(last?.status == (isError ? 1 : 2), "\(last?.output ?? "")")
            for fault in round.faults.reversed() { try fault.cure(examined) }
            try examined.isWell(after: round.name)
        }
    }

    @Test("on the broker's machine rabbitmqctl tells more, and servers that swallow everything do not hold it up")
    func asksBothWays() throws {
        let examined = try ExaminedOffice()
        defer { examined.close() }
        try examined.isWell()
        let control = try examined.office.besideTheNode(examined.servers)
        let told = try examined.doctor(way: control)
        #expect(told.isWell("broker.limits") && told.status == 0, "\(told.output)\(told.errors)")
        for check in ["broker.version", "broker.alarms", "broker.cluster", "broker.queues", "broker.clock"] {
            #expect(told.checks[check]?.status == "ok", "\(told.text(of: check))")
        }
        _ = try examined.servers.servers.rabbitmqctl(["eval", "application:set_env(rabbit, consumer_timeout, 60000)."])
        _ = try examined.servers.servers.rabbitmqctl(["eval", "application:set_env(rabbit, max_message_size, 1000)."])
        let limits = try examined.doctor(way: control).text(of: "broker.limits")
        #expect(limits.contains("consumer_timeout is 60 s") && limits.contains("max_message_size is 1000"), "\(limits)")

        let silent = try SilentPort()
        defer { silent.close() }
        let begun = ContinuousClock.now
        let said = try examined.doctor(
            ["--set", "database.url=postgresql://127.0.0.1:\(silent.port)/first"]
                + ["--set", "amqp.url=amqp://127.0.0.1:\(silent.port)/first"],
            way: ["--management", "http://127.0.0.1:\(silent.port)"])
        #expect((ContinuousClock.now - begun).inSeconds < Doctor.patienceSeconds + 10)
        #expect(said.status == 1 && said.checks.count == DoctorCheck.all.count, "\(said.output)\(said.errors)")
        for check in DoctorCheck.all where !check.id.hasPrefix("configuration.") {
            #expect(!said.isWell(check.id), "\(check.id): \(said.text(of: check.id))")
        }
        #expect(said.text(of: "database.reachable").contains("does not answer"))
        #expect(said.text(of: "office.workers").contains("could not be asked: the database does not answer"))
        try examined.showsNoSecret(said.output + said.errors + told.output)
    }

    @Test("what is not configured right is told without a server, and nothing else is called right")
    func judgesConfiguration() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "bihuan-doctor-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let key = "fHd0ReiCdnWTPAzqjGTiV+hnwRCLIBVyGSkAMmdhXhM="
        let right = """
            database: {url: "postgresql://192.0.2.1/b"}
            amqp: {url: "amqp://broker.example/b"}
            vault: {publicKey: "\(key)"}
            sealedMail: {publicKey: "\(key)"}

            """
        let file = folder.appending(path: "bihuan.yaml")
        func reports(_ text: String, _ checks: [DoctorCheck]) async throws -> [String: Doctor.Report] {
            try Data(text.utf8).write(to: file)
            let options = try InstallationOptions.parse(["--config", file.path])
            let patient = try await Patient.read(
                options, workers: [.routing], broker: try BrokerOptions.parse([]), directory: folder)
            return Dictionary(uniqueKeysWithValues: Doctor(patient, checks: checks).reports().map { ($0.check.id, $0) })
        }
        let open = try await reports(right, DoctorCheck.configuration)
        #expect(open["configuration.values"]?.findings == [])
        let protection = open["configuration.protection"]?.findings.map(\.text) ?? []
        #expect(protection.contains { $0.contains("reaches broker.example without TLS") }, "\(protection)")
        #expect(protection.contains { $0.contains("192.0.2.1 without TLS") }, "\(protection)")
        let needs = open["configuration.worker"]?.findings.map(\.text) ?? []
        #expect(needs.contains { $0.contains("users.office-routing: is missing") }, "\(needs)")

        let wrong = try await reports(right + "lanes: 2\n", DoctorCheck.all)
        #expect(wrong["configuration.values"]?.worst == .error)
        for report in wrong.values where !report.check.id.hasPrefix("configuration.") {
            #expect(report.worst == .unknown, "\(report.check.id): \(report.findings)")
        }
        #expect(DoctorSummary(Array(wrong.values)).exitStatus == 1)
    }

    @Test("clocks may differ by a second, and by five before it is an error; what cannot be told exactly is no finding")
    func comparesClocks() {
        func worst(_ ahead: Double, _ within: Double) -> Finding.Severity? {
            DoctorCheck.clockFindings("the server's", ahead: ahead, within: within).first?.severity
        }
        #expect(worst(0.9, 0) == nil && worst(1.5, 0) == .warning && worst(-6, 0) == .error)
        #expect(worst(1.5, 0.6) == nil && worst(-5.5, 1) == .warning)
    }

    @Test("the exit status says the worst; what this way in does not tell counts as nothing")
    func exitsByTheWorst() {
        func status(_ findings: Finding...) -> Int32 {
            DoctorSummary(
                findings.map { finding in
                    .init(check: DoctorCheck("a.b", "c", needs: []) { _ in [] }, findings: [finding])
                }
            ).exitStatus
        }
        #expect(status() == 0 && status(.note("a"), .untold("b")) == 0)
        #expect(status(.risky("a", do: "b"), .unknown("c")) == 2 && status(.unknown("a")) == 3)
        #expect(status(.risky("a", do: "b"), .wrong("a", do: "b")) == 1)
    }

    @Test("a check that never ends is unknown, and does not keep the others from being told")
    func givesUpSilentCheck() async throws {
        let never = DispatchSemaphore(value: 0)
        defer { never.signal() }
        let checks = [
            DoctorCheck("a.silent", "", needs: []) { _ in
                never.wait()
                return []
            }, DoctorCheck("b.well", "", needs: []) { _ in [] },
        ]
        let patient = try await Patient.read(
            try InstallationOptions.parse(["--config", "/nowhere"]), workers: [], broker: try BrokerOptions.parse([]),
            directory: URL(filePath: "/"))
        let reports = Doctor(patient, checks: checks).reports(within: 0.2)
        #expect(reports.map(\.worst) == [.unknown, nil])
        #expect(reports.first?.findings.first?.text == "could not be asked: no answer within 0 s")
    }

    @Test("docs/doctor.md lists every check with what it looks at and what it needs")
    func pageListsEveryCheck() throws {
        let page = try String(
            contentsOf: URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/doctor.md"),
            encoding: .utf8)
        let rows = page.split(separator: "\n").map { row in
            row.split(separator: "|").prefix(3).map { $0.trimmingCharacters(in: .whitespaces) }
        }.filter { $0.first?.wholeMatch(of: /`[a-z]+\.[a-z]+`/) != nil }
        let wanted = DoctorCheck.all.map { check in
            ["`\(check.id)`", check.title, check.needs.map(\.rawValue).joined(separator: ", ")]
        }
        #expect(rows == wanted)
        #expect(Set(DoctorCheck.all.map(\.id)).count == DoctorCheck.all.count)
    }
}
