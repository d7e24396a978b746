import CPostgreSQL
import Foundation

extension Connection {
    /// The most milliseconds to wait for the server, nil for no limit. The server ends a statement after
    /// `statement_timeout`; a peer that does not answer for 3 s longer is frozen or gone.
    static func patience(_ settings: ConnectionSettings) -> Int? {
        guard settings.statementTimeoutMilliseconds > 0 else { return nil }
        return min(settings.statementTimeoutMilliseconds, Int(Int32.max)) + 3000
    }

    static func connect(
        _ settings: ConnectionSettings, _ notices: NoticeSink
    ) throws(PostgreSQLError) -> OpaquePointer {
        if settings.url.utf8.contains(0) { throw PostgreSQLError(.invalidArgument, "the URL holds a NUL character") }
        let urlOptions = try Self.urlOptions(settings.url)
        // Of two equal keywords libpq uses the later; `dbname` is where it expands a URL.
        let parameters =
            settings.parameters + [("dbname", settings.url)]
            + [("options", settings.options(urlOptions: urlOptions)), ("client_encoding", "UTF8")]
        guard let handle = start(parameters) else { throw PostgreSQLError(.connectFailed, "out of memory") }
        // libpq has no field for the SQLSTATE of a refusal; with verbose errors its message contains it, in any
        // language.
        PQsetErrorVerbosity(handle, PQERRORS_VERBOSE)
        PQsetNoticeReceiver(handle, NoticeSink.callback, Unmanaged.passUnretained(notices).toOpaque())
        // libpq's only blocking call with a timeout per host would print the notices of connecting. A reset of a
        // connection that has just been started does the same and uses our receiver.
        PQreset(handle)
        guard PQstatus(handle) == CONNECTION_OK, PQsetnonblocking(handle, 1) == 0 else {
            var error = PostgreSQLError(.connectFailed)
            error.primaryMessage = PQerrorMessage(handle).map { String(cString: $0) }
            error.reason = error.primaryMessage.flatMap { ConnectFailure.reason(in: $0) }
            error.sqlState = error.primaryMessage.flatMap { ConnectFailure.sqlState(in: $0) }
            if error.reason?.contains(SessionGuard.pooler) == true { error.code = .unsuitable }
            PQfinish(handle)
            throw error
        }
        PQsetErrorVerbosity(handle, PQERRORS_DEFAULT)
        return handle
    }

    private static func start(_ parameters: [(keyword: String, value: String)]) -> OpaquePointer? {
        let strings = parameters.flatMap { [strdup($0.keyword), strdup($0.value)] }
        defer { for string in strings { free(string) } }
        let keywords = stride(from: 0, to: strings.count, by: 2).map { UnsafePointer(strings[$0]) } + [nil]
        let values = stride(from: 1, to: strings.count, by: 2).map { UnsafePointer(strings[$0]) } + [nil]
        return PQconnectStartParams(keywords, values, 1)
    }

    /// The `options` in the URL. libpq's own message for a bad URL may quote the password, so it is dropped.
    private static func urlOptions(_ url: String) throws(PostgreSQLError) -> String? {
        var message: UnsafeMutablePointer<CChar>?
        let parsed = PQconninfoParse(url, &message)
        defer {
            PQfreemem(message)
            PQconninfoFree(parsed)
        }
        guard var option = parsed else {
            throw PostgreSQLError(.invalidArgument, "the connection URL cannot be parsed")
        }
        while let keyword = option.pointee.keyword {
            if strcmp(keyword, "options") == 0 { return option.pointee.val.map { String(cString: $0) } }
            option += 1
        }
        return nil
    }
}
