import AMQP
package import Basics
import CaseStore
import Casework
package import Contract
package import Foundation
import Logging
import Terminal
import Text

package extension OfficeConfiguration {
    /// Reads a file, with the environment and the secrets that belong to it.
    static func read(file: URL) async throws -> OfficeConfiguration {
        try read(await ConfigurationSource.open(file: file, flags: [:]))
    }

    /// Reads and checks all values.
    /// - Parameter parties: the parties whose passwords the command needs.
    /// - Throws: `UserError` with all problems at once.
    static func read(_ source: ConfigurationSource, parties: [Party] = []) throws(UserError) -> OfficeConfiguration {
        let examined = examine(source, parties: parties)
        let problems = examined.problems + examined.problemsOfFiles
        guard let configuration = examined.configuration, problems.isEmpty else {
            throw UserError(
                "\(source.fileName) is not right:\n" + problems.map { "  " + $0 }.joined(separator: "\n")
                    + "\nThe keys are described in docs/configuration.md.")
        }
        return configuration
    }

    /// What can be read, though something is wrong.
    struct Examined: Sendable {
        /// `nil` if a value is missing or wrong.
        package let configuration: OfficeConfiguration?
        /// What is wrong with keys and values.
        package let problems: [String]
        /// Files with secrets that others may read.
        package let problemsOfFiles: [String]
    }

    static func examine(_ source: ConfigurationSource, parties: [Party] = []) -> Examined {
        var check = ConfigurationCheck(source)
        let configuration = check.configuration(parties)
        return Examined(
            configuration: configuration, problems: check.problems, problemsOfFiles: check.problemsOfFiles)
    }
}

/// Reads key by key and collects all problems instead of stopping at the first.
private struct ConfigurationCheck {
    private(set) var problems: [String] = []
    private(set) var problemsOfFiles: [String]
    private let source: ConfigurationSource

    init(_ source: ConfigurationSource) {
        self.source = source
        problemsOfFiles = source.problems
        nameUnknownKeys()
    }

    mutating func configuration(_ parties: [Party]) -> OfficeConfiguration? {
        let broker = broker(.amqpURL)
        let inboundBytesMax = wholeNumber(.inboundBytesMax, 4 * Limits.standard.messageBytesMax...1 << 40)
        let database = OfficeConfiguration.Database(
            url: text(.databaseURL), ownerURL: source.value(ConfigurationKey.databaseOwnerURL.name),
            passwords: rolePasswords())
        let lane = OfficeConfiguration.Lane(
            batchSizeMax: wholeNumber(.laneBatchSizeMax, 1...5_000), lanes: wholeNumber(.laneCount, 1...64),
            earlyMessageHoldSeconds: number(.laneEarlyMessageHoldSeconds, 0...86_400))
        let name = text(.officeName)
        let files = (
            keys: source.keysDirectory(URL(filePath: text(.keysDirectory), relativeTo: source.folder).absoluteURL),
            digest: keyFile(.digestKeyFile), checkpoint: keyFile(.checkpointKeyFile)
        )
        let users = users(parties)
        let clock = clock()
        let (logLevel, logFormat, monitor) = (logLevel(), logFormat(), monitor())
        let (vaultKey, sealedMailKey) = (sealingKey(.vaultPublicKey), sealingKey(.sealedMailPublicKey))
        guard let broker, let vaultKey, let sealedMailKey, problems.isEmpty else { return nil }
        var configuration = OfficeConfiguration(
            officeName: name, broker: broker, inboundBytesMax: inboundBytesMax, database: database, users: users,
            vaultKey: vaultKey, keysDirectory: files.keys, digestKeyFile: files.digest, sealedMailKey: sealedMailKey,
            checkpointKeyFile: files.checkpoint, clock: clock, lane: lane, logLevel: logLevel)
        configuration.logFormat = logFormat
        configuration.monitor = monitor
        configuration.credentials = source.credentials
        return configuration
    }

