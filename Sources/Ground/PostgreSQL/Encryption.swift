import CPostgreSQL
import Foundation

extension ConnectionSettings {
    /// The hosts to which libpq may connect without encryption: reached over TCP, with `sslmode` (or, if the URL has
    /// none, the variable `PGSSLMODE`) `prefer`, `allow` or `disable`. Empty for a URL that cannot be parsed;
    /// connecting then reports the error.
    public var hostsInTheClear: [String] {
        let options = Self.parsed(url)
        let environment = ProcessInfo.processInfo.environment
        let mode = options["sslmode"] ?? environment["PGSSLMODE"] ?? "prefer"
        guard ["disable", "allow", "prefer"].contains(mode) else { return [] }
        let hosts = options["hostaddr"] ?? environment["PGHOSTADDR"] ?? options["host"] ?? environment["PGHOST"] ?? ""
        // A host that begins with / or @ is a local socket.
        return hosts.split(separator: ",").map(String.init).filter { !$0.hasPrefix("/") && !$0.hasPrefix("@") }
    }

    private static func parsed(_ url: String) -> [String: String] {
        var message: UnsafeMutablePointer<CChar>?
        let first = PQconninfoParse(url, &message)
        defer {
            PQfreemem(message)
            PQconninfoFree(first)
        }
        guard var option = first else { return [:] }
        var values: [String: String] = [:]
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { values[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        return values
    }
}
