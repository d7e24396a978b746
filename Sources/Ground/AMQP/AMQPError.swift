import CRabbitMQ

/// What went wrong between this process and the broker.
///
/// `description` never names queues, users or message contents, so that it may stand in any log.
/// `debugDescription` adds what the broker or the library said.
public struct AMQPError: Error, Sendable {
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Base: String {
            case connectFailed, tlsFailed, authenticationFailed, connectionLost, connectionClosedByBroker
            case channelClosed, blocked, timedOut, invalidArgument, malformed
        }
        private let base: Base

        /// No TCP connection, or no AMQP handshake on it.
        public static let connectFailed = Code(base: .connectFailed)
        /// No TLS: a certificate was refused by us or by the broker, or the two sides have no version in common
        /// (`tlsReason`).
        public static let tlsFailed = Code(base: .tlsFailed)
        /// The broker refused user or password, or the way to prove them.
        public static let authenticationFailed = Code(base: .authenticationFailed)
        /// The connection broke: end of stream, reset, missed heartbeats.
        public static let connectionLost = Code(base: .connectionLost)
        /// The broker closed the connection and said why (`replyCode`).
        public static let connectionClosedByBroker = Code(base: .connectionClosedByBroker)
        /// The broker closed the channel and said why (`replyCode`), or the channel was not open. The connection goes
        /// on.
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
    /// What OpenSSL said, such as "certificate has expired" or "hostname mismatch"; "certificate required" when the
    /// broker asked for ours and there was none.
    public var tlsReason: String?
    /// True when the connection is gone and a new one must be made.
    public var isConnectionFatal: Bool
    public var file: String
    public var line: Int

    private let detail: String

    init(
        _ code: Code, _ detail: String, replyCode: UInt16? = nil, isConnectionFatal: Bool? = nil,
        tlsReason: String? = nil, file: String = #fileID, line: Int = #line
    ) {
        self.code = code
        self.detail = detail
        self.replyCode = replyCode
        self.tlsReason = tlsReason
        self.isConnectionFatal = isConnectionFatal ?? code.endsConnection
        self.file = file
        self.line = line
    }
}

extension AMQPError: CustomStringConvertible, CustomDebugStringConvertible {
    public var description: String {
        guard let reason = replyCode.map(String.init) ?? tlsReason else { return "AMQP: \(code)" }
        return "AMQP: \(code) (\(reason))"
    }

    public var debugDescription: String { "\(description): \(detail) [\(file):\(line)]" }
}

extension AMQPError.Code {
    /// What a code means for the connection unless the thrower knows better.
    fileprivate var endsConnection: Bool {
        [.connectFailed, .tlsFailed, .authenticationFailed, .connectionLost, .connectionClosedByBroker, .malformed]
            .contains(self)
    }
}

// MARK: From the library's words

extension AMQPError {
    /// A status that ends the connection.
    init(status: Int32, else code: Code, file: String = #fileID, line: Int = #line) {
        let text = amqp_error_string2(status).map { String(cString: $0) } ?? "status \(status)"
        let code: Code =
            switch amqp_status_enum(status) {
            case AMQP_STATUS_TIMEOUT: .timedOut
            case AMQP_STATUS_BAD_AMQP_DATA, AMQP_STATUS_UNKNOWN_CLASS, AMQP_STATUS_UNKNOWN_METHOD: .malformed
            default: code
            }
        self.init(code, text, isConnectionFatal: true, file: file, line: line)
    }

    /// The broker's `connection.close`.
    init(connectionClosed method: amqp_method_t) {
        guard let close = method.decoded?.assumingMemoryBound(to: amqp_connection_close_t.self).pointee else {
            self.init(.connectionClosedByBroker, "the broker closed the connection")
            return
        }
        self.init(.connectionClosedByBroker, String(repairing: close.reply_text), replyCode: close.reply_code)
    }
}
