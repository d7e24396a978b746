import CPostgreSQL
import Foundation

extension ConnectionSettings {
    /// The hosts with which libpq may talk in the clear by these settings: reached over TCP, and `sslmode` (or, where
    /// the URL says none, the variable `PGSSLMODE`) is `prefer`, `allow` or `disable`. A URL that cannot be read has
    /// none: connecting says why.
    public var hostsInTheClear: [String] {
        let options = Self.parsed(url)
        let environment = ProcessInfo.processInfo.environment
        let mode = options["sslmode"] ?? environment["PGSSLMODE"] ?? "prefer"
        guard ["disable", "allow", "prefer"].contains(mode) else { return [] }
        let hosts = options["hostaddr"] ?? environment["PGHOSTADDR"] ?? options["host"] ?? environment["PGHOST"] ?? ""
        // What begins with / or @ is the folder of a socket on this machine.
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
