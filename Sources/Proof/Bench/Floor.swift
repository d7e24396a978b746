import AMQP
import Basics
import Contract
package import Foundation
import Installation

/// The bare C program that sends the same messages and writes the same rows without rules: the upper limit of the
/// rate on this machine.
package struct Floor {
    private let program: String
    private let office: BenchOffice
    private let settings: BenchSettings

    /// The benches that it can be compared with.
    package static let stages: Set<BenchName> = [.intake, .loop]
    /// Fewer reports give no meaningful rate, and may contain none that passes the whole loop.
    private static let countMin = 500

    /// Builds the program in the office's directory, so that its source folder stays unchanged.
    /// - Throws: `UserError` if `folder` has no Makefile or the build fails.
    package init(folder: URL, _ office: BenchOffice, _ settings: BenchSettings) throws {
        guard FileManager.default.fileExists(atPath: folder.appending(path: "Makefile").path) else {
            throw UserError("there is no \(folder.path)/Makefile")
        }
        let output = office.directory.appending(path: "floor")
        try FileManager.default.createDirectory(at: output, withIntermediateDirectories: true)
        _ = try Floor.run("/usr/bin/env", ["make", "--silent", "-C", folder.path, "OUT=\(output.path)"])
        program = output.appending(path: "floor").path
        self.office = office
        self.settings = settings
    }

    private struct Line: Decodable {
        let reports_per_second: Double
        let closed_loops_per_second: Double?
    }

    /// Reports a second by round; closed loops in `loop`. The first round warms up and is left out.
    func rates(of name: BenchName) throws -> [Double] {
        try office.prepareFloor()
        let arguments = [
            name.rawValue, "--amqp", office.floorAMQPURL, "--database", office.floorDatabaseURL, "--count",
            "\(max(settings.count, Floor.countMin))",
            "--rounds", "\(settings.rounds + 1)", "--batch",
            "\(settings.batch ?? office.configuration.lane.batchSizeMax)",
            "--lanes", "\(settings.lanes ?? office.configuration.lane.lanes)",
        ]
        let printed = try Floor.run(program, arguments + (name == .loop ? ["--all-close"] : []))
        let lines = try printed.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        return lines.dropFirst().map { name == .loop ? $0.closed_loops_per_second ?? 0 : $0.reports_per_second }
    }

    private static func run(_ program: String, _ arguments: [String]) throws -> String {
        let process = Process()
        let (output, errors) = (
            Pipe(), FileManager.default.temporaryDirectory.appending(path: "bihuan-floor-\(getpid())")
        )
        try writePrivately("", to: errors)
        defer { try? FileManager.default.removeItem(at: errors) }
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        let printed = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            // Each process writes a line; the first says why, the last only that another one failed.
            let lines = (try? String(contentsOf: errors, encoding: .utf8))?.split(separator: "\n") ?? []
            let said = lines.isEmpty ? "nothing" : lines.suffix(4).joined(separator: "; ")
            throw UserError("\(program == "/usr/bin/env" ? "make" : "it") said: \(said)")
        }
        return String(decoding: printed, as: UTF8.self)
    }
}
