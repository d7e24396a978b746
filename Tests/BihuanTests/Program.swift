import Foundation
@testable import Installation

@testable import bihuan

/// Programs as a person runs them.
enum Program {
    struct Result {
        let status: Int32
        let output: String
        let errors: String
    }

    // They are beside the program that runs the tests.
    static let bihuan = Executable.bihuan
    static let lab = Executable.lab

    /// The one of the two that has this command.
    static func with(_ command: String?) -> String {
        ["demo", "bench", "chaos", "chaos-verdict", "cluster", "simulate-units", "witness"].contains(command)
            ? lab : bihuan
    }

    static func run(_ program: String, _ arguments: [String]) throws -> Result {
        try begin(program, arguments).end()
    }

    /// A program that was started.
    struct Running {
        fileprivate let process: Process
        fileprivate let output: Pipe
        fileprivate let errors: Pipe

        /// Waits for its end.
        func end() throws -> Result {
            let printed = output.fileHandleForReading.readDataToEndOfFile()
            let complained = errors.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return Result(
                status: process.terminationStatus, output: String(decoding: printed, as: UTF8.self),
                errors: String(decoding: complained, as: UTF8.self))
        }
    }

    static func begin(_ program: String, _ arguments: [String]) throws -> Running {
        let process = Process()
        let (output, errors) = (Pipe(), Pipe())
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        // Its output must not depend on the account that runs the tests.
        process.environment = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("BIHUAN_") && $0.key != "COLUMNS"
        }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        return Running(process: process, output: output, errors: errors)
    }
}
