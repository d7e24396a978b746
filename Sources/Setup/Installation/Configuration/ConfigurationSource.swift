import Basics
import CaseStore
import Casework
import Configuration
import Foundation
import SystemPackage
import Yams

/// The sources of configuration values, with all keys they contain, so that unknown keys can be reported.
package struct ConfigurationSource: Sendable {
    /// Where a value comes from, in the order in which they are asked.
    package enum Origin: String, CaseIterable, Sendable {
        case flag = "--set"
        case environment
        /// A file that the service manager gives the process (`$CREDENTIALS_DIRECTORY`).
        case credential
        /// A file of `secrets.directory`.
        case secretsDirectory = "secrets"
        case file
        case byDefault = "default"
    }

    /// The folder of the file; relative paths in the file are relative to it.
    let folder: URL
    let fileName: String
    /// The keys of the file, with their lines.
    let keysInFile: [(name: String, line: Int?, isSingleValue: Bool)]
    let environment: [String: String]
    let flags: [String: String]
    /// The folder with the credentials of this service, if a service manager gave it any.
    let credentials: URL?
    /// The keys of groups that are in the folder of secrets: `users.office-intake`.
    private(set) var secretKeys: [String] = []
    /// Files with secrets that others may read.
    private(set) var problems: [String] = []
    private var readers: [(origin: Origin, reader: ConfigReader)] = []

    static func open(
        file: URL, flags: [String: String], environment: [String: String] = ProcessInfo.processInfo.environment
    ) async throws -> ConfigurationSource {
        let text: String
        do {
            text = try String(contentsOf: file, encoding: .utf8)
        } catch {
            throw UserError(
                FileManager.default.fileExists(atPath: file.path)
                    ? "\(file.path) cannot be read: only the user who made it may"
                    : """
                    there is no \(file.path): make it with `bihuan up --data DIR`, or name another with --data or \
                    --config
                    """
            )
        }
        do {
            let keys = try Yams.compose(yaml: text).map { leaves(of: $0) } ?? []
            if keys.contains(where: { ConfigurationKey.isSecret($0.name, $0.value ?? "") }) {
                try SecretFile.check(file.path)
            }
            let path = ConfigReader(
                provider: InMemoryProvider(values: ["filePath": ConfigValue(.string(file.path), isSecret: false)]))
            let provider = try await FileProvider<YAMLSnapshot>(config: path)
            return try await ConfigurationSource(
                file, keys.map { ($0.name, $0.line, $0.value != nil) }, environment, flags, provider)
        } catch let error as UserError {
            throw error
        } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
            throw UserError(
                """
                \(file.path) holds the key \(keys.joined(separator: ", ")) twice, in what begins at line \
                \(context.mark.line): keep one
                """
            )
        } catch {
            throw UserError(
                "\(file.path) is no YAML with keys and values\(line(of: error).map { ": look at line \($0)" } ?? "")")
        }
    }

    private init(
        _ file: URL, _ keys: [(String, Int?, Bool)], _ environment: [String: String], _ flags: [String: String],
        _ provider: FileProvider<YAMLSnapshot>
    ) async throws {
        folder = file.deletingLastPathComponent()
        fileName = file.lastPathComponent
        keysInFile = keys
        self.environment = environment.filter { $0.key.hasPrefix("BIHUAN_") }
        self.flags = flags
        credentials = environment["CREDENTIALS_DIRECTORY"].map { URL(filePath: $0, directoryHint: .isDirectory) }
        let flagValues = flags.map {
            (
                AbsoluteConfigKey($0.key.split(separator: ".").map(String.init)),
                ConfigValue(.string($0.value), isSecret: false)
            )
        }
        readers = [
            (.flag, ConfigReader(provider: InMemoryProvider(values: Dictionary(flagValues) { _, last in last }))),
            (
                .environment,
                ConfigReader(
                    provider: EnvironmentVariablesProvider(environmentVariables: self.environment)
                        .prefixKeys(with: "bihuan"))
            ),
            (.file, ConfigReader(provider: provider)),
        ]
        if let credentials { try await add(credentials, as: .credential) }
        let secrets = URL(
            filePath: value(ConfigurationKey.secretsDirectory.name)
                ?? ConfigurationKey.secretsDirectory.default ?? "", relativeTo: folder
        ).absoluteURL
        // A service reads its credentials; the folder of all secrets is not its own.
        if credentials == nil, access(secrets.path, R_OK | X_OK) == 0 { try await add(secrets, as: .secretsDirectory) }
    }

    /// Adds a folder with one file for each secret, before the configuration file.
    private mutating func add(_ directory: URL, as origin: Origin) async throws {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: directory.path) else { return }
        for group in ConfigurationKey.groups {
            secretKeys += names.filter { $0.hasPrefix(group + "-") }.map { group + "." + $0.dropFirst(group.count + 1) }
        }
        if origin == .secretsDirectory {
            problems += names.compactMap { SecretFile.problem(directory.appending(path: $0).path) }
        }
        let provider = try await DirectoryFilesProvider(directoryPath: FilePath(directory.path), allowMissing: true)
        readers.insert((origin, ConfigReader(provider: provider)), at: readers.count - 1)
    }

    /// The value as written; nil if it is empty.
    func value(_ name: String) -> String? { found(name)?.value }

    /// The value as written, and where it was found.
    package func found(_ name: String) -> (value: String, origin: Origin)? {
        let key = ConfigKey(name.split(separator: ".").map(String.init))
        for (origin, reader) in readers {
            if let text = reader.string(forKey: key), !text.isEmpty { return (text, origin) }
        }
        return nil
    }

    /// The keys of groups that have a value anywhere but in the environment, where their names cannot be told.
    package var groupKeys: [String] {
        let listed = keysInFile.map(\.name) + Array(flags.keys) + secretKeys
        return Set(listed.filter(ConfigurationKey.isInGroup)).sorted()
    }

    /// A key file: the credential of that name, or the file that the key names.
    func keyFile(_ path: URL) -> URL {
        guard let given = credentials?.appending(path: path.lastPathComponent), fileExists(given) else { return path }
        return given
    }

    /// The folder of the keys of boxes: the credentials, if one of these keys is among them.
    func keysDirectory(_ path: URL) -> URL {
        guard let credentials, BoxKind.allCases.contains(where: { fileExists($0.file(in: credentials)) }) else {
            return path
        }
        return credentials
    }

    private func fileExists(_ file: URL) -> Bool { FileManager.default.fileExists(atPath: file.path) }

    // MARK: Steps

    private static func leaves(
        of node: Node, under prefix: String = ""
    ) -> [(name: String, line: Int?, value: String?)] {
        guard case .mapping(let mapping) = node else { return [(prefix, node.mark?.line, node.scalar?.string)] }
        return mapping.flatMap { key, value in
            leaves(of: value, under: (prefix.isEmpty ? "" : prefix + ".") + (key.string ?? "?"))
        }
    }

    private static func line(of error: any Error) -> Int? {
        switch error as? YamlError {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _): mark.line
        default: nil
        }
    }
}
