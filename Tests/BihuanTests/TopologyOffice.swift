import AMQP
import CaseStore
import Casework
import Contract
import Foundation
import LocalServers
import PostgreSQL
import Testing
@testable import Basics
@testable import Installation

@testable import bihuan

/// A private broker that holds nothing of an office yet, with the management plugin, and a database that knows a small
/// one.
final class TopologyOffice {
    let directory: URL
    let servers: LocalServers
    let managementURL: String
    private let passwords = (owner: "owner", worker: "worker")
    static let units = ["u1", "u10", "u1-x"]

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(
            path: "bihuan-topology-\(UUID().uuidString.prefix(8))")
        let port = try freePort()
        managementURL = "http://127.0.0.1:\(port)"
        var options = LocalServers.Options()
        options.rabbitmqPlugins = ["rabbitmq_management"]
        options.rabbitmqSettings = ["management.tcp.ip": "127.0.0.1", "management.tcp.port": "\(port)"]
        servers = try LocalServers.start(in: directory, definitions: nil, options: options)
        do {
            let superuser = try PostgreSQL.Connection(ConnectionSettings(url: servers.superuserURL))
            defer { superuser.close() }
            try DatabaseRoles.make(
                on: superuser, passwords: [.owner: passwords.owner, .operator: passwords.worker])
            try superuser.execute("CREATE DATABASE \(OfficeEntry.database) OWNER \(DatabaseRole.owner.name)")
            let owner = try owner()
            defer { owner.close() }
            try Schema.migrate(owner)
            for unit in TopologyOffice.units { try enter(active: true, unit) }
            try owner.run(
                EnterSource(source: SourceRow(id: SourceID(unchecked: "web"), name: "网络举报", kind: "web", unit: nil)))
            for (id, isActive) in [("li", true), ("gone", false)] {
                try owner.run(
                    EnterPerson(
                        person: PersonRow(
                            id: PersonID(unchecked: id), name: "李组长", unit: nil, roles: ["leader"], active: isActive,
                            recusedFrom: [])))
            }
            _ = try servers.rabbitmqctl(["add_user", "operator", "operator"])
            _ = try servers.rabbitmqctl(["set_user_tags", "operator", "administrator"])
        } catch {
            close()
            throw error
        }
    }

    func close() {
        servers.stop()
        try? FileManager.default.removeItem(at: directory)
    }

    func byControl() throws -> TopologyWay {
        try TopologyWay(self, virtualHost: "by-control", monitor: "c", arguments: [])
    }

    func byManagement() throws -> TopologyWay {
        try TopologyWay(self, virtualHost: "by-management", monitor: "m", arguments: ["--management", managementURL])
    }

    func enter(active: Bool, _ id: String) throws {
        let owner = try owner()
        defer { owner.close() }
        let row = UnitRow(
            id: UnitID(unchecked: id), name: "某单位", kind: "department", region: nil, levels: [], parent: nil,
            active: active, sealingKey: nil)
        try owner.run(EnterUnit(unit: row, at: Instant(Date())))
    }

    private func owner() throws -> PostgreSQL.Connection {
        try PostgreSQL.Connection(
            ConnectionSettings(
                url: servers.databaseURL(
                    user: DatabaseRole.owner.name, password: passwords.owner, database: OfficeEntry.database)))
    }

    /// The text of a bihuan.yaml.
    func settings(virtualHost: String, port: Int? = nil) -> String {
        let url = servers.databaseURL(
            user: DatabaseRole.operator.name, password: passwords.worker, database: OfficeEntry.database)
        return """
            amqp: {url: "amqp://127.0.0.1:\(port ?? servers.rabbitmqPort)/\(virtualHost)", inboundBytesMax: 5000000}
            database: {url: "\(url)"}
            users: {operator: operator}
            vault: {publicKey: \(Data(repeating: 9, count: 32).base64EncodedString())}
            sealedMail: {publicKey: \(Data(repeating: 9, count: 32).base64EncodedString())}

            """
    }
}

/// One way to the broker, with a virtual host and settings of its own. The users are the broker's, so their passwords
/// are one file.
struct TopologyWay {
    let office: TopologyOffice
    let virtualHost: String
    let monitor: String
    private let arguments: [String]
    private let settings: String
    let passwordFile: String

