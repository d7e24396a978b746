import Basics
import CaseStore
import Contract
import Foundation
import Terminal

// What the files of this machine say. No server is asked.

extension DoctorCheck {
    static let configuration = [
        DoctorCheck("configuration.values", "keys and values of bihuan.yaml", needs: [.files]) { patient in
            if case .failure(let error) = patient.source { return [.told(.error, error)] }
            return patient.faults.values.map {
                .wrong($0, do: "correct it; docs/configuration.md describes every key")
            }
        },
        DoctorCheck("configuration.files", "files with secrets and keys", needs: [.files]) { patient in
            let source = try patient.source.get()
            var findings = patient.faults.files.map { Finding.told(.error, UserError($0)) }
            findings += openFolders(source)
            guard let configuration = try? patient.configuration() else { return findings }
            let told = Set(patient.faults.files)
            return findings + keyFiles(configuration, told, workers: patient.workers)
        },
        DoctorCheck("configuration.worker", "what each --worker needs", needs: [.files]) { patient in
            guard !patient.workers.isEmpty else {
                return [.note("no --worker was given, so nobody's needs were looked at")]
            }
            let examined = OfficeConfiguration.examine(
                try patient.source.get(), parties: patient.workers.map { .office($0) })
            let known = Set(patient.faults.values)
            var findings = examined.problems.filter { !known.contains($0) }.map {
                Finding.wrong($0, do: "run `bihuan setup` again, or put the password into secrets.directory")
            }
            let configuration = try patient.configuration()
            guard try !patient.hasOneUser(), !configuration.database.hasCertificates else { return findings }
            for worker in patient.workers {
                let role = DatabaseRole(worker)
                if configuration.database.passwords[role] == nil {
                    findings.append(
                        .risky(
                            "roles.\(role.rawValue): no password, so \(role.name) needs a certificate to get in",
                            do: "run `bihuan setup` again, or put the password into secrets.directory"))
                }
            }
            return findings
        },
        DoctorCheck("configuration.protection", "connections that others could read", needs: [.files]) { patient in
            try patient.configuration().warnings.map { warning in
                let parts = warning.split(separator: "; ", maxSplits: 1).map(String.init)
                return .risky(
                    parts[0], do: parts.count > 1 ? parts[1] : "use TLS, and verify who answers: docs/configuration.md")
            }
        },
        DoctorCheck("configuration.disk", "free space where the files are", needs: [.files]) { patient in
            [room(in: patient.file.deletingLastPathComponent().path)].compactMap(\.self)
        },
    ]

    /// Folders of secrets that others may enter or change.
    private static func openFolders(_ source: ConfigurationSource) -> [Finding] {
        let keys = [ConfigurationKey.secretsDirectory, .keysDirectory]
        let folders = keys.map { key in
            URL(filePath: source.value(key.name) ?? key.default ?? "", relativeTo: source.folder).absoluteURL.path
        }
        return Set(folders).sorted().compactMap { folder in
            guard let status = FileStatus(folder), status.isDirectory, status.mode & 0o022 != 0 else { return nil }
            return .wrong(
                "others may put files into \(folder) (mode 0\(String(status.mode & 0o777, radix: 8)))",
                do: "chmod 700 \(folder)")
        }
    }

    /// Every key file that is here, and those that must be.
    /// - Parameter told: faults that were told before.
    private static func keyFiles(
        _ configuration: OfficeConfiguration, _ told: Set<String>, workers: [Worker]
    ) -> [Finding] {
        var files = [(key: "digest.keyFile", file: configuration.digestKeyFile, users: Worker.allCases)]
        for kind in BoxKind.allCases {
            let users = Worker.allCases.filter { $0.boxes.contains(kind) }
            files.append(("keys.directory", kind.file(in: configuration.keysDirectory), users))
        }
        files.append(("checkpoint.keyFile", configuration.checkpointKeyFile, []))
        return files.compactMap { key, file, users in
            guard FileStatus(file.path) != nil || access(file.path, F_OK) == 0 else {
                let needed = users.filter(workers.contains)
                if !needed.isEmpty {
                    return .wrong(
                        "\(key): \(file.path) is missing, and \(words(needed)) needs it",
                        do: "restore it from a backup; a new office gets its keys from `bihuan setup`")
                }
                let who =
                    users.isEmpty
                    ? "`bihuan ledger checkpoint` cannot"
                    : users.count == Worker.allCases.count ? "no worker can" : "\(words(users)) cannot"
                return .note("\(file.path) is not here: \(who) run on this machine")
            }
            do {
                _ = try KeyFiles.read(file)
                return nil
            } catch {
                return told.contains("\(key): \(error)") ? nil : .told(.error, UserError("\(key): \(error)"))
            }
        }
    }

    private static func words(_ workers: [Worker]) -> String {
        workers.map(\.rawValue).joined(separator: ", ")
    }

    /// Whether a folder's file system is nearly full.
    static func room(in folder: String, of what: String? = nil) -> Finding? {
        var system = statvfs()
        guard statvfs(folder, &system) == 0, system.f_blocks > 0 else {
            return .unknown("how much space is left in \(folder)")
        }
        let free = Int(system.f_bavail) * Int(system.f_frsize)
        let part = Double(system.f_bavail) / Double(system.f_blocks)
        let name = what.map { "\($0) (\(folder))" } ?? folder
        let text = "\(free >> 20) MiB are free in \(name), \(Int(part * 100)) % of it"
        if free < 256 << 20 { return .wrong(text, do: "make room: a server that finds none stops") }
        return part < 0.05 || free < 1 << 30 ? .risky(text, do: "make room before it is full") : nil
    }
}