    // MARK: Unknown keys

    private mutating func nameUnknownKeys() {
        let names = ConfigurationKey.all.map(\.name)
        func isKnown(_ name: String) -> Bool {
            names.contains(name) || ConfigurationKey.isInGroup(name)
        }
        for (name, line, isSingleValue) in source.keysInFile {
            let place = line.map { " (line \($0))" } ?? ""
            if !isKnown(name) {
                problems.append("\(name)\(place): unknown key" + Suggestion.phrase(for: name, among: names))
            } else if !isSingleValue {
                problems.append("\(name)\(place): must be a single value")
            }
        }
        for name in source.flags.keys.sorted() where !isKnown(name) {
            problems.append("--set \(name): unknown key" + Suggestion.phrase(for: name, among: names))
        }
        let variables = ConfigurationKey.all.map(\.environmentVariable)
        for name in source.environment.keys.sorted()
        where !variables.contains(name) && !isVariableOfGroup(name) && !SecretOption.variables.contains(name) {
            problems.append("\(name): unknown variable" + Suggestion.phrase(for: name, among: variables))
        }
    }

    private func isVariableOfGroup(_ name: String) -> Bool {
        ConfigurationKey.groups.contains { name.hasPrefix("BIHUAN_\($0.uppercased())_") }
    }

    // MARK: Values by kind. The replacement for a bad value is never used.

    private mutating func text(_ key: ConfigurationKey) -> String {
        if let value = source.value(key.name) ?? key.default { return value }
        if key.isRequired { problems.append("\(key.name): is missing. \(key.meaning)") }
        return ""
    }

