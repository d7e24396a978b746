/// Why the private servers could not be started, stopped or asked. `description` says what to do about it.
public struct LocalServersError: Error, Sendable {
    /// What kind of failure it is; compare with the constants below.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private let name: String

        /// A program of PostgreSQL, RabbitMQ or util-linux is not installed.
        public static let missingProgram = Code(name: "missingProgram")
        /// Another process (or this one) has started servers in the directory.
        public static let alreadyRunning = Code(name: "alreadyRunning")
        /// A program ended, or refused what it was asked.
        public static let startFailed = Code(name: "startFailed")
        /// A server did not answer, or a program did not end, within its time.
        public static let timedOut = Code(name: "timedOut")
        /// The directory cannot be made, written, or entered by the servers' users.
        public static let invalidDirectory = Code(name: "invalidDirectory")
        /// `Options.isCancelled` answered true while the servers were starting.
        public static let cancelled = Code(name: "cancelled")

        public var description: String { name }
    }

    public let code: Code
    /// One sentence for people: what failed, what to do, which log to read.
    public let description: String
    /// What the system or a program said, if anything.
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
