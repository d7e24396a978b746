package import AMQP
package import Foundation
import PostgreSQL

/// Unprotected connections: to another machine without TLS, or with TLS that does not verify the peer. Others may
/// then read or change the data. They are allowed, with a warning.
package enum InTheClear {
    package static func warnings(of broker: AMQP.ConnectionSettings, named name: String) -> [String] {
        let elsewhere = broker.endpoints.map(\.host).filter { !isThisMachine($0) }
        if let tls = broker.tls {
            return tls.verifiesPeer
                ? [] : ["\(name) has verify=verify_none: whoever answers is taken for the broker, and reads passwords"]
        }
        guard let host = elsewhere.first else { return [] }
        return ["\(name) reaches \(host) without TLS: passwords and messages can be read on the way; use amqps"]
    }

    package static func warnings(ofDatabase url: String, named name: String) -> [String] {
        guard let host = PostgreSQL.ConnectionSettings(url: url).hostsInTheClear.first(where: { !isThisMachine($0) })
        else { return [] }
        return ["\(name) lets libpq reach \(host) without TLS: rows can be read on the way; add sslmode=verify-full"]
    }

    package static func warnings(ofManagement url: URL) -> [String] {
        guard url.scheme?.lowercased() == "http", let host = url.host(), !isThisMachine(host) else { return [] }
        return [
            "--management reaches \(host) without TLS: the administrator's password can be read on the way; use https"
        ]
    }

    /// Whether a host is written as this machine's loopback address.
    static func isThisMachine(_ host: String) -> Bool {
        let host = host.trimmingCharacters(in: CharacterSet(charactersIn: "[]")).lowercased()
        return ["localhost", "::1"].contains(host) || host.wholeMatch(of: /127(\.[0-9]{1,3}){3}/) != nil
    }
}

extension OfficeConfiguration {
    package var warnings: [String] {
        InTheClear.warnings(of: broker, named: ConfigurationKey.amqpURL.name)
            + InTheClear.warnings(ofDatabase: database.url, named: ConfigurationKey.databaseURL.name)
            + (database.ownerURL.map {
                InTheClear.warnings(ofDatabase: $0, named: ConfigurationKey.databaseOwnerURL.name)
            } ?? [])
    }
}
