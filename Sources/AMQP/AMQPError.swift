/// What went wrong between this process and the broker.
///
/// `description` never names queues, users or message contents, so that it may stand in any log.
/// `debugDescription` adds what the broker or the library said.
public struct AMQPError: Error, Sendable {
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Base: String {
            case connectFailed, authenticationFailed, connectionLost, connectionClosedByBroker
            case channelClosed, blocked, timedOut, invalidArgument, malformed
        }
        private let base: Base

        /// No TCP connection, or no AMQP handshake on it.
        public static let connectFailed = Code(base: .connectFailed)
        /// The broker refused user or password.
        public static let authenticationFailed = Code(base: .authenticationFailed)
        /// The connection broke: end of stream, reset, missed heartbeats.
        public static let connectionLost = Code(base: .connectionLost)
        /// The broker closed the connection and said why (`replyCode`).
        public static let connectionClosedByBroker = Code(base: .connectionClosedByBroker)
        /// The broker closed the channel and said why (`replyCode`), or the channel was not open. The connection goes on.
        public static let channelClosed = Code(base: .channelClosed)
        /// The broker takes no messages at present (memory or disk alarm). Nothing was sent.
        public static let blocked = Code(base: .blocked)
        /// No answer in time.
        public static let timedOut = Code(base: .timedOut)
        /// The call cannot be expressed in AMQP 0-9-1. Nothing was sent.
        public static let invalidArgument = Code(base: .invalidArgument)
        /// The peer sent what is not AMQP 0-9-1.
        public static let malformed = Code(base: .malformed)

        public var description: String { base.rawValue }
    }

    public var code: Code
    /// The broker's reply code, such as 403, 404, 406 or 320.
    public var replyCode: UInt16?
    /// True when the connection is gone and a new one must be made.
    public var isConnectionFatal: Bool
    public var file: String
    public var line: Int

    private let detail: String

    init(
        _ code: Code, _ detail: String, replyCode: UInt16? = nil, isConnectionFatal: Bool? = nil,
        file: String = #fileID, line: Int = #line
    ) {
        self.code = code
        self.detail = detail
        self.replyCode = replyCode
        self.isConnectionFatal = isConnectionFatal ?? code.endsConnection
        self.file = file
        self.line = line
    }
}

extension AMQPError: CustomStringConvertible, CustomDebugStringConvertible {
    public var description: String {
        guard let replyCode else { return "AMQP: \(code)" }
        return "AMQP: \(code) (\(replyCode))"
    }

    public var debugDescription: String { "\(description): \(detail) [\(file):\(line)]" }
}

extension AMQPError.Code {
    /// What a code means for the connection unless the thrower knows better.
    fileprivate var endsConnection: Bool {
        [.connectFailed, .authenticationFailed, .connectionLost, .connectionClosedByBroker, .malformed].contains(self)
    }
}
