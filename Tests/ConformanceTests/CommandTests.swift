import AMQP
import Basics
import BrokerTopology
import Casework
import Contract
import Foundation
import LocalServers
import Testing
import TestOffice

@testable import Conformance

@Suite(
    "The command that checks a unit",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct CommandTests {
    @Test("on another owner's virtual host it acts as the office; the example survives the broker's restart")
    func checksOnGivenVirtualHost() throws {
        let directory = try Directory()
        let definitions = try Self.definitions()
        let servers = try LocalServers.start(in: directory.url, definitions: definitions)
        defer { servers.stop() }
        var broker = try #require(
            URLComponents(
                string: servers.amqpURL(user: "unit.c01", password: TestServers.password, virtualHost: "check")))
        var unit = try UnitProcess(flaw: "none", at: broker)
        defer { unit.stop() }
        let file = directory.url.appending(path: "verdicts.json")
        func check(as user: String) throws -> Ended {
            broker.user = user
            let url = directory.url.appending(path: "url")
            try Data(try #require(broker.string).utf8).write(to: url)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: url.path)
            return try Ended([
                "contract", "check", "--unit", "c01", "--amqp-file", url.path, "--only", "signs", "--wait", "40",
                "--json", file.path,
            ])
        }
        let first = try check(as: "checker")
        #expect(first.status == 0, "\(first.errors)")
        #expect(first.output.contains("unit.c01: 1 of 1 scenarios passed"))
        try servers.restartRabbitMQ()
        let second = try check(as: "checker")
        #expect(second.status == 0, "\(second.errors)")

        let untagged = try check(as: "office.feedback")
        #expect(untagged.status == 1)
        #expect(untagged.errors.contains("give it the tag impersonator"), "\(untagged.errors)")

        unit.stop()
        unit = try UnitProcess(flaw: "hashes-json-anew", at: broker)
        let failed = try check(as: "checker")
        #expect(failed.status == 1)
        #expect(failed.output.contains("FAILED      signs"), "\(failed.output)")
        let written = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        #expect(written["passed"] as? Bool == false)
        #expect((written["scenarios"] as? [[String: Any]])?.map { $0["outcome"] as? String } == ["failed"])
    }

    @Test("its private broker keeps address and password in its directory; a missing unit's system is named")
    func checksOnPrivateBroker() throws {
        let directory = try Directory()
        let arguments = [
            "contract", "check", "--unit", "c01", "--directory", directory.url.appending(path: "check").path, "--wait",
            "0.1",
        ]
        let runs = try (1...2).map { _ in try Ended(arguments) }
        for run in runs {
            #expect(run.status == 1)
            #expect(
                run.errors.contains("nobody reads unit.c01.express, unit.c01.inbox, unit.c01.notice"), "\(run.errors)")
        }
        #expect(runs[0].output == runs[1].output)
        #expect(runs[0].output.contains("amqp://unit.c01:"))
    }

    @Test("a bad unit's name and an unreadable policy are reported at once")
    func refusesBadArguments() throws {
        let wrong = try Ended(["contract", "check", "--unit", "C 01"])
        #expect(wrong.status == 64)
        #expect(wrong.errors.contains(UnitID.shape))
        let lawless = try Ended(["contract", "check", "--unit", "c01", "--policy", "/nowhere/policy.yaml"])
        #expect(lawless.status == 1)
        #expect(lawless.errors.contains("/nowhere/policy.yaml cannot be read"), "\(lawless.errors)")
    }

    /// One unit, and a user who may speak as others.
    private static func definitions() throws -> Data {
        let parties: [Party] = [.unit(UnitProcess.unit), .office(.feedback)]
        let definitions = Definitions(
            virtualHost: "check", units: [UnitProcess.unit], sources: [], persons: [],
            users: parties.map { BrokerUser(party: $0, password: TestServers.password) },
            administrator: ("checker", TestServers.password))
        var file = try #require(try JSONSerialization.jsonObject(with: definitions.json()) as? [String: Any])
        var users = try #require(file["users"] as? [[String: Any]])
        var permissions = try #require(file["permissions"] as? [[String: Any]])
        for index in users.indices where users[index]["name"] as? String == "checker" {
            users[index]["tags"] = "impersonator"
        }
        for index in permissions.indices where permissions[index]["user"] as? String == "checker" {
            permissions[index].merge([
                "configure": "^$", "write": "^bihuan\\.(handoff|notice)$", "read": "^unit\\.c01\\.acts$",
            ]) { _, new in new }
        }
        (file["users"], file["permissions"]) = (users, permissions)
        return try JSONSerialization.data(withJSONObject: file)
    }
}

/// The command, run to its end.
private struct Ended {
    let status: Int32
    let output: String
    let errors: String

    init(_ arguments: [String]) throws {
        // The test bundle's neighbour, built with it.
        let bundle = URL(fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        let process = Process()
        let (output, errors) = (Pipe(), Pipe())
        process.executableURL = bundle.deletingLastPathComponent().appending(path: "bihuan")
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("BIHUAN_") && $0.key != "COLUMNS"
        }
        process.standardInput = FileHandle.nullDevice
        (process.standardOutput, process.standardError) = (output, errors)
        try process.run()
        // Little is written to the second while the first is read: both fit a pipe.
        self.output = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        self.errors = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        status = process.terminationStatus
    }
}

/// A folder of a test's own that the servers' users may pass through, taken away with it.
private final class Directory {
    let url = FileManager.default.temporaryDirectory.appending(path: "check-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(
            at: url, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o711])
    }
    deinit { try? FileManager.default.removeItem(at: url) }
}
