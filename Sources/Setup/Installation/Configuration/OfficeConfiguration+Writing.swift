import AMQP
import Basics
import CaseStore
import Casework
import Contract
import Crypto
package import Foundation
import Terminal

extension OfficeConfiguration {
    /// The text of bihuan.yaml. Paths within `folder` are written relative to it, so that the directory can be moved.
    package func yaml(folder: URL) -> String {
        var clockLine = "clock: {rate: 1}"
        if clock != .real {
            clockLine =
                """
                clock: {wallOrigin: \"\(clock.wallOrigin)\", businessOrigin: \"\(clock.businessOrigin)\", rate: \
                \(clock.rate)}
                """
        }
        var broker = broker
        broker.tls = broker.tls?.mapFiles { path(URL(filePath: $0), in: folder) }
        let monitorRest =
            (monitor.port.map { ", port: \($0)" } ?? "")
            + (monitor.managementURL.map { ", managementUrl: \(quoted($0))" } ?? "")
        let roles = database.passwords.sorted { $0.key.rawValue < $1.key.rawValue }
            .map { "\($0.key.rawValue): \(quoted($0.value))" }
        let roleLines =
            "# Passwords of the database's roles: each worker has its own.\n"
            + (roles.isEmpty ? "# roles: {}" : "roles:\n" + roles.map { "  " + $0 }.joined(separator: "\n"))
        let ownerLine = database.ownerURL.map { "\n  ownerUrl: \(quoted($0))" } ?? ""
        return """
            # Made by `bihuan up`, which writes it anew at each start: values are kept, comments are not.
            # It holds passwords: keep it to yourself. docs/configuration.md describes every key.
            office: {name: \(quoted(officeName))}
            amqp: {url: \(quoted(broker.url)), inboundBytesMax: \(inboundBytesMax)}
            database:
              url: \(quoted(database.url))\(ownerLine)
            \(roleLines)
            # Passwords of the broker's users; unit-d1 is the user unit.d1. The operator has all rights on the \
            virtual host.
            users:
            \(users.sorted { $0.key < $1.key }.map { "  \($0.key): \(quoted($0.value))" }.joined(separator: "\n"))
            # Originals are sealed to this key. No worker needs its private half, vault.key: in service, keep that \
            elsewhere.
            vault: {publicKey: \(quoted(vaultKey.publicKey.rawRepresentation.base64EncodedString()))}
            keys: {directory: \(quoted(path(keysDirectory, in: folder)))}
            digest: {keyFile: \(quoted(path(digestKeyFile, in: folder)))}
            # Sealed mail for a superior without a key of its own goes to this key. Its private half was thrown away \
            when the key was
            # made: nobody can read that mail here. In service, put a key here whose private half lies with the \
            superior.
            sealedMail: {publicKey: \(quoted(sealedMailKey.publicKey.rawRepresentation.base64EncodedString()))}
            checkpoint: {keyFile: \(quoted(path(checkpointKeyFile, in: folder)))}
            \(clockLine)
            lane: {batchSizeMax: \(lane.batchSizeMax), lanes: \(lane.lanes), earlyMessageHoldSeconds: \
            \(lane.earlyMessageHoldSeconds)}
            log: {level: \(logLevel), format: \(logFormat.rawValue)}
            monitor: {host: \(quoted(monitor.host)), sampleSeconds: \(monitor.sampleSeconds)\(monitorRest)}

            """
    }
}

private func path(_ file: URL, in folder: URL) -> String {
    let prefix = folder.path.hasSuffix("/") ? folder.path : folder.path + "/"
    return file.path.hasPrefix(prefix) ? String(file.path.dropFirst(prefix.count)) : file.path
}

/// A double-quoted YAML string, which is also a JSON string.
private func quoted(_ text: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    // Every string has a JSON form.
    return (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
}
