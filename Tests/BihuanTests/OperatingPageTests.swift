import Foundation
import Testing

/// Operators type what `docs/operating.md` says, in English or in Chinese: both pages say the same, and it works.
@Suite("Pages for operators")
struct OperatingPageTests {
    private static let languages = [("docs/operating.md", "docs/operating.zh.md"), ("README.md", "README.zh.md")]

    // MARK: Two languages

    @Test("a page and its translation have the same headings, tables and blocks", arguments: languages)
    func translationHasSameShape(_ original: String, _ translation: String) throws {
        let (first, second) = (try DocumentPage(original), try DocumentPage(translation))
        #expect(first.headings.count > 3 && first.headings == second.headings, "levels of headings")
        #expect(first.rowsOfTables == second.rowsOfTables, "the rows of each table")
        #expect(first.blocks.map(\.kind) == second.blocks.map(\.kind))
        for (block, other) in zip(first.blocks, second.blocks) {
            #expect(block.commands == other.commands, "\(original)")
        }
    }

    @Test("both operating pages have the same blocks, letter by letter, and name the same commands, files and keys")
    func operatingPagesAreTheSame() throws {
        let (first, second) = (try DocumentPage("docs/operating.md"), try DocumentPage("docs/operating.zh.md"))
        #expect(first.blocks.count > 10 && first.blocks == second.blocks)
        // The order of words in a sentence differs.
        #expect(first.inlineCode.sorted() == second.inlineCode.sorted())
    }

