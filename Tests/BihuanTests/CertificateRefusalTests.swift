import AMQP
import Contract
import Foundation
import PostgreSQL
import TestOffice
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

@Suite("Certificates that are refused", .serialized)
struct CertificateRefusalTests {
    @Test("each server refuses a client that is expired, of a foreign authority or revoked, and the client says which")
    func serversRefuseClients() throws {
        let servers = try CertifiedServers()
        defer { servers.close() }
        let authority = servers.authority
        let made = try servers.setup()
        try #require(made.status == 0, "\(made.output)\(made.errors)")
        try authority.sign("expired", as: "office.intake", isExpired: true)
        try authority.sign("expired-role", as: "bihuan_intake", isExpired: true)
        let stranger = try TestAuthority("stranger", in: authority.folder)
        try stranger.sign("foreign", as: "office.intake")
        try stranger.sign("foreign-role", as: "bihuan_intake")
        try authority.sign("revoked", as: "office.intake")
        try authority.sign("revoked-role", as: "bihuan_intake")
        let (broker, database) = (
            servers.brokerURL("revoked"), servers.databaseURL("revoked-role", user: "bihuan_intake")
        )
        #expect(try brokerRefusal(broker) == nil && databaseRefusal(database) == nil, "it is not revoked yet")
        for file in ["revoked", "revoked-role"] { try authority.revoke(file) }
        try servers.takeFiles()

        for (file, brokerSays, databaseSays) in [
            ("expired", "certificate expired", "the server refuses our certificate, which is expired"),
            ("foreign", "unknown ca", "the server refuses our certificate, whose authority it does not know"),
            ("revoked", "certificate revoked", "the server refuses our certificate, which is revoked"),
        ] {
            for _ in 1...10 {
                let refusal = try brokerRefusal(servers.brokerURL(file)) ?? "accepted"
                #expect(refusal.hasSuffix("alert \(brokerSays)"), "\(file)")
                let other = try databaseRefusal(servers.databaseURL("\(file)-role", user: "bihuan_intake"))
                #expect(other == databaseSays, "\(file)")
            }
        }
        let another = try brokerRefusal(servers.brokerURL("database"))
        #expect(another == "authenticationFailed", "a good certificate of nobody")
        let role = try databaseRefusal(servers.databaseURL("bihuan_routing", user: "bihuan_intake"))
        #expect(role == "the client certificate is for another user")
        #expect(try brokerRefusal(servers.brokerURL("office.intake")) == nil)
        #expect(try databaseRefusal(servers.databaseURL("bihuan_intake", user: "bihuan_intake")) == nil)
        try workerWaits(servers)
    }

    /// A worker whose certificate is revoked waits, says why, and goes on with a new one, without a restart.
    private func workerWaits(_ servers: CertifiedServers) throws {
        let workers = WatchedWorkers(settings: servers.settings)
        for (file, what, server) in [
            ("office.intake", "certificate revoked", "broker"), ("bihuan_intake", "which is revoked", "database"),
        ] {
            try servers.authority.revoke(file)
            try servers.takeFiles()
            try workers.start(.intake, waits: false)
            try eventually("the log says why: \(workers.log(of: .intake))") {
                workers.log(of: .intake).contains(what)
            }
            #expect(workers.isRunning(.intake))
            let before = workers.log(of: .intake).matches(of: /lane ready/).count
            try servers.authority.sign(file, as: file)
            try eventually("it goes on with a new certificate at the \(server): \(workers.log(of: .intake))") {
                workers.log(of: .intake).matches(of: /lane ready/).count == before + 2
            }
            workers.stop(.intake)
        }
        #expect(workers.failed == [])
    }

    @Test("workers and commands refuse a server of another host, that is expired, foreign or revoked, and say which")
    func clientsRefuseServers() throws {
        let servers = try CertifiedServers()
        defer { servers.close() }
        let (authority, stranger) = (servers.authority, try TestAuthority("stranger", in: servers.authority.folder))
        let broker = servers.brokerURL("office.intake")
        let database = servers.databaseURL("postgres", user: "postgres", database: "postgres")
        #expect(try brokerRefusal(broker) == "authenticationFailed", "there is no such user yet")
        #expect(try databaseRefusal(database) == nil)
        let unknown =
            "the server's certificate is expired, not yet valid, revoked, or signed by an unknown authority"
        for (case_, make, brokerSays, databaseSays) in [
            (
                "another host", { try authority.sign($0, as: $0, hosts: "DNS:elsewhere.example") }, "hostname mismatch",
                "the server's certificate is for another host"
            ), ("expired", { try authority.sign($0, as: $0, isExpired: true) }, "certificate has expired", unknown),
            ("foreign", { try stranger.sign($0, as: $0) }, "unable to get local issuer certificate", unknown),
            (
                "revoked",
                {
                    try authority.sign($0, as: $0)
                    try authority.revoke($0)
                }, "certificate revoked", unknown
            ),
        ] as [(String, (String) throws -> Void, String, String)] {
            for (file, account) in [("broker", "rabbitmq"), ("database", "postgres")] {
                try make(file)
                try authority.give(file, to: account)
            }
            try servers.takeFiles()
            let refusal = try brokerRefusal(broker)
            #expect(refusal?.lowercased() == brokerSays, "\(case_)")
            #expect(try databaseRefusal(database) == databaseSays, "\(case_)")
        }
    }

    @Test("a list of revoked certificates that is over or missing refuses everybody, and the reason names the list")
    func refusesWithoutAList() throws {
        let servers = try CertifiedServers()
        defer { servers.close() }
        let (authority, stranger) = (servers.authority, try TestAuthority("stranger", in: servers.authority.folder))
        let foreignList = servers.brokerURL("office.intake").replacing(servers.list, with: stranger.list)
        #expect(try brokerRefusal(foreignList)?.lowercased() == "unable to get certificate crl")
        let noList = servers.brokerURL("office.intake").replacing(servers.list, with: authority.certificate)
        #expect(try brokerRefusal(noList)?.contains("authority.pem") == true)
        let missing = servers.brokerURL("office.intake").replacing(servers.list, with: "/nowhere.crl")
        #expect(try brokerRefusal(missing)?.contains("the file of revoked certificates /nowhere.crl") == true)
        try authority.writeList(isOver: true)
        try servers.takeFiles()
        #expect(try brokerRefusal(servers.brokerURL("office.intake"))?.lowercased() == "crl has expired")
        try authority.writeList()
        try servers.takeFiles()
        #expect(try brokerRefusal(servers.brokerURL("office.intake")) == "authenticationFailed")
    }

    /// OpenSSL's reason or the code of the error; `nil` if the broker lets us in.
    private func brokerRefusal(_ url: String) throws -> String? {
        do throws(AMQPError) {
            try AMQP.Connection(try AMQP.ConnectionSettings(url: url)).close()
            return nil
        } catch {
            if error.code == .invalidArgument { return error.debugDescription }
            return error.tlsReason ?? "\(error.code)"
        }
    }

    private func databaseRefusal(_ url: String) throws -> String? {
        do throws(PostgreSQLError) {
            try PostgreSQL.Connection(PostgreSQL.ConnectionSettings(url: url)).close()
            return nil
        } catch {
            return error.explanation ?? "\(error)"
        }
    }
}
