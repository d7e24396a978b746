import Foundation
import LocalServers
import PostgreSQL
import TestOffice
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

/// `bihuan setup` with ever more room on a disk, until it has enough: so the disk is full once at each of its steps.
@Suite(
    "bihuan setup on a full disk", .serialized,
    .enabled(if: SmallDisk.obstacle == nil, "\(SmallDisk.obstacle ?? "")"))
struct FullDiskSetupTests {
    @Test("the disk of keys, secrets and settings is full at each file: told with its path, and run again it goes on")
    func filesDoNotFit() throws {
        let servers = try SetupServers()
        defer { servers.close() }
        let place = servers.directory.appending(path: "office-narrow").path
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        let disk = try SmallDisk(megabytes: 1, at: place)
        defer { disk.remove() }
        let office = try servers.office("narrow")
        let settings = try office.text("bihuan.yaml")
        try disk.fill()
        var told: [String] = []
        var last = try office.setup()
        while last.status != 0 {
            try #require(told.count < 60, "\(last.errors)")
            #expect(last.status == 1)
            let path = try #require(
                last.errors.firstMatch(of: /Error: (\/\S+) cannot be written: (.+)\n/), "\(last.errors)")
            #expect(path.1.hasPrefix(place) && path.2 == "No space left on device", "\(last.errors)")
            told.append(String(path.1))
            // The settings are longer than a page.
            #expect(told.count { $0 == told.last } < 3, "with one more page it comes further: \(last.errors)")
            #expect(try !servers.databases().contains("narrow"), "no server gets a password that was not written")
            try expectWholeFiles(place, settings)
            try disk.free(bytes: 4096)
            last = try office.setup()
        }
        // Keys, the settings, and a password for each role and user.
        #expect(told.count > 20, "\(told.sorted())")
        for file in ["keys/vault.key", "bihuan.yaml", "secrets/roles-owner", "secrets/users-operator"] {
            #expect(told.contains(office.path(file)), "\(file) in \(told.sorted())")
        }
        disk.free()
        #expect(try office.setup().status == 0)
        try office.works()
        #expect(try office.run("status").status == 0)
    }

    /// No file is empty, half, or of a step that did not end.
    private func expectWholeFiles(_ place: String, _ settings: String) throws {
        for case let path as String in try #require(FileManager.default.enumerator(atPath: place)) {
            let file = "\(place)/\(path)"
            #expect(!path.hasSuffix(".new"), "\(path) is left")
            guard FileStatus(file)?.isDirectory == false, path != "filler", !path.hasSuffix(".lock") else { continue }
            let text = try String(contentsOfFile: file, encoding: .utf8)
            if path == "bihuan.yaml" { #expect(text.hasPrefix(settings) && text.hasSuffix("\n")) }
            if path.hasPrefix("keys/") { #expect(text.count == 65, "\(path) is half") }
            if path.hasPrefix("secrets/") { #expect(text.count == 33, "\(path) is half") }
        }
    }

    @Test("the database's disk is full at each of its steps: told as the server tells it, and run again it goes on")
    func databaseDoesNotFit() throws {
        let servers = try SetupServers()
        defer { servers.close() }
        let disk = try SmallDisk(megabytes: 48)
        defer { disk.remove() }
        if geteuid() == 0 {
            let account = try #require(getpwnam("postgres"))
            try #require(chown(disk.directory, account.pointee.pw_uid, account.pointee.pw_gid) == 0)
        }
        let superuser = try PostgreSQL.Connection(ConnectionSettings(url: servers.servers.superuserURL))
        defer { superuser.close() }
        // A new database lies where its template lies.
        try superuser.execute("CREATE TABLESPACE narrow LOCATION '\(disk.directory)'")
        try superuser.execute("ALTER DATABASE template0 SET TABLESPACE narrow")
        let office = try servers.office("crowded")
        try disk.fill()
        var steps: [String] = []
        var last = try office.setup()
        while last.status != 0 {
            try #require(steps.count < 50, "\(last.errors)")
            // No room to extend a table; or none for the first file of a session.
            #expect(
                last.status == 1
                    && (last.errors.contains("SQLSTATE 53100") || last.errors.contains("is its disk full?")),
                "\(last.output)\(last.errors)")
            // What it came to: the last line that it printed.
            steps.append(last.output.split(separator: "\n").last.map(String.init) ?? "")
            try disk.free(bytes: 768 << 10)
            last = try office.setup()
        }
        #expect(Set(steps).count > 1, "it was full at several steps: \(Set(steps))")
        #expect(try office.setup().status == 0)
        let checked = try office.run("topology", "diff")
        #expect(checked.status == 0, "\(checked.output)\(checked.errors)")
        disk.free()
        try office.works()
    }
}
