import Basics
import Casework
import Configuration
import Foundation
import Yams

/// The sources of configuration values, with all keys they contain, so that unknown keys can be reported.
package struct ConfigurationSource {
    /// The folder of the file; relative paths in the file are relative to it.
    let folder: URL
    let fileName: String
    /// The keys of the file, with their lines.
    let keysInFile: [(name: String, line: Int?, isSingleValue: Bool)]
    let environment: [String: String]
    let flags: [String: String]
    private let reader: ConfigReader

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
            if keys.contains(where: { ConfigurationKey.isSecret($0.0) }) { try SecretFile.check(file.path) }
            let path = ConfigReader(
                provider: InMemoryProvider(values: ["filePath": ConfigValue(.string(file.path), isSecret: false)]))
            let provider = try await FileProvider<YAMLSnapshot>(config: path)
            return ConfigurationSource(file, keys, environment, flags, provider)
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
    ) {
        folder = file.deletingLastPathComponent()
        fileName = file.lastPathComponent
        keysInFile = keys
        self.environment = environment.filter { $0.key.hasPrefix("BIHUAN_") }
        self.flags = flags
        let flagValues = flags.map {
            (
                AbsoluteConfigKey($0.key.split(separator: ".").map(String.init)),
                ConfigValue(.string($0.value), isSecret: false)
            )
        }
        reader = ConfigReader(providers: [
            InMemoryProvider(name: "flags", values: Dictionary(flagValues) { _, last in last }),
            EnvironmentVariablesProvider(environmentVariables: self.environment).prefixKeys(with: "bihuan"),
            provider,
        ])
    }

    /// The value as written; nil if it is empty.
    func value(_ name: String) -> String? {
        let text = reader.string(forKey: ConfigKey(name.split(separator: ".").map(String.init)))
        return text.flatMap { $0.isEmpty ? nil : $0 }
    }

    // MARK: Steps

    private static func leaves(of node: Node, under prefix: String = "") -> [(String, Int?, Bool)] {
        guard case .mapping(let mapping) = node else { return [(prefix, node.mark?.line, node.scalar != nil)] }
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
