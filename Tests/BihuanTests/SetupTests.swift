import AMQP
import CaseStore
import Casework
import Contract
import Foundation
import LocalServers
import PostgreSQL
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

@Suite("bihuan setup")
struct SetupTests {
    @Test("from nothing to a working office: dry run, all, again, interrupted anywhere, two at once")
    func makesAnOffice() throws {
        let servers = try SetupServers()
        defer { servers.close() }
        let office = try servers.office("first")

        let dry = try office.setup("--dry-run")
        #expect(dry.status == 0, "\(dry.errors)")
        #expect(
            dry.output.contains("would make role bihuan_intake") && dry.output.contains("would make database first"))
        #expect(office.files == ["admin", "bihuan.yaml", "broker", "office.yaml"], "a dry run makes nothing")
        #expect(try !servers.databases().contains("first"))

        let first = try office.setup()
        #expect(first.status == 0, "\(first.output)\(first.errors)")
        #expect(first.output.contains("+ database first") && first.output.contains("+ role bihuan_owner"))
        for (path, mode) in [
            ("secrets", 0o700), ("secrets/users-office-intake", 0o600), ("secrets/roles-owner", 0o600),
            ("keys", 0o700), ("keys/digest.key", 0o600), ("keys/vault.key", 0o600), ("bihuan.yaml", 0o644),
        ] { #expect(FileStatus(office.path(path))?.mode == UInt32(mode), "\(path)") }
        #expect(try !office.text("bihuan.yaml").contains(office.text("secrets/roles-intake").trimmed))

        let again = try office.setup()
        #expect(again.status == 0 && !again.output.contains("\n+ "), "\(again.output)")
        let checked = try office.run("topology", "diff")
        #expect(checked.status == 0, "\(checked.output)\(checked.errors)")
        try office.works()

        for lines in stride(from: 1, to: 16, by: 2) {
            let interrupted = try servers.office("cut\(lines)")
            try interrupted.setup(killedAfter: lines)
            let repaired = try interrupted.setup()
            #expect(repaired.status == 0, "killed after \(lines) lines: \(repaired.output)\(repaired.errors)")
            #expect(try interrupted.run("status").status == 0)
        }

        let second = try withExtendedLifetime(SecretsFolder(URL(filePath: office.path("secrets"))).lock()) {
            try office.setup()
        }
        #expect(second.status == 1 && second.errors.contains("another `bihuan setup` runs here"), "\(second.errors)")
        try elsewhereAtOnce(servers, office)
        try twoAtOnce(try servers.office("two"))
    }

    /// A setup of another machine has the office's database, and no file of this one.
    private func elsewhereAtOnce(_ servers: SetupServers, _ office: NewOffice) throws {
        let other = try PostgreSQL.Connection(
            ConnectionSettings(url: servers.servers.superuserURL.replacing(/postgres$/, with: "first")))
        defer { other.close() }
        #expect(try other.tryAdvisoryLock(OfficeSetup.lockKey))
        let late = try office.setup()
        #expect(
            late.status == 1 && late.errors.contains("another `bihuan setup` works on this database"), "\(late.errors)")
    }

    /// One of them makes the office, or both do, one after the other; never two halves.
    private func twoAtOnce(_ office: NewOffice) throws {
        let first = try office.beginSetup()
        let second = try office.beginSetup()
        let results = [try first.end(), try second.end()]
        #expect(results.contains { $0.status == 0 }, "\(results)")
        for result in results where result.status != 0 {
            #expect(result.status == 1 && result.errors.contains("another `bihuan setup`"), "\(result.errors)")
        }
        let checked = try office.run("topology", "diff")
        #expect(checked.status == 0, "\(checked.output)\(checked.errors)")
        try office.works()
    }

    @Test("every fault of the file, the settings and the servers is told at once, and nothing is changed")
    func tellsAllFaults() throws {
        let servers = try SetupServers()
        defer { servers.close() }
        let office = try servers.office("faulty")
        try office.write(
            """
            units:
              - {id: a, name: 甲, kind: departmnt, parent: b}
              - {id: b, name: 乙, kind: city, parent: a, levels: [countyy]}
              - {id: b, name: 丙, kind: city}
              - {id: "X Y", name: 丁, kind: city}
            sources:
              - {id: web, name: 网, kind: web, unit: nowhere}
            persons:
              - {id: li, nme: 李, roles: [cleric]}
            unitz: []
            """, to: "office.yaml")
        try office.write("postgresql://postgres:no@127.0.0.1:1/postgres", to: "admin", mode: 0o600)
        let result = try office.setup()
        #expect(result.status == 1)
        for fault in [
            "unknown word \"departmnt\"", "unknown word \"countyy\"", "unit b: stands in line", "\"X Y\"",
            "there is no unit nowhere", "unknown key nme", "units in a circle: a under b under a", "unknown list unitz",
            "the database does not answer", "a person needs an id and a name",
        ] { #expect(result.errors.contains(fault), "\(fault) in \(result.errors)") }
        #expect(office.files == ["admin", "bihuan.yaml", "broker", "office.yaml"])
    }

    @Test("units, sources and staff come from CSV too")
    func readsCSV() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "office-\(UUID().uuidString).csv")
        try Data(
            """
            what,id,name,kind,region,parent,levels,unit,roles,recusedFrom
            unit,p,省,department,p,,"city province",,,
            unit,c01,市,city,p-c01,p,county,,,
            source,web,网络举报,web,,,,,,
            person,li,李组长,,,,,p,"leader clerk",程望山

            """.utf8
        ).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let policy = try PolicyText.rulebook(ShippedPolicyFile.path).policy
        let parties = try OfficeFile.read(file.path, for: policy)
        #expect(parties.units.map(\.id.rawValue) == ["p", "c01"] && parties.units[0].levels == ["city", "province"])
        #expect(parties.sources.map(\.kind) == ["web"])
        #expect(parties.persons.first?.roles == ["leader", "clerk"])
        #expect(parties.persons.first?.recusedFrom == ["程望山"])
    }
}

private enum ShippedPolicyFile {
    static let path = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../../Sources/Setup/Installation/Resources/policy_cn_discipline.yaml"
    ).standardizedFileURL.path
}