    init(_ office: TopologyOffice, virtualHost: String, monitor: String, arguments: [String]) throws {
        self.office = office
        self.virtualHost = virtualHost
        self.monitor = monitor
        self.arguments = arguments
        // Beside the private node's folder, where rabbitmqctl's way looks for it.
        let file = office.directory.appending(path: "\(virtualHost).yaml")
        try writePrivately(office.settings(virtualHost: virtualHost), to: file)
        settings = file.path
        passwordFile = office.directory.appending(path: "passwords").path
    }

    struct Said {
        let status: Int32
        let output: String
        let errors: String
        var lines: [String] { output.split(separator: "\n").map(String.init) }
    }

    func run(_ command: String, _ more: String...) throws -> Said {
        let way = command == "show" || more.contains("--node") || more.contains("--management") ? [] : arguments
        let result = try Program.run(
            Program.bihuan, ["topology", command, "--config", settings, "--monitor", monitor] + way + more)
        return Said(status: result.status, output: result.output, errors: result.errors)
    }

    func isAsItShallBe(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let said = try run("diff")
        #expect(
            said.status == 0 && said.output == "nothing differs\n", "\(said.output)\(said.errors)",
            sourceLocation: sourceLocation)
    }

    /// What an operator does by hand: a call of the management interface, which takes milliseconds.
    @discardableResult
    func byHand(_ method: String, _ path: [String], _ body: [String: String]? = nil) throws -> Data {
        try ManagementAccess(
            try #require(URL(string: office.managementURL)), user: "operator", password: "operator",
            broker: ConnectionSettings(host: "", user: "", password: "")
        ).send(method, path, try body.map { try JSONSerialization.data(withJSONObject: $0) })
    }

    /// The parties' users stay, without rights.
    func leave() throws {
        try byHand("DELETE", ["vhosts", virtualHost])
        try byHand("DELETE", ["users", "monitor.\(monitor)"])
    }

    func allow(
        _ user: String, in host: String? = nil, configure: String = "", write: String = "", read: String = ""
    ) throws {
        try byHand(
            "PUT", ["permissions", host ?? virtualHost, user], ["configure": configure, "write": write, "read": read])
    }

    func allowTopic(_ user: String, _ exchange: String, write: String, read: String) throws {
        try byHand(
            "PUT", ["topic-permissions", virtualHost, user], ["exchange": exchange, "write": write, "read": read])
    }

    func setPassword(_ user: String, _ password: String, tags: String = "") throws {
        try byHand("PUT", ["users", user], ["password": password, "tags": tags])
    }

    var users: [String] {
        get throws {
            struct User: Decodable { var name: String }
            return try JSONDecoder().decode([User].self, from: try byHand("GET", ["users"])).map(\.name)
        }
    }

    /// With all rights in the virtual host, which the management's user also needs to remove what is not wanted.
    func administrator() throws -> AMQP.Connection {
        try allow("operator", configure: ".*", write: ".*", read: ".*")
        return try connect("operator", password: "operator")
    }

    /// With the password that the file holds.
    func connect(_ user: String, password: String? = nil, port: Int? = nil) throws -> AMQP.Connection {
        let password = try password ?? #require(try PasswordFile(URL(filePath: passwordFile)).passwords[user])
        var settings = AMQP.ConnectionSettings(
            host: "127.0.0.1", port: port ?? office.servers.rabbitmqPort, virtualHost: virtualHost, user: user,
            password: password)
        // It stays idle while commands run, which takes as long as the machine is busy.
        settings.heartbeatSeconds = 0
        return try AMQP.Connection(settings)
    }

    var noticeQueues: [String] {
        TopologyOffice.units.map { "unit.\($0).notice" } + ["source.web.notice", "person.li.reply"]
    }
}

/// A port of 127.0.0.1 that nobody listened on a moment ago.
func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    try #require(Loopback.withAddress(port: 0) { bind(descriptor, $0, $1) } == 0, "no free port")
    return Loopback.port(of: descriptor)
}
