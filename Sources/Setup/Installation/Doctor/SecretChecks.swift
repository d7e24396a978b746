import Basics
import CaseStore
import Foundation
import PostgreSQL
import Terminal
import Workers

// The keys of this machine against the values that the database remembers of them.

extension DoctorCheck {
    static let secrets = [
        DoctorCheck(
            "secrets.match", "the keys are those that the database was written with", needs: [.files, .database]
        ) { patient in
            let configuration = try patient.configuration()
            var values: [(name: SecretName, value: [UInt8])] = [
                (.vault, Vault(recipient: configuration.vaultKey).checkValue)
            ]
            // A missing or misshapen file is another check's finding.
            var absent: [String] = []
            if let key = try? DigestKey(keyFile: configuration.digestKeyFile) {
                values.append((.digest, key.checkValue))
            } else {
                absent.append("digest.key")
            }
            for kind in BoxKind.allCases {
                if let keys = try? BoxKeys.read([kind], in: configuration.keysDirectory) {
                    values += keys.checkValues.map { (.box($0.kind), $0.value) }
                } else {
                    absent.append("\(kind.rawValue).key")
                }
            }
            var findings: [Finding] = []
            var unentered = 0
            for (name, value) in values {
                switch try patient.ask(ReadSecretCheck(name)).first {
                case value?: break
                case nil: unentered += 1
                default:
                    let told = Finding.told(.error, UserError(WrongSecret(name: name).description))
                    findings.append(told)
                }
            }
            if unentered == values.count {
                findings.append(.note("the database remembers none yet: the first start of a worker enters them"))
            }
            if !absent.isEmpty {
                findings.append(
                    .untold(
                        "\(absent.joined(separator: ", ")) cannot be read here",
                        do: "run it as root, or where the keys are"))
            }
            return findings
        }
    ]
}
