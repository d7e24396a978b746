import Foundation
import Testing

/// The fuzzer as a program. The long runs are `deploy/test --all`'s; here it must show that it finds what it looks for.
@Suite("Fuzzing")
struct FuzzTests {
    static let readers = ["message", "sealed", "words", "policy", "map", "line", "table", "row"]

    @Test("each reader survives the inputs that broke others, and some hundred more", arguments: FuzzTests.readers)
    func survivesKnownAndNewInputs(name: String) throws {
        let run = try FuzzRun(name, "--inputs", "300", "--seed", "1")
        #expect(run.status == 0, "\(run.output)")
        #expect(run.output.contains("\(name): 300 inputs"))
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let words: [String]
    }

    static let faults = [
        Fault(testDescription: "fault-crash", words: ["crashed with signal"]),
        Fault(testDescription: "fault-hang", words: ["hangs: "]),
        Fault(testDescription: "fault-memory", words: ["took ", " MiB\n"]),
        Fault(testDescription: "fault-answer", words: ["an exclamation mark"]),
    ]

    @Test("a faulty reader is found, with an input that shows the fault again", arguments: FuzzTests.faults)
    func findsFaultyReader(fault: Fault) throws {
        let name = fault.testDescription
        let run = try FuzzRun(name, "--inputs", "5000", "--seed", "7")
        #expect(run.status == 1)
        #expect(
            run.output.contains("\(name): FAILED: \(fault.words[0])") && fault.words.allSatisfy(run.output.contains),
            "\(run.output)")

        let kept = try #require(run.kept.first)
        #expect(kept.contains(UInt8(ascii: "!")))
        let again = try #require(run.output.firstMatch(of: /again: Fuzz (.*)\n/)).1
        let second = try FuzzRun(again.split(separator: " ").map(String.init))
        #expect(second.status == 1)
        #expect(second.kept == [kept])
    }

    @Test("memory that a reader keeps of each input is found when the sum is too much")
    func findsLeak() throws {
        let run = try FuzzRun("fault-leak", "--inputs", "50000", "--seed", "7")
        #expect(run.status == 1 && run.output.contains("fault-leak: FAILED: keeps "), "\(run.output)")
    }

    @Test("an unknown reader's name is answered with the list of readers")
    func namesReadersForUnknownOne() throws {
        let run = try FuzzRun("nobody")
        #expect(run.status == 2)
        #expect(run.output.contains("readers: \(Self.readers.joined(separator: " "))"))
    }
}

/// One run, in a folder of its own.
struct FuzzRun {
    let status: Int32
    let output: String
    /// The inputs that were kept.
    let kept: [[UInt8]]

    init(_ arguments: String...) throws { try self.init(arguments) }

    init(_ arguments: [String]) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "bihuan-fuzz-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let process = Process()
        // The test bundle's neighbour, built with it.
        let bundle = URL(fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        process.executableURL = bundle.deletingLastPathComponent().appending(path: "Fuzz")
        process.arguments = arguments
        process.currentDirectoryURL = folder
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        output = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        status = process.terminationStatus
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".input") }
            .sorted()
        kept = try names.map { [UInt8](try Data(contentsOf: folder.appending(path: $0))) }
    }
}
