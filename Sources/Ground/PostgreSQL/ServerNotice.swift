import CPostgreSQL

/// A notice or warning of the server. Its `description` is safe in any log; its text, which may quote data, is not.
public struct ServerNotice: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// `WARNING`, `NOTICE`, `INFO`, `LOG` or `DEBUG`, in English whatever the language of the server's messages.
    public let severity: String
    /// The five characters of the SQLSTATE; `00000` for most notices.
    public let sqlState: String
    /// The server's text.
    public let debugDetail: String

    public var description: String { "PostgreSQL: \(severity), SQLSTATE \(sqlState)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}

/// The receiver of libpq's notices. A class, so that its address is stable.
final class NoticeSink {
    var receive: ((ServerNotice) -> Void)?
    /// The number of notices received.
    private(set) var count = 0
    /// True while libpq calls the receiver; the connection must not be used then.
    private(set) var isDelivering = false

    static let callback: @convention(c) (UnsafeMutableRawPointer?, OpaquePointer?) -> Void = { sink, result in
        guard let sink, let result else { return }
        Unmanaged<NoticeSink>.fromOpaque(sink).takeUnretainedValue().deliver(
            ServerResult(result, isOwned: false).notice)
    }

    private func deliver(_ notice: ServerNotice) {
        count += 1
        isDelivering = true
        receive?(notice)
        isDelivering = false
    }
}
