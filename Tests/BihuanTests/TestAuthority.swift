import Foundation
import Testing
@testable import bihuan

/// An authority for certificates, made by the command line of OpenSSL. All its files are in one folder, which the
/// servers' accounts may read: `NAME.pem` is its own certificate, `NAME.crl` the list of what it revoked.
struct TestAuthority {
    let name: String
    let folder: URL

    init(_ name: String, in folder: URL) throws {
        (self.name, self.folder) = (name, folder)
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        try run(
            """
            mkdir -p \(name).d
            touch \(name).d/index.txt
            echo 1000 > \(name).d/serial
            echo 1000 > \(name).d/crlnumber
            cat > \(name).cnf <<END
            [ca]
            default_ca = this
            [this]
            database = \(name).d/index.txt
            serial = \(name).d/serial
            crlnumber = \(name).d/crlnumber
            new_certs_dir = \(name).d
            certificate = \(name).pem
            private_key = \(name).key
            default_md = sha256
            default_crl_days = 30
            policy = policy
            unique_subject = no
            [policy]
            commonName = supplied
            END
            openssl req -x509 $key -days 90 -subj "/CN=\(name)" -addext keyUsage=critical,keyCertSign,cRLSign \
            -keyout \(name).key -out \(name).pem
            """)
        try writeList()
    }

    var certificate: String { file("\(name).pem") }
    var list: String { file("\(name).crl") }

    func file(_ name: String) -> String { folder.appending(path: name).path }

    /// Makes `FILE.pem` and `FILE.key`. The files are replaced in one step each, as an operator would.
    /// - Parameters:
    ///   - hosts: the alternative names, as OpenSSL writes them.
    ///   - isExpired: its time was in the year 2020.
    func sign(
        _ file: String, as commonName: String, hosts: String = "DNS:localhost,IP:127.0.0.1", isExpired: Bool = false
    ) throws {
        try run(signing(file, as: commonName, hosts: hosts, isExpired: isExpired))
    }

    /// Makes certificates whose files are called as their owners.
    func sign(all names: [String]) throws {
        try run(names.map { signing($0, as: $0) }.joined(separator: "\n"))
    }

    private func signing(
        _ file: String, as commonName: String, hosts: String = "DNS:localhost,IP:127.0.0.1", isExpired: Bool = false
    ) -> String {
        let days = isExpired ? "-startdate 200101000000Z -enddate 200102000000Z" : "-days 60"
        return """
            openssl req $key -subj "/CN=\(commonName)" -keyout \(file).key.new -out \(file).csr
            echo 'subjectAltName=\(hosts)' > \(file).ext
            openssl ca -batch -notext -config \(name).cnf \(days) \
            -extfile \(file).ext -in \(file).csr -out \(file).pem.new
            chmod 600 \(file).key.new
            mv \(file).key.new \(file).key
            mv \(file).pem.new \(file).pem
            """
    }

    /// Enters the certificate in the list.
    func revoke(_ file: String) throws {
        try run("openssl ca -config \(name).cnf -revoke \(file).pem")
        try writeList()
    }

    /// Writes the list anew, also where Erlang looks for it: in `lists`, under the hash of the authority's name.
    /// - Parameter isOver: a newer one was due in 2020.
    func writeList(isOver: Bool = false) throws {
        let dates = isOver ? "-crl_lastupdate 200101000000Z -crl_nextupdate 200102000000Z" : ""
        try run(
            """
            openssl ca -gencrl \(dates) -config \(name).cnf -out \(name).crl.new
            mv \(name).crl.new \(name).crl
            mkdir -p lists
            cp \(name).crl lists/new
            mv lists/new lists/$(openssl crl -hash -noout -in \(name).crl).r0
            """)
    }

    /// Gives the key of a server to the account that runs it.
    func give(_ file: String, to account: String) throws {
        guard geteuid() == 0 else { return }
        try run("chown \(account) \(file).key")
    }

    /// Writes several files into one, one after the other.
    func bundle(_ files: [String], into target: String) throws {
        try run("cat \(files.joined(separator: " ")) > \(target).new\nmv \(target).new \(target)")
    }

    private func run(_ script: String) throws {
        let start = """
            cd '\(folder.path)'
            umask 022
            key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'

            """
        let made = try Program.run("/bin/sh", ["-eu", "-c", start + script])
        try #require(made.status == 0, "\(script): \(made.errors)")
    }
}