    @Test("the picture of the Chinese README is aligned, where a Chinese character takes two columns")
    func pictureIsAligned() throws {
        let picture = try #require(try DocumentPage("README.zh.md").blocks.first).lines.map { line in
            line.flatMap { $0.isWide ? [$0, $0] : [$0] }
        }
        func sign(_ row: Int, _ column: Int) -> Character {
            picture.indices.contains(row) && picture[row].indices.contains(column) ? picture[row][column] : " "
        }
        var strokes = 0
        for row in picture.indices {
            for column in picture[row].indices {
                let (above, below) = (sign(row - 1, column), sign(row + 1, column))
                let isJoined =
                    switch picture[row][column] {
                    case "│": above != " " && below != " "
                    case "▲": above != " " && "│└".contains(below)
                    case "▼": above == "│" && below != " "
                    case "└": "│▲".contains(above)
                    case "┘": above != " "
                    default: true
                    }
                #expect(isJoined, "line \(row + 1), column \(column + 1): \(picture[row][column])")
                if picture[row][column] == "│" { strokes += 1 }
            }
        }
        #expect(strokes > 5)
    }

    // MARK: What the page says works

    @Test("every command of the operating page works, in the page's order, from nothing to a checked office")
    func commandsWork() throws {
        let page = try DocumentPage("docs/operating.md")
        let servers = try SetupServers()
        defer { servers.close() }
        let office = try servers.office("page")
        let parties = try #require(page.blocks.first { $0.kind == "```yaml" })
        try Data((parties.lines.joined(separator: "\n") + "\n").utf8).write(
            to: URL(filePath: office.path("office.yaml")))
        // Theirs is not the broker of this machine.
        let broker = [
            "--management", servers.managementURL, "--management-user", "admin", "--management-password-file",
            office.path("broker"),
        ]
        let files = [
            "/etc/bihuan/bihuan.yaml": office.path("bihuan.yaml"), "office.yaml": office.path("office.yaml"),
            "admin": office.path("admin"),
        ]
        let commands = page.blocks.filter { $0.kind.hasPrefix("```") }.flatMap(\.commands)
            .filter { $0.hasPrefix("bihuan ") }
        #expect(commands.count >= 7)
        for command in commands {
            let words = command.split(separator: " ").dropFirst().map { files[String($0)] ?? String($0) }
            let way = ["setup", "topology"].contains(words.first) ? broker : []
            let result = try Program.run(Program.bihuan, words + way)
            let said = result.output + result.errors
            if words.first == "status" {
                // No worker runs.
                #expect(said.contains("no consumer") && [0, 1].contains(result.status), "\(command): \(said)")
            } else {
                #expect(result.status == 0, "\(command): \(said)")
            }
            #expect(!said.contains("/etc/bihuan"), "\(command) is about this office: \(said)")
        }
        #expect(FileManager.default.fileExists(atPath: office.path("keys/vault.key")))
        #expect(FileManager.default.fileExists(atPath: office.path("keys/sealed-mail.key")))
        for password in ["users-office-intake", "roles-intake", "users-unit-c01", "users-source-web"] {
            #expect(FileManager.default.fileExists(atPath: office.path("secrets/\(password)")), "the page names it")
        }
        try changeAPassword(of: office, broker)
    }

    /// A new password in the file of a unit, and `setup` without the database's administrator: the broker takes it.
    private func changeAPassword(of office: NewOffice, _ broker: [String]) throws {
        let (secret, passwords) = (office.path("secrets/users-unit-c01"), office.path("passwords"))
        try Data("changed\n".utf8).write(to: URL(filePath: secret))
        try Data("unit.c01 changed\n".utf8).write(to: URL(filePath: passwords))
        for file in [secret, passwords] { try #require(chmod(file, 0o600) == 0) }
        func run(_ words: String...) throws -> Program.Result {
            try Program.run(Program.bihuan, words + ["--config", office.path("bihuan.yaml")] + broker)
        }
        #expect(try run("topology", "diff", "--passwords", passwords).status == 1, "it is still the old one")
        let setup = try run("setup", "--office", office.path("office.yaml"))
        #expect(setup.status == 0, "\(setup.output)\(setup.errors)")
        let difference = try run("topology", "diff", "--passwords", passwords)
        #expect(difference.status == 0, "\(difference.output)\(difference.errors)")
    }

    // MARK: No page names what does not exist

    /// What looks like a command and is none.
    private static let others: Set = ["bihuan sealed data v1"]

    @Test("every command that a page names exists, with its options")
    func namedCommandsExist() throws {
        let folder = DocumentPage.root.appending(path: "docs")
        let pages = try #require(FileManager.default.enumerator(atPath: folder.path)).compactMap { $0 as? String }
            .filter { $0.hasSuffix(".md") }.map { "docs/\($0)" }
        var (count, missing) = (0, [String]())
        for path in ["README.md", "README.zh.md"] + pages.sorted() {
            let page = try DocumentPage(path)
            for command in page.inlineCode + page.blocks.flatMap(\.commands)
            where command.contains(/^bihuan(-lab)?\s/) && !Self.others.contains(command) {
                count += 1
                if let fault = try CommandHelp.fault(in: command) { missing.append("\(path): \(command): \(fault)") }
            }
        }
        #expect(count > 80, "the search finds them")
        #expect(missing == [])
    }

    @Test("a command or an option that does not exist is found")
    func unknownCommandsAreFound() throws {
        for command in ["bihuan frob", "bihuan topology show|frob", "bihuan status --frob", "bihuan-lab setup"] {
            #expect(try CommandHelp.fault(in: command) != nil, "\(command)")
        }
        for command in [
            "bihuan topology", "bihuan dead list|show --data DIR", "bihuan up --data DIR", "bihuan-lab bench intake",
            "bihuan ledger verify --file F       verify it, --frob is no option",
        ] { #expect(try CommandHelp.fault(in: command) == nil, "\(command)") }
    }
}

/// The parts of a page in Markdown.
private struct DocumentPage {
    static let root = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// A fenced or indented block.
    struct Block: Equatable {
        /// The fence with its language, or nothing if the block is indented.
        let kind: String
        var lines: [String] = []

        /// The lines of a shell without comments; those of a picture are none.
        var commands: [String] {
            lines.filter { $0.contains(/^[a-z][-a-z]*[ \/]/) }.map { line in
                let text = line.firstRange(of: " #").map { String(line[..<$0.lowerBound]) } ?? line
                return text.trimmingCharacters(in: .whitespaces)
            }
        }
    }

    /// The levels, in their order.
    private(set) var headings: [Int] = []
    private(set) var rowsOfTables: [Int] = []
    private(set) var blocks: [Block] = []
    private(set) var inlineCode: [String] = []

    init(_ path: String) throws {
        let text = try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
        var (prose, isFenced, before) = ("", false, Substring())
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            defer { before = line }
            let fence = line.drop { $0 == " " }
            if fence.hasPrefix("```") {
                isFenced.toggle()
                if isFenced { blocks.append(Block(kind: String(fence))) }
            } else if isFenced {
                blocks[blocks.count - 1].lines.append(String(line))
            } else if line.hasPrefix("    ") {
                if !before.hasPrefix("    ") { blocks.append(Block(kind: "")) }
                blocks[blocks.count - 1].lines.append(String(line.dropFirst(4)))
            } else {
                if line.hasPrefix("#") { headings.append(line.prefix { $0 == "#" }.count) }
                if line.hasPrefix("|") {
                    if !before.hasPrefix("|") { rowsOfTables.append(0) }
                    rowsOfTables[rowsOfTables.count - 1] += 1
                }
                prose += line + "\n"
            }
        }
        inlineCode = prose.matches(of: /`([^`]+)`/).map { match in
            match.1.split { $0 == " " || $0 == "\n" }.joined(separator: " ")
        }
    }
}

/// Commands and options, as the help says them; `HelpTests` compares the help with the program.
private enum CommandHelp {
    /// - Parameter line: a command, perhaps with an explanation behind several blanks.
    /// - Returns: what of it does not exist.
    static func fault(in line: String) throws -> String? {
        let command = line.firstRange(of: "   ").map { line[..<$0.lowerBound] } ?? line[...]
        var words = command.split(separator: " ")[...]
        var path = [String(words.removeFirst())]
        var names = try subcommands(of: path)
        while !names.isEmpty, let word = words.first, !word.hasPrefix("-") {
            // One word for several: `topology show|diff|apply`.
            let alternatives = word.split(separator: "|").map(String.init)
            if let unknown = alternatives.first(where: { !names.contains($0) }) {
                return "\(path.joined(separator: " ")) has no \(unknown)"
            }
            path.append(alternatives[0])
            words.removeFirst()
            names = try subcommands(of: path)
        }
        let help = try text(of: path)
        for match in words.joined(separator: " ").matches(of: /(?:^|[ \[])(--[a-z][-a-z]*)/)
        where !help.contains(String(match.1)) { return "no option \(match.1)" }
        return nil
    }

    private static func text(of path: [String]) throws -> String {
        try String(
            contentsOf: Golden.folder.appending(path: "help-\(path.joined(separator: "-")).txt"), encoding: .utf8)
    }

    private static func subcommands(of path: [String]) throws -> [String] {
        HelpTests.subcommands(in: try text(of: path))
    }
}

extension Character {
    /// Whether it takes two columns: Chinese characters, their punctuation and full-width forms.
    fileprivate var isWide: Bool {
        unicodeScalars.contains { scalar in
            (0x3000...0x303F).contains(scalar.value) || (0x4E00...0x9FFF).contains(scalar.value)
                || (0xFF00...0xFF60).contains(scalar.value)
        }
    }
}
