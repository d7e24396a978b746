/// An error while starting, stopping or controlling the private servers. `description` gives the remedy.
public struct LocalServersError: Error, Sendable {
    /// The kind of failure; compare with the constants below.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private let name: String

        /// A program of PostgreSQL, RabbitMQ or util-linux is not installed.
        public static let missingProgram = Code(name: "missingProgram")
        /// Another process (or this one) has started servers in the directory.
        public static let alreadyRunning = Code(name: "alreadyRunning")
        /// A program ended early or failed.
        public static let startFailed = Code(name: "startFailed")
        /// A server did not answer, or a program did not end, in time.
        public static let timedOut = Code(name: "timedOut")
        /// The directory cannot be made or written, or the servers' users cannot enter it.
        public static let invalidDirectory = Code(name: "invalidDirectory")
        /// `Options.isCancelled` returned true while the servers were starting.
        public static let cancelled = Code(name: "cancelled")

        public var description: String { name }
    }

    public let code: Code
    /// One sentence for people: what failed, what to do, which log to read.
    public let description: String
    /// The message of the system or of a program, if any.
    public let cause: String?
    public let file: String
    public let line: Int

    init(_ code: Code, _ description: String, cause: String? = nil, file: String = #fileID, line: Int = #line) {
        self.code = code
        self.description = description
        self.cause = cause
        self.file = file
        self.line = line
    }
}

extension LocalServersError: CustomStringConvertible, CustomDebugStringConvertible {
    public var debugDescription: String {
        "LocalServersError(\(code)): \(description)\(cause.map { ", cause: \($0)" } ?? ""), at \(file):\(line)"
    }
}
