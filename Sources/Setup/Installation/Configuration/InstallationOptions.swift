package import ArgumentParser
import Basics
package import Contract
package import Foundation
import Terminal

/// Options that select the installation of a command and override values of its file.
package struct InstallationOptions: ParsableArguments {
    package init() {}

    @Option(help: ArgumentHelp("The directory of the installation; its bihuan.yaml is read.", valueName: "dir"))
    package var data: String?

    @Option(help: ArgumentHelp("The configuration file, if it is not DIR/bihuan.yaml.", valueName: "file"))
    package var config: String?

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp(
            "Set a key, such as lane.lanes=4; overrides file and environment. May be repeated.",
            valueName: "key=value"))
    package var values: [String] = []

    /// Whether an installation is named.
    package var isGiven: Bool { data != nil || config != nil }

    package func validate() throws {
        if data != nil, config != nil { throw ValidationError("give --data or --config, not both") }
        if let bad = values.first(where: { !$0.contains("=") || $0.hasPrefix("=") }) {
            throw ValidationError("--set takes key=value, such as lane.lanes=4, not '\(bad)'")
        }
        for (key, value) in flags where ConfigurationKey.isSecret(key, value) || SecretOption.holdsPassword(value) {
            throw ValidationError(
                """
                --set \(key): it is a password, and every user of this machine reads it in the list of processes: \
                put it into the \
                file, or into the environment variable \(ConfigurationKey.environmentVariable(of: key))
                """)
        }
    }

    /// - Parameter warn: called with each warning about an unprotected connection.
    package func configuration(
        parties: [Party] = [], warn: (String) -> Void = { Output.note("warning: \($0)") }
    ) async throws -> OfficeConfiguration {
        try await read(parties: parties, warn: warn).configuration
    }

    /// The configuration, with the sources it was read from.
    func read(
        parties: [Party], warn: (String) -> Void
    ) async throws -> (configuration: OfficeConfiguration, source: ConfigurationSource) {
        let source = try await source()
        let configuration = try OfficeConfiguration.read(source, parties: parties)
        configuration.warnings.forEach(warn)
        return (configuration, source)
    }

    package func source() async throws -> ConfigurationSource {
        try await ConfigurationSource.open(file: file(), flags: flags)
    }

    package func file() throws -> URL {
        if let config { return URL(filePath: config).absoluteURL }
        if let data {
            return URL(filePath: data, directoryHint: .isDirectory).appending(path: "bihuan.yaml").absoluteURL
        }
        throw UserError("which installation? Give --data DIR, as for `bihuan up`, or --config FILE")
    }

    package var flags: [String: String] {
        let pairs = values.map { $0.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false) }
        return Dictionary(pairs.map { (String($0[0]), String($0[1])) }) { _, last in last }
    }
}
