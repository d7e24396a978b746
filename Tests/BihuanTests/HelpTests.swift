import Foundation
import Testing

@Suite("The command's help")
struct HelpTests {
    @Test("the help of the commands and of every subcommand is as agreed")
    func helpIsGolden() throws {
        var names: [String] = []
        var waiting: [[String]] = [[Program.bihuan], [Program.lab]]
        while let command = waiting.popLast() {
            let help = try Program.run(command[0], ["help"] + command.dropFirst())
            #expect(help.status == 0)
            let name =
                "help-" + ([URL(filePath: command[0]).lastPathComponent] + command.dropFirst()).joined(separator: "-")
                + ".txt"
            try Golden.check(help.output, name)
            names.append(name)
            waiting += Self.subcommands(in: help.output).map { command + [$0] }
        }
        let kept = try FileManager.default.contentsOfDirectory(atPath: Golden.folder.path).filter {
            $0.hasPrefix("help-")
        }
        #expect(kept.sorted() == names.sorted(), "a command was added, renamed or taken away")
    }

    /// The names at the beginning of the indented lines under headings that end in SUBCOMMANDS.
    static func subcommands(in help: String) -> [String] {
        var isListed = false
        return help.split(separator: "\n").compactMap { line in
            if !line.hasPrefix(" ") { isListed = line.hasSuffix("SUBCOMMANDS:") }
            guard isListed, line.hasPrefix("  "), !line.hasPrefix("   "), !line.hasPrefix("  See ") else { return nil }
            return line.split(separator: " ").first.map(String.init)
        }
    }
}
