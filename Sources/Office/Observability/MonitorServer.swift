import Basics
import Hummingbird
import HummingbirdCore
public import Logging
public import ServiceLifecycle

/// What a monitor asks of one process, over HTTP: `/metrics` for Prometheus, `/healthz`, `/readyz`, and pages.
///
/// There is no access control: it listens on the loopback address unless told otherwise, and shows neither names nor
/// texts of a report. Every answer comes from memory.
public struct MonitorServer: Service {
    /// A page beside the fixed ones.
    public struct Page: Sendable {
        let path: String
        let contentType: String
        let text: @Sendable (_ query: [String: String], _ languages: String) -> String

        /// - Parameter text: from the parameters of the query and the header `Accept-Language`.
        public init(
            _ path: String, contentType: String = "text/html; charset=utf-8",
            _ text: @escaping @Sendable (_ query: [String: String], _ languages: String) -> String
        ) {
            self.path = path
            self.contentType = contentType
            self.text = text
        }
    }

    /// The connections open at once; more wait in the kernel. Enough for many scrapers, and little memory.
    static let connectionsMax = 64
    /// A connection that is silent for so long is closed.
    static let idleSeconds = 30
    /// A lane without a sign of life for so long is taken for stuck.
    static let silentSeconds = 30.0

    private let host: String
    private let port: Int
    private let registry: MetricsRegistry
    private let board: WorkerBoard
    private let pages: [Page]
    private let logger: Logger
    private let onPort: @Sendable (Int) -> Void

    /// - Parameters:
    ///   - port: 0 for any free port.
    ///   - onPort: called with the port once it listens.
    public init(
        host: String, port: Int, registry: MetricsRegistry, board: WorkerBoard, pages: [Page] = [], logger: Logger,
        onPort: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.host = host
        self.port = port
        self.registry = registry
        self.board = board
        self.pages = pages
        self.logger = logger
        self.onPort = onPort
    }

    /// - Throws: `UserError` if the port cannot be had.
    public func run() async throws {
        // Its own lines are not in the list of a worker's log events.
        let quiet = Logger(label: "monitor") { _ in SwiftLogNoOpLogHandler() }
        let onPort = onPort
        let application = Application(
            router: routes(), server: .http1(configuration: .init(idleTimeout: .seconds(Int64(Self.idleSeconds)))),
            configuration: .init(
                address: .hostname(host, port: port),
                availableConnectionsDelegate: MaximumAvailableConnections(Self.connectionsMax)),
            onServerRunning: { channel in onPort(channel.localAddress?.port ?? 0) }, logger: quiet)
        do {
            try await application.run()
        } catch {
            throw UserError(
                "the monitor cannot listen on \(host) port \(port) (\(error)): set monitor.port or monitor.host",
                mayPass: true)
        }
    }

    private func routes() -> Router<BasicRequestContext> {
        let (registry, board) = (registry, board)
        let router = Router()
        router.get("metrics") { _, _ in
            MonitorServer.response(.ok, "text/plain; version=0.0.4; charset=utf-8", registry.text())
        }
        router.get("healthz") { _, _ in
            let isAlive = board.isAlive(within: Self.silentSeconds)
            return MonitorServer.response(
                isAlive ? .ok : .serviceUnavailable, "text/plain; charset=utf-8",
                isAlive ? "alive\n" : "a lane gave no sign of life for \(Int(Self.silentSeconds)) s\n")
        }
        router.get("readyz") { _, _ in
            MonitorServer.response(
                board.isReady ? .ok : .serviceUnavailable, "text/plain; charset=utf-8", board.status + "\n")
        }
        for page in pages {
            router.get(RouterPath(page.path)) { request, _ in
                let query = Dictionary(
                    request.uri.queryParameters.map { (String($0.key), String($0.value)) }
                ) { first, _ in first }
                return MonitorServer.response(
                    .ok, page.contentType, page.text(query, request.headers[.acceptLanguage] ?? ""))
            }
        }
        return router
    }

    private static func response(_ status: HTTPResponse.Status, _ type: String, _ text: String) -> Response {
        Response(
            status: status, headers: [.contentType: type, .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}
