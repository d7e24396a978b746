import AMQP
import Basics
import CaseStore
import Contract
import Foundation
import Terminal

// The certificates of this machine: who shows one, and how long it lasts.

/// A file of TLS that the configuration names.
private struct CertificateFile: Hashable {
    enum Kind { case authority, revocations, certificate, key }
    let setting: String
    let kind: Kind
    let path: String
    /// The worker that needs it; `nil` for all who connect.
    var worker: Worker?
}

extension DoctorCheck {
    /// How long before its end a certificate is told; a list of revoked ones is made anew often.
    private static let (certificateDays, revocationDays) = (30.0, 2.0)

    static let certificates = [
        DoctorCheck("configuration.certificates", "certificates and their keys", needs: [.files]) { patient in
            let files = CertificateFile.all(of: try patient.configuration())
            return files.flatMap { findings($0, workers: patient.workers) }
        }
    ]

    private static func findings(_ file: CertificateFile, workers: [Worker]) -> [Finding] {
        guard FileManager.default.fileExists(atPath: file.path) else {
            // Of what belongs to one user, each machine has what its workers need.
            let isOfAll = file.kind == .authority || file.kind == .revocations
            guard isOfAll || file.worker.map(workers.contains) == true else { return [] }
            let who = isOfAll ? "nobody connects without it" : "\(file.worker?.rawValue ?? "") needs it"
            return [
                .wrong("\(file.setting): \(file.path) is missing, and \(who)", do: "put it there, or correct the URL")
            ]
        }
        if file.kind == .key {
            return SecretFile.problem(file.path).map { [.told(.error, UserError($0))] } ?? []
        }
        let dates = CertificateDates(ofFile: file.path)
        let isList = file.kind == .revocations
        guard let end = isList ? dates?.revocationsEnd : dates?.certificateEnd else {
            let what = isList ? "list of revoked certificates" : "certificate"
            return [.wrong("\(file.setting): \(file.path) holds no \(what) in PEM", do: "put the right file there")]
        }
        let days = (Double(end) - Date().timeIntervalSince1970) / 86_400
        let advice = isList ? "get the authority's new list, and put it there" : "replace it: docs/operating.md"
        if days < 0 { return [.wrong("\(file.setting): \(file.path) is over", do: advice)] }
        guard days < (isList ? revocationDays : certificateDays) else { return [] }
        return [.risky("\(file.setting): \(file.path) ends in \(Int(days)) days", do: advice)]
    }
}

extension CertificateFile {
    static func all(of configuration: OfficeConfiguration) -> [CertificateFile] {
        var files: [CertificateFile] = []
        func add(_ setting: ConfigurationKey, _ kind: Kind, _ path: String?, of worker: Worker? = nil) {
            guard let path else { return }
            let file = CertificateFile(setting: setting.name, kind: kind, path: path, worker: worker)
            if !files.contains(where: { $0.path == path }) { files.append(file) }
        }
        add(.amqpURL, .authority, configuration.broker.tls?.authorityFile)
        add(.amqpURL, .revocations, configuration.broker.tls?.revocationFile)
        let users = Worker.allCases.map { (Party.office($0).description, Worker?.some($0)) }
        for (user, worker) in users + [(OfficeConfiguration.operatorUser, nil)] {
            let tls = configuration.broker.forUser(user, password: "").tls
            add(.amqpURL, .certificate, tls?.certificateFile, of: worker)
            add(.amqpURL, .key, tls?.keyFile, of: worker)
        }
        let roles = Worker.allCases.map { (DatabaseRole($0), Worker?.some($0)) }
        for (role, worker) in roles + [(.operator, nil), (.owner, nil)] {
            let url = DatabaseURL(configuration.database.url.replacing("{role}", with: role.name))
            add(.databaseURL, .authority, url.file("sslrootcert"))
            add(.databaseURL, .revocations, url.file("sslcrl"))
            add(.databaseURL, .certificate, url.file("sslcert"), of: worker)
            add(.databaseURL, .key, url.file("sslkey"), of: worker)
        }
        return files
    }
}

extension Patient {
    /// The roles whose keys are here.
    func rolesWithKeys(_ configuration: OfficeConfiguration) -> [DatabaseRole] {
        DatabaseRole.allCases.filter { role in
            let url = DatabaseURL(configuration.database.url.replacing("{role}", with: role.name))
            return url.file("sslkey").map { FileManager.default.isReadableFile(atPath: $0) } ?? false
        }
    }
}
