import CaseStore
import Contract
import Foundation
import Testing
@testable import Installation

/// The units in `deploy/systemd` and the settings beside them, which the Debian package installs.
@Suite("Units of systemd")
struct SystemdUnitTests {
    private static let root = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    private static let folder = root.appending(path: "deploy/systemd")

    /// Judges units without running any.
    private static let judge = "/usr/bin/systemd-analyze"
    private static let isJudgeThere = FileManager.default.isExecutableFile(atPath: judge)
    private static let noJudge: Comment = "there is no systemd-analyze: install the package systemd"

    // MARK: As systemd reads them

    @Test("systemd finds no fault in a unit", .enabled(if: isJudgeThere, noJudge))
    func unitsHaveNoFault() throws {
        try Self.withUnitsThatCanStart { folder, names in
            let paths = names.map { folder.appending(path: $0).path }
            let result = try Program.run(Self.judge, ["verify", "--man=no", "--recursive-errors=no"] + paths)
            // It may complain about units of this machine as well.
            let complaints = (result.output + result.errors).split(separator: "\n").filter { $0.contains("bihuan") }
            #expect(complaints == [])
            #expect(result.status == 0)
        }
    }

    @Test("no service is exposed to more than 2.5, by systemd's measure", .enabled(if: isJudgeThere, noJudge))
    func servicesAreHardened() throws {
        try Self.withUnitsThatCanStart { folder, names in
            let services = names.filter { $0.hasSuffix(".service") }
            #expect(services.count == 5)
            for service in services {
                let result = try Self.judgeExposure(of: folder.appending(path: service))
                #expect(result.status == 0, "\(service): \(result.output)\(result.errors)")
            }
        }
    }

    @Test("a service without the restrictions is found to be exposed", .enabled(if: isJudgeThere, noJudge))
    func measureTellsTheDifference() throws {
        try Self.withUnitsThatCanStart { folder, names in
            try FileManager.default.removeItem(at: folder.appending(path: "bihuan-.service.d"))
            let result = try Self.judgeExposure(of: folder.appending(path: "bihuan-intake@.service"))
            #expect(result.status != 0)
            #expect(result.output.contains("exposure level"), "\(result.errors)")
        }
    }

    private static func judgeExposure(of unit: URL) throws -> Program.Result {
        try Program.run(judge, ["security", "--no-pager", "--offline=true", "--threshold=25", unit.path])
    }

    /// A copy of the folder in which every command exists on this machine; nothing else differs.
    private static func withUnitsThatCanStart(_ body: (_ folder: URL, _ names: [String]) throws -> Void) throws {
        let copy = FileManager.default.temporaryDirectory.appending(path: "bihuan-units-\(UUID().uuidString)")
        try FileManager.default.copyItem(at: folder, to: copy)
        defer { try? FileManager.default.removeItem(at: copy) }
        let names = try unitNames()
        for name in names {
            let file = copy.appending(path: name)
            var text = try String(contentsOf: file, encoding: .utf8)
            for program in ["/usr/bin/bihuan", "/bin/kill"] {
                text = text.replacingOccurrences(of: "=\(program) ", with: "=/usr/bin/env ")
            }
            try Data(text.utf8).write(to: file)
        }
        try body(copy, names)
    }