    private mutating func wholeNumber(_ key: ConfigurationKey, _ range: ClosedRange<Int>) -> Int {
        if let value = Int(text(key)), range.contains(value) { return value }
        problems.append("\(key.name): must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        return range.lowerBound
    }

    private mutating func number(_ key: ConfigurationKey, _ range: ClosedRange<Double>) -> Double {
        if let value = Double(text(key)), range.contains(value) { return value }
        problems.append("\(key.name): must be a number from \(range.lowerBound) to \(range.upperBound)")
        return range.lowerBound
    }

    /// A file with a key in it. A missing file is reported only when it is needed.
    private mutating func keyFile(_ key: ConfigurationKey) -> URL {
        let file = source.keyFile(URL(filePath: text(key), relativeTo: source.folder).absoluteURL)
        if let problem = SecretFile.problem(file.path) { problemsOfFiles.append("\(key.name): \(problem)") }
        return file
    }

    private mutating func broker(_ key: ConfigurationKey) -> AMQP.ConnectionSettings? {
        let url = text(key)
        guard var broker = try? AMQP.ConnectionSettings(url: url) else {
            problems.append(
                "\(key.name): must be as amqp://HOST:PORT/VHOST, or amqps:// for TLS; docs/amqp.md lists the parameters"
            )
            return nil
        }
        if url.drop(while: { $0 != "/" }).dropFirst(2).prefix(while: { $0 != "/" && $0 != "?" }).contains("@") {
            problems.append("\(key.name): must name no user: passwords stand under users")
        }
        if case .external = broker.authentication, broker.tls?.certificateFile?.contains("{user}") != true {
            problems.append(
                "\(key.name): must name a certificate for each user with auth_mechanism=external: "
                    + "certfile=tls/{user}.pem&keyfile=tls/{user}.key")
        }
        (broker.user, broker.password) = ("", "")
        let folder = source.folder
        broker.tls = broker.tls?.mapFiles { URL(filePath: $0, relativeTo: folder).absoluteURL.path }
        // A file for each user is looked at when the user connects.
        if let file = broker.tls?.keyFile, !file.contains("{user}"), let problem = SecretFile.problem(file) {
            problemsOfFiles.append("\(key.name): \(problem)")
        }
        return broker
    }

    private mutating func sealingKey(_ key: ConfigurationKey) -> SealingKey? {
        let value = text(key)
        if value.isEmpty { return nil }
        if let bytes = Data(base64Encoded: value), let key = SealingKey(rawRepresentation: [UInt8](bytes)) {
            return key
        }
        problems.append("\(key.name): must be the 32 bytes of an X25519 public key in base64")
        return nil
    }

    private mutating func logLevel() -> Logger.Level {
        let word = text(.logLevel)
        if let level = Logger.Level(rawValue: word) { return level }
        let levels = Logger.Level.allCases.map(\.rawValue)
        problems.append(
            "\(ConfigurationKey.logLevel.name): must be one of \(levels.joined(separator: ", "))"
                + Suggestion.phrase(for: word, among: levels))
        return .info
    }

    private mutating func logFormat() -> LineLog.Format {
        let word = text(.logFormat)
        if let format = LineLog.Format(rawValue: word) { return format }
        problems.append("\(ConfigurationKey.logFormat.name): must be text or json")
        return .text
    }

    private mutating func monitor() -> OfficeConfiguration.Monitor {
        var monitor = OfficeConfiguration.Monitor()
        monitor.host = text(.monitorHost)
        if source.value(ConfigurationKey.monitorPort.name) != nil {
            monitor.port = wholeNumber(.monitorPort, 0...65_535)
        }
        monitor.managementURL = source.value(ConfigurationKey.monitorManagementURL.name)
        if let url = monitor.managementURL, URL(string: url)?.host() == nil {
            problems.append(
                "\(ConfigurationKey.monitorManagementURL.name): must be a URL such as http://127.0.0.1:15672")
        }
        monitor.sampleSeconds = number(.monitorSampleSeconds, 1...3_600)
        return monitor
    }

    private mutating func clock() -> BusinessClock {
        let rate = number(.clockRate, 0.001...10_000_000)
        let wall = time(.clockWallOrigin)
        let business = time(.clockBusinessOrigin)
        switch (wall, business) {
        case (let wall?, let business?): return BusinessClock(wallOrigin: wall, businessOrigin: business, rate: rate)
        case (nil, nil) where rate == 1: return .real
        default:
            problems.append("clock: a clock that differs from the wall's needs wallOrigin, businessOrigin and rate")
            return .real
        }
    }

    private mutating func time(_ key: ConfigurationKey) -> Instant? {
        guard let value = source.value(key.name) else { return nil }
        if let instant = Instant(value) { return instant }
        problems.append("\(key.name): must be a time such as 2026-03-02T08:00:00Z")
        return nil
    }

    private mutating func users(_ parties: [Party]) -> [String: String] {
        let listed = source.groupKeys.filter { $0.hasPrefix("users.") }
        let needed = parties.map { "users." + OfficeConfiguration.userKey($0) }
        var users: [String: String] = [:]
        for name in Set(listed + needed) { users[String(name.dropFirst("users.".count))] = source.value(name) }
        let url = source.value(ConfigurationKey.amqpURL.name)
        // A user that shows a certificate needs no password.
        let needsPassword = url?.contains("auth_mechanism=external") != true
        for name in needed where needsPassword && users[String(name.dropFirst("users.".count))] == nil {
            problems.append("\(name): is missing. The password of a broker user.")
        }
        return users
    }

    private mutating func rolePasswords() -> [DatabaseRole: String] {
        let names = DatabaseRole.allCases.map(\.rawValue)
        for key in source.groupKeys where key.hasPrefix("roles.") {
            let name = String(key.dropFirst("roles.".count))
            if !names.contains(name) {
                problems.append("\(key): unknown role" + Suggestion.phrase(for: name, among: names))
            }
        }
        let found = DatabaseRole.allCases.map { ($0, source.value("roles.\($0.rawValue)")) }
        return Dictionary(uniqueKeysWithValues: found.compactMap { role, value in value.map { (role, $0) } })
    }
}
