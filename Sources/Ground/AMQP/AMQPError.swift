import CRabbitMQ

/// An error between this process and the broker.
///
/// `description` never names queues, users or message contents, so it is safe in any log.
/// `debugDescription` adds the detail from the broker or the library.
public struct AMQPError: Error, Sendable {
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Base: String {
            case connectFailed, tlsFailed, authenticationFailed, connectionLost, connectionClosedByBroker
            case channelClosed, blocked, timedOut, invalidArgument, malformed
        }
        private let base: Base

        /// No TCP connection, or no AMQP handshake on it.
        public static let connectFailed = Code(base: .connectFailed)
        /// The TLS handshake failed: we or the broker refused a certificate, or the two sides share no version
        /// (`tlsReason`).
        public static let tlsFailed = Code(base: .tlsFailed)
        /// The broker refused the user, the password or the authentication mechanism.
        public static let authenticationFailed = Code(base: .authenticationFailed)
        /// The connection was lost: end of stream, reset, missed heartbeats.
        public static let connectionLost = Code(base: .connectionLost)
        /// The broker closed the connection and gave a reason (`replyCode`).
        public static let connectionClosedByBroker = Code(base: .connectionClosedByBroker)
        /// The broker closed the channel and gave a reason (`replyCode`), or the channel was not open. The connection
        /// stays open.
        public static let channelClosed = Code(base: .channelClosed)
        /// The broker accepts no messages at present (memory or disk alarm). Nothing was sent.
        public static let blocked = Code(base: .blocked)
        /// No answer in time.
        public static let timedOut = Code(base: .timedOut)
        /// The call cannot be expressed in AMQP 0-9-1. Nothing was sent.
        public static let invalidArgument = Code(base: .invalidArgument)
        /// The peer sent data that is not AMQP 0-9-1.
        public static let malformed = Code(base: .malformed)

        public var description: String { base.rawValue }
    }

    public var code: Code
    /// The broker's reply code, such as 403, 404, 406 or 320.
    public var replyCode: UInt16?
    /// OpenSSL's reason, such as "certificate has expired" or "hostname mismatch"; "certificate required" when the
    /// broker asked for our certificate and there was none.
    public var tlsReason: String?
    /// True when the connection is closed and a new one must be made.
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
    /// The default of `isConnectionFatal` for a code.
    fileprivate var endsConnection: Bool {
        [.connectFailed, .tlsFailed, .authenticationFailed, .connectionLost, .connectionClosedByBroker, .malformed]
            .contains(self)
    }
}

// MARK: From the library's values

extension AMQPError {
    /// An error from a library status that ends the connection.
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

    /// An error from the broker's `connection.close`.
    init(connectionClosed method: amqp_method_t) {
        guard let close = method.decoded?.assumingMemoryBound(to: amqp_connection_close_t.self).pointee else {
            self.init(.connectionClosedByBroker, "the broker closed the connection")
            return
        }
        self.init(.connectionClosedByBroker, String(repairing: close.reply_text), replyCode: close.reply_code)
    }
}
