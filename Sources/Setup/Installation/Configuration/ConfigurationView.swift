import Basics
import CaseStore
package import Contract
import Foundation

/// All keys with their values and origins, without secrets.
package struct ConfigurationView {
    package struct Row: Encodable {
        package let key: String
        /// `nil` if it is secret or not set.
        package let value: String?
        package let from: String
        package let isSet: Bool
        package let isSecret: Bool

        package func json() throws -> String {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }

    package let rows: [Row]

    package init(of source: ConfigurationSource) {
        let keys = ConfigurationKey.all.map { ($0.name, $0.default) } + source.groupKeys.map { ($0, nil) }
        rows = keys.map { name, standard in
            guard let (value, origin) = source.found(name) else {
                return Row(
                    key: name, value: standard,
                    from: standard == nil ? "" : ConfigurationSource.Origin.byDefault.rawValue,
                    isSet: standard != nil, isSecret: ConfigurationKey.isSecret(name))
            }
            // A URL without a password is worth reading; one with a password is not shown at all.
            let isShown = !ConfigurationKey.isSecret(name, value)
            return Row(
                key: name, value: isShown ? value : nil, from: origin.rawValue, isSet: true,
                isSecret: ConfigurationKey.isSecret(name))
        }
    }
}

extension OfficeConfiguration {
    /// What is wrong with the values, and with the files that they name; empty if nothing is.
    /// - Parameter workers: for which also passwords and key files are checked.
    package static func problems(in source: ConfigurationSource, workers: [Worker]) -> [String] {
        let read = Result { () throws(UserError) in
            try OfficeConfiguration.read(source, parties: workers.map { .office($0) })
        }
        switch read {
        case .failure(let error): return [error.description]
        case .success(let configuration):
            var files = workers.isEmpty ? [] : [("digest.keyFile", configuration.digestKeyFile)]
            for kind in BoxKind.allCases where workers.contains(where: { $0.boxes.contains(kind) }) {
                files.append(("keys.directory", kind.file(in: configuration.keysDirectory)))
            }
            let faults = files.compactMap { key, file in
                do throws(UserError) {
                    _ = try KeyFiles.read(file)
                    return nil as String?
                } catch {
                    return "\(key): \(error)"
                }
            }
            return faults + configuration.warnings.map { "warning: \($0)" }
        }
    }
}
