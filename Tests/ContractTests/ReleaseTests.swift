import Basics
import Casework
import Contract
import Crypto
import Foundation
import Testing

/// What was released stays readable and unchanged: see `Tests/Released/README.md`.
@Suite("Released versions")
struct ReleaseTests {
    private static let root = PublishedContract.root
    static let folder = root.appending(path: "Tests/Released")
    private static let migrations = root.appending(path: "Sources/Store/CaseStore/Migrations")
    private static let sums = "SHA256SUMS"

    /// All of them, and the one of the version that is being made.
    static let versions: [String] = {
        let found = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return Set(found.filter { $0.hasPrefix("v") } + [open].compactMap(\.self)).sorted()
    }()

    /// The folder that may still change: that of a version which is not released yet.
    static let open: String? = version.hasSuffix("-dev") ? "v" + version.dropLast("-dev".count) : nil

    private static let version: String = {
        let file = root.appending(path: "Sources/Setup/Terminal/Version.swift")
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        return text.firstMatch(of: /text = "([^"]+)"/).map { String($0.1) } ?? "unknown"
    }()

    @Test("the version is that of a folder here, and the folder of an unreleased one is what is in the tree")
    func openFolderIsThePresent() throws {
        #expect(Self.version.wholeMatch(of: /\d+\.\d+\.\d+(-dev)?/) != nil, "\(Self.version)")
        guard let open = Self.open else {
            #expect(Self.versions.contains("v\(Self.version)"), "freeze it first: see Tests/Released/README.md")
            return
        }
        let folder = Self.folder.appending(path: open)
        let present = try Self.present()
        if GoldenTests.writes { try Self.write(present, to: folder) }
        let kept = try Self.files(in: folder)
        #expect(kept.keys.sorted() == present.keys.sorted())
        for (name, file) in present {
            #expect(
                kept[name]?.bytes == file.bytes && kept[name]?.isProgram == file.isProgram,
                "\(open)/\(name) is not what is in the tree: write it anew with TEST_BIHUAN_WRITE_GOLDEN=1")
        }
    }

    @Test("no released message, client or migration has changed", arguments: versions)
    func nothingHasChanged(version: String) throws {
        let folder = Self.folder.appending(path: version)
        let lines = try String(contentsOf: folder.appending(path: Self.sums), encoding: .utf8).split(separator: "\n")
        var listed: Set<String> = []
        for line in lines {
            let parts = line.split(separator: "  ", maxSplits: 1).map(String.init)
            try #require(parts.count == 2, "\(line)")
            listed.insert(parts[1])
            let isMigration = parts[1].hasPrefix("migrations/")
            let file =
                isMigration
                ? Self.migrations.appending(path: String(parts[1].dropFirst("migrations/".count)))
                : folder.appending(path: parts[1])
            #expect(
                try Self.sha256(Data(contentsOf: file)) == parts[0],
                "\(file.path) was released with \(version) and has changed: put it back, and add to it elsewhere")
        }
        let kept = try Self.files(in: folder).keys.filter { $0 != Self.sums }
        #expect(Set(kept) == listed.filter { !$0.hasPrefix("migrations/") })
        #expect(listed.contains { $0.hasPrefix("messages/") } && listed.contains { $0.hasPrefix("clients/") })
        // A new migration comes after those that an office has.
        let released = listed.filter { $0.hasPrefix("migrations/") }.map { String($0.dropFirst("migrations/".count)) }
        #expect(!released.isEmpty && Self.migrationNames().starts(with: released.sorted()))
    }

    @Test("every released message is read, and means what it meant", arguments: versions)
    func messagesAreRead(version: String) throws {
        let messages = try Self.files(in: Self.folder.appending(path: version)).filter { $0.key.hasPrefix("messages/") }
        #expect(messages.count > 25)
        for (name, file) in messages {
            let body = file.bytes.last == UInt8(ascii: "\n") ? Array(file.bytes.dropLast()) : file.bytes
            let json = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any], "\(name)")
            let type = try #require(
                (json["type"] as? String).flatMap(MessageType.init(rawValue:)), "\(name) has a type that is gone")
            if name.hasSuffix(".sealed.json") {
                let key = try Curve25519.KeyAgreement.PrivateKey(rawRepresentation: GoldenTests.sealedKeyBytes)
                let event = try JSONDecoder().decode(CloudEvent<SealedData>.self, from: Data(body))
                let opened = try event.data.open(with: key, id: event.id, type: event.type, subject: event.subject)
                #expect(try JSONSerialization.jsonObject(with: Data(opened)) is [String: Any], "\(name)")
                continue
            }
            let written = try JSONSerialization.jsonObject(with: Data(try type.definition.rewritten(body)))
            #expect(Self.holds(written, json), "\(name) is not said again as it was")
            if Examples.readByOffice.contains(type) {
                let message = try Message(reading: body, typeHint: nil)
                #expect(message.envelope.type == type && "\(message.envelope.source)" == json["source"] as? String)
            }
        }
    }

    /// Whether one value has everything that the other has; a later version may say more.
    private static func holds(_ value: Any?, _ old: Any) -> Bool {
        switch old {
        case let old as [String: Any]:
            guard let value = value as? [String: Any] else { return false }
            return old.allSatisfy { holds(value[$0.key], $0.value) }
        case let old as [Any]:
            guard let value = value as? [Any], value.count == old.count else { return false }
            return zip(value, old).allSatisfy { holds($0, $1) }
        default: return (value as? NSObject) == (old as? NSObject)
        }
    }

    // MARK: Files

    private struct File {
        let bytes: [UInt8]
        let isProgram: Bool

        init(_ url: URL) throws {
            bytes = [UInt8](try Data(contentsOf: url))
            isProgram = FileManager.default.isExecutableFile(atPath: url.path)
        }

        init(_ text: String) { (bytes, isProgram) = (Array(text.utf8), false) }
    }

    /// What a release of now would keep.
    private static func present() throws -> [String: File] {
        var files: [String: File] = [:]
        for (kind, place) in [
            ("messages", GoldenTests.folder), ("clients", PublishedContract.folder.appending(path: "examples")),
        ] {
            for (name, file) in try Self.files(in: place) where !name.hasSuffix(".md") {
                files["\(kind)/\(name)"] = file
            }
        }
        var lines = files.map { "\(sha256(Data($0.value.bytes)))  \($0.key)" }
        for name in migrationNames() {
            lines.append("\(sha256(try Data(contentsOf: migrations.appending(path: name))))  migrations/\(name)")
        }
        lines.sort { $0.dropFirst(64) < $1.dropFirst(64) }
        files[sums] = File(lines.map { $0 + "\n" }.joined())
        return files
    }

    private static func write(_ files: [String: File], to folder: URL) throws {
        try? FileManager.default.removeItem(at: folder)
        for (name, file) in files {
            let url = folder.appending(path: name)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(file.bytes).write(to: url)
            chmod(url.path, file.isProgram ? 0o755 : 0o644)
        }
    }

    /// By their paths below the folder.
    private static func files(in folder: URL) throws -> [String: File] {
        let paths = try #require(FileManager.default.enumerator(atPath: folder.path), "\(folder.path) is missing")
        var files: [String: File] = [:]
        for case let path as String in paths where !path.split(separator: "/").contains("__pycache__") {
            let url = folder.appending(path: path)
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder), !isFolder.boolValue else {
                continue
            }
            files[path] = try File(url)
        }
        return files
    }

    private static func migrationNames() -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: migrations.path)) ?? []).filter { $0.hasSuffix(".sql") }
            .sorted()
    }

    private static func sha256(_ data: Data) -> String { Array(SHA256.hash(data: data)).hexadecimal }
}