    private static func unitNames() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { name in
            [".service", ".target", ".timer"].contains { name.hasSuffix($0) }
        }.sorted()
    }

    // MARK: What they say

    @Test("a worker gets its own secrets and no other", arguments: Worker.allCases)
    func workerGetsItsOwnSecrets(_ worker: Worker) throws {
        let unit = try Unit("bihuan-\(worker.rawValue)@.service")
        // The name of a secret is its key with - for each dot.
        let user = "\(Party.office(worker))".replacingOccurrences(of: ".", with: "-")
        let passwords = ["users-\(user)", "roles-\(worker.rawValue)"].map { "\($0):/etc/bihuan/secrets/\($0)" }
        let boxes = worker.boxes.map { $0.file(in: URL(filePath: "/etc/bihuan/keys")).lastPathComponent }
        let keys = (["digest.key"] + boxes).map { "\($0):/etc/bihuan/keys/\($0)" }
        #expect(unit.values(of: "LoadCredential").sorted() == (passwords + keys).sorted())
        #expect(Self.otherWaysToASecret(in: unit) == [])
    }

    @Test("a checkpoint gets the owner's password and its own key, and no other secret")
    func checkpointGetsItsOwnSecrets() throws {
        let unit = try Unit("bihuan-checkpoint.service")
        #expect(
            unit.values(of: "LoadCredential").sorted() == [
                "checkpoint.key:/etc/bihuan/keys/checkpoint.key", "roles-owner:/etc/bihuan/secrets/roles-owner",
            ])
        #expect(Self.otherWaysToASecret(in: unit) == [])
    }

    @Test("what all services share gives none of them a secret")
    func sharedSettingsGiveNoSecret() throws {
        let shared = try Unit("bihuan-.service.d/hardening.conf")
        #expect(shared.values(of: "LoadCredential") == [])
        #expect(Self.otherWaysToASecret(in: shared) == [])
        #expect(shared.values(of: "User") == ["bihuan"])
    }

    private static func otherWaysToASecret(in unit: Unit) -> [String] {
        unit.settings.map(\.key).filter { key in
            key != "LoadCredential" && (key.contains("Credential") || key.hasPrefix("Environment"))
        }
    }

    @Test("the workers' units differ in name, port and secrets only")
    func workersAreAlike() throws {
        let others = Worker.allCases.filter { $0 != .intake }
        let first = try Self.comparable(.intake)
        #expect(first.count > 15)
        for worker in others { #expect(try Self.comparable(worker) == first, "\(worker)") }
    }

    /// The settings of a worker's unit, without what is its own.
    private static func comparable(_ worker: Worker) throws -> [String] {
        try Unit("bihuan-\(worker.rawValue)@.service").settings.filter { $0.key != "LoadCredential" }.map { setting in
            let value = setting.value.replacingOccurrences(of: worker.rawValue, with: "WORKER")
                .replacing(/monitor\.port=95[1-9]%i/, with: "monitor.port=PORT")
            return "[\(setting.section)] \(setting.key)=\(value)"
        }
    }

    @Test("each worker process has its own port for metrics")
    func portsDiffer() throws {
        let ports = try Worker.allCases.map { worker in
            let command = try #require(try Unit("bihuan-\(worker.rawValue)@.service").values(of: "ExecStart").first)
            #expect(command.hasPrefix("/usr/bin/bihuan \(worker.rawValue) --config /etc/bihuan/bihuan.yaml --set "))
            return try #require(command.firstMatch(of: /monitor\.port=([0-9]{3})%i$/), "\(command)").1
        }
        #expect(ports == ["951", "952", "953", "954"])
    }

    @Test("the target wants one process of each worker, and every unit that it names exists")
    func targetNamesExistingUnits() throws {
        let target = try Unit("bihuan.target")
        let wanted = target.values(of: "Wants").flatMap { $0.split(separator: " ").map(String.init) }
        #expect(wanted.sorted() == Worker.allCases.map { "bihuan-\($0.rawValue)@1.service" }.sorted())
        let names = Set(try Self.unitNames())
        let named = wanted.map { $0.replacingOccurrences(of: "@1.", with: "@.") } + target.values(of: "Also")
        #expect(named.filter { !names.contains($0) } == [])
        for name in named {
            let unit = try Unit(name)
            #expect(unit.values(of: "PartOf") == ["bihuan.target"], "\(name)")
            #expect(unit.values(of: "WantedBy") == ["bihuan.target"], "\(name)")
        }
    }

    @Test("a worker that waits for a server does not hold up the start of the machine", arguments: Worker.allCases)
    func targetDoesNotWaitForWorkers(_ worker: Worker) throws {
        let unit = try Unit("bihuan-\(worker.rawValue)@.service")
        #expect(unit.values(of: "TimeoutStartSec") == ["infinity"])
        // Otherwise a target waits for what it wants.
        #expect(unit.values(of: "After").joined(separator: " ").split(separator: " ").contains("bihuan.target"))
    }

    /// The settings in a file of `deploy/systemd`, in their order.
    private struct Unit {
        let settings: [(section: String, key: String, value: String)]

        init(_ name: String) throws {
            let text = try String(contentsOf: SystemdUnitTests.folder.appending(path: name), encoding: .utf8)
            var section = ""
            var settings: [(section: String, key: String, value: String)] = []
            for line in text.split(separator: "\n") where !line.hasPrefix("#") && !line.hasPrefix(";") {
                if line.hasPrefix("["), line.hasSuffix("]") {
                    section = String(line.dropFirst().dropLast())
                } else {
                    let equals = try #require(line.firstIndex(of: "="), "\(name): \(line)")
                    settings.append((section, String(line[..<equals]), String(line[line.index(after: equals)...])))
                }
            }
            self.settings = settings
        }

        func values(of key: String) -> [String] { settings.filter { $0.key == key }.map(\.value) }
    }

    // MARK: The settings that are installed

    @Test("the installed settings explain every key: type, default and meaning")
    func settingsExplainEveryKey() throws {
        let text = try String(contentsOf: Self.root.appending(path: "deploy/debian/bihuan.yaml"), encoding: .utf8)
        // Comments go over several lines.
        let comments = text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { $0.hasPrefix("# ") }.map { $0.dropFirst(2) }.joined(separator: " ")
        for key in ConfigurationKey.all {
            let need = key.isRequired ? "required" : key.default.map { "default \($0)" } ?? "no default"
            let beginning = "\(key.name): \(key.kind.rawValue), \(need). "
            #expect(comments.contains(beginning), "deploy/debian/bihuan.yaml says nothing that begins so")
        }
    }
}
