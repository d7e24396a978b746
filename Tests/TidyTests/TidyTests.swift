import Foundation
import Testing

/// Rules of style that matter, as tests.
@Suite("Tidiness")
struct TidyTests {
    @Test("a file has at most 450 lines")
    func filesAreShort() throws {
        let long = try SourceTree.files(in: "Sources", "swift", "sql").filter { $0.lines.count > 450 }.map(\.path)
        // The first migration is one list of tables; it may be rewritten until the first release.
        expectOnly(
            ["Sources/Store/CaseStore/Migrations/m0001_foundation.sql"], in: long, "files of more than 450 lines")
    }

    @Test("a function has at most 70 lines")
    func functionsAreShort() throws {
        let bodies = try SourceTree.files(in: "Sources", "swift").flatMap { file in
            Self.bodies(in: file).map { ("\(file.path): \($0.name)", $0.length) }
        }
        #expect(bodies.count > 300 && bodies.contains { $0.1 > 30 }, "the search for functions finds them")
        let long = bodies.filter { $0.1 > 70 }.map(\.0)
        expectOnly([], in: long, "functions of more than 70 lines")
    }

    @Test("no input can stop the process: no `try!`, `as!`, `fatalError`")
    func nothingStopsTheProcess() throws {
        expectOnly([], in: try Self.lines(of: "Sources", with: /\b(try!|as!|fatalError\()/), "what stops the process")
    }

    @Test("nothing prints by itself: all output goes through the terminal's folder")
    func onlyTheTerminalPrints() throws {
        expectOnly([], in: try Self.lines(of: "Sources", with: /\bprint\(/), "prints past the terminal's room")
    }

    @Test("what enters a log stands in one list: nobody else calls a logger with words of his own")
    func onlyTheListLogs() throws {
        let calls =
            #/
            \.(trace|debug|info|notice|warning|error|critical)\(\s*"
            |\b[lL]og(ger)?\??\.(trace|debug|info|notice|warning|error|critical)\(
            |\.log\(\s*(level|event):
            /#
        let found = try SourceTree.files(in: "Sources", "swift").filter { file in
            // A call may go over several lines.
            file.code.map(\.text).joined(separator: "\n").contains(calls)
        }.map(\.path)
        expectOnly([], in: found.filter { $0 != "Sources/Office/Workers/LoggedEvent.swift" }, "words for a log")
        let list = try SourceTree.read("Sources/Office/Workers/LoggedEvent.swift")
        #expect(list.matches(of: /log\(level:/).count == 1, "the one way into the log")
    }

    @Test("tests wait for what happens: one function looks again after a pause, and no other sleeps")
    func testsDoNotSleep() throws {
        let sleeping = try SourceTree.files(in: "Tests", "swift").filter { file in
            // Of the few that hold the word, each line is looked at.
            !file.path.contains("TidyTests/") && file.text.contains("sleep")
                && file.code.contains { $0.text.contains(/\b(u|nano)?sleep\(|\b(Task|Thread)\.sleep\b/) }
        }.map(\.path)
        expectOnly(["Tests/TestOffice/Eventually.swift"], in: sleeping, "sleeps")
    }

    @Test("no line is longer than 120 characters, so that two files fit side by side")
    func linesAreShort() throws {
        let long = try SourceTree.files(in: "", "swift").flatMap { file in
            file.lines.enumerated().filter { $0.element.count > 120 }.map { "\(file.path):\($0.offset + 1)" }
        }
        #expect(long == [])
    }

    @Test("every file has the layout of .swift-format")
    func filesAreFormatted() throws {
        let lint = Process()
        lint.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        lint.arguments =
            ["swift", "format", "lint", "--strict", "--parallel", "--recursive"]
            + ["Sources", "Tests", "Benchmarks", "Package.swift"]
        lint.currentDirectoryURL = SourceTree.root
        let said = Pipe()
        lint.standardError = said
        try lint.run()
        let words = String(decoding: said.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        lint.waitUntilExit()
        #expect(
            lint.terminationStatus == 0, "run `swift format -i -r Sources Tests Benchmarks Package.swift`: \(words)")
    }

    @Test("no SQL reads a clock: business time is a parameter")
    func noSQLReadsAClock() throws {
        let clocks =
            #/
            (?i)(?:^|[^.\w])(now|(clock|statement|transaction)_timestamp|timeofday)\s*\(
            |\bcurrent_(date|time|timestamp)\b|\blocaltime(stamp)?\b
            /#
        let found = try SourceTree.files(in: "Sources", "swift", "sql").filter {
            ["CaseStore", "AuditStore", "PostgreSQL", "Workers"].contains($0.room)
        }
        .flatMap { file in file.code.filter { $0.text.contains(clocks) }.map { _ in file.path } }
        // When a migration was applied is book-keeping; whose rows of the outbox are whose is transport. Nothing of the
        // business is decided by either.
        let allowed: Set = [
            "Sources/Ground/PostgreSQL/MigrationRunner.swift", "Sources/Store/CaseStore/Statements/Leases.swift",
        ]
        expectOnly(allowed, in: Array(Set(found)), "SQL that reads a clock")
    }

    @Test("only the store contains SQL")
    func onlyTheStoreHoldsSQL() throws {
        let words = /\b(SELECT [a-z*(]|INSERT INTO [a-z]|UPDATE [a-z_]+ SET|DELETE FROM [a-z])/
        let found = try SourceTree.files(in: "Sources", "swift").filter {
            $0.floor != "Store" && $0.room != "PostgreSQL"
        }
        .filter { file in file.code.contains { $0.text.contains(words) } }.map(\.path)
        expectOnly([], in: found, "SQL outside the store")
    }

    @Test("only the ledger's folder spells its events and reads an entry's fields")
    func onlyTheLedgerSpellsEvents() throws {
        let rows = try SourceTree.read("docs/ledger.md").split(separator: "\n").drop { !$0.hasPrefix("| `event` |") }
            .dropFirst(2)
        let words = rows.prefix { $0.hasPrefix("|") }.compactMap { $0.split(separator: "`").dropFirst().first }
        #expect(words.count > 20, "the page lists them")
        let files = try SourceTree.files(in: "Sources", "swift").filter { file in
            ["CaseStore", "Workers"].contains(file.room)
                || ["Sources/Proof/Witness/", "Sources/Proof/Bench/LedgerFill"].contains(where: file.path.hasPrefix)
        }
        let found = files.flatMap { file in
            (words.map { "\"\($0)\"" } + ["LedgerWords("]).filter { word in
                file.code.contains { $0.text.contains(word) }
            }.map { "\(file.path): \($0)" }
        }
        let allowed: Set = [
            // A verifier reads entries of events that it does not know.
            "Sources/Store/CaseStore/LedgerArchive.swift: LedgerWords(",
            // The kinds of notes, a recall's cause to its unit, the reason of a dead letter, the acts of a filled
            // ledger, a count's key.
            "Sources/Office/Workers/Feedback/Acts.swift: \"progress\"",
            "Sources/Office/Workers/Feedback/Acts.swift: \"case_filed\"",
            "Sources/Office/Workers/Feedback/Acts.swift: \"case_notified\"",
            "Sources/Office/Workers/Feedback/Acts.swift: \"recalled\"",
            "Sources/Office/Workers/Lane/SettledRows.swift: \"undeliverable\"",
            "Sources/Proof/Bench/LedgerFill.swift: \"signed\"",
            "Sources/Proof/Bench/LedgerFill.swift: \"concluded\"",
            "Sources/Proof/Witness/Testimony.swift: \"passed_up\"",
        ]
        expectOnly(allowed, in: found, "events of the ledger, spelt elsewhere")
    }

    // MARK: Imports

    /// The floors; a room of one may import rooms of those below, and beside it those that `Package.swift` says.
    static let floors = [
        "Ground": 0, "Rules": 1, "Wire": 2, "Store": 3, "Office": 4, "Outside": 4, "Setup": 5, "Proof": 6, "Command": 7,
    ]
    /// The folders that know the contract and nothing else.
    static let forbidden: [String: Set<String>] = ["Outside": ["Store", "Office"], "Office": ["Outside"]]
    /// What a floor may import beside our own and Swift's libraries.
    static let packages: [String: Set<String>] = [
        "Rules": ["Crypto"], "Wire": ["Crypto"], "Store": ["Crypto"],
        "Office": ["CoreMetrics", "Crypto", "Hummingbird", "HummingbirdCore", "Logging", "ServiceLifecycle", "Yams"],
        "Outside": ["Crypto", "Yams"],
        "Setup": [
            "ArgumentParser", "Configuration", "Crypto", "Logging", "ServiceLifecycle", "SystemPackage", "UnixSignals",
            "Yams",
        ],
        "Proof": ["ArgumentParser", "Crypto", "Histogram", "Logging", "Yams"],
        "Command": ["ArgumentParser", "Configuration", "Crypto", "Logging", "ServiceLifecycle", "Yams"],
    ]
    static let swiftsOwn: Set<String> = [
        "Foundation", "FoundationNetworking", "Synchronization", "Dispatch", "Glibc", "Musl", "Darwin", "Swift",
    ]

    @Test("an import goes from a floor to a lower one; the rules import Foundation and Crypto only")
    func importsFollowFloors() throws {
        let files = try SourceTree.files(in: "Sources", "swift")
        let floorOfRoom = Dictionary(files.map { ($0.room, $0.floor) }) { first, _ in first }
            .merging(["CRabbitMQ": "Ground", "CPostgreSQL": "Ground", "CProcess": "Ground"]) { first, _ in first }
        #expect(Set(floorOfRoom.values) == Set(Self.floors.keys))
        var wrong: [String] = []
        var count = 0
        for file in files {
            let height = try #require(Self.floors[file.floor], "\(file.path) stands on no floor")
            for line in file.code where line.text.contains("import ") {
                let shape =
                    #/
                    \s*(?:(?:public|internal|package|@testable|@preconcurrency)\s+)*
                    import\s+(?:struct\s+|func\s+)?(\w+)[.\w]*\s*
                    /#
                guard let match = line.text.wholeMatch(of: shape) else { continue }
                let module = String(match.1)
                count += 1
                let allowed =
                    if let other = floorOfRoom[module], let otherHeight = Self.floors[other] {
                        otherHeight <= height && !Self.forbidden[file.floor, default: []].contains(other)
                    } else if Self.swiftsOwn.contains(module) {
                        file.floor != "Rules" || module == "Foundation"
                    } else {
                        Self.packages[file.floor, default: []].contains(module)
                    }
                if !allowed { wrong.append("\(file.path): \(module)") }
            }
        }
        #expect(count > 100, "the search for imports finds them")
        expectOnly([], in: wrong, "imports that do not run downward")
    }

    @Test("the table of rooms lists every folder of the sources")
    func tableListsEveryFolder() throws {
        let rows = try SourceTree.read("docs/architecture.md").split(separator: "\n").drop {
            !$0.hasPrefix("| Floor |")
        }.prefix { $0.hasPrefix("|") }
        var listed: Set<String> = []
        for row in rows.dropFirst(2) {
            let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            for room in cells[1].matches(of: /`([^`]+)`/) { listed.insert("\(cells[0])/\(room.1)") }
        }
        let folder = SourceTree.root.appending(path: "Sources")
        let floors = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        let found = try floors.flatMap { floor in
            try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: floor).path).map {
                "\(floor)/\($0)"
            }
        }
        #expect(listed.sorted() == found.sorted())
    }

    // MARK: Documents

    @Test("no link in a document is dead")
    func linksAreAlive() throws {
        let documents =
            try SourceTree.files(in: "docs", "md") + SourceTree.files(in: "", "md").filter { !$0.path.contains("/") }
        #expect(documents.count >= 2)
        var dead: [String] = []
        for document in documents {
            let folder = SourceTree.root.appending(path: document.path).deletingLastPathComponent()
            for match in Self.prose(document).matches(of: /\]\(([^)\s]+)\)/) {
                let target = match.1.prefix { $0 != "#" }
                guard !target.isEmpty, !target.contains("://"), !target.hasPrefix("mailto:") else { continue }
                let path = folder.appending(path: String(target)).path
                if !FileManager.default.fileExists(atPath: path) { dead.append("\(document.path): \(target)") }
            }
        }
        expectOnly([], in: dead, "dead links")
    }

    // MARK: -

    private static func lines(of folder: String, with pattern: Regex<(Substring, Substring)>) throws -> [String] {
        try SourceTree.files(in: folder, "swift").flatMap { file in
            file.code.filter { $0.text.contains(pattern) }.map {
                "\(file.path): \($0.text.trimmingCharacters(in: .whitespaces))"
            }
        }
    }

    private static func lines(of folder: String, with pattern: Regex<Substring>) throws -> [String] {
        try SourceTree.files(in: folder, "swift").flatMap { file in
            file.code.filter { $0.text.contains(pattern) }.map {
                "\(file.path): \($0.text.trimmingCharacters(in: .whitespaces))"
            }
        }
    }

    /// A document without its blocks of code.
    private static func prose(_ document: SourceTree.File) -> String {
        var inCode = false
        return document.lines.filter { line in
            if line.hasPrefix("```") { inCode.toggle() }
            return !inCode && !line.hasPrefix("    ")
        }.joined(separator: "\n")
    }

    /// Functions, initialisers and computed properties with the number of their lines. Goes by indentation, which the
    /// formatter keeps: a body ends at the first brace as far left as its beginning.
    private static func bodies(in file: SourceTree.File) -> [(name: String, length: Int)] {
        let lines = file.lines
        return lines.indices.compactMap { start in
            let line = lines[start]
            guard line.hasSuffix("{") || line.hasSuffix("(") else { return nil }
            let words = line.split { !$0.isLetter }
            // A call, as `.init(`, has no body.
            guard words.first != "self", !line.trimmingCharacters(in: .whitespaces).hasPrefix("."),
                ["func", "init", "var", "subscript", "deinit"].contains(where: { words.contains(Substring($0)) })
            else { return nil }
            let closing = line.prefix { $0 == " " } + "}"
            let end = lines[(start + 1)...].firstIndex { $0.hasPrefix(closing) } ?? start
            return (line.trimmingCharacters(in: .whitespaces), end - start + 1)
        }
    }
}
