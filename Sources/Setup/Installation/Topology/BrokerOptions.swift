import AMQP
package import ArgumentParser
import Basics
import BrokerTopology
import Contract
package import Foundation
import LocalServers
import Terminal

/// Options that select the broker of a topology command and the access to it.
package struct BrokerOptions: ParsableArguments {
    package init() {}

    @Option(
        help: ArgumentHelp(
            "RabbitMQ's management interface, such as http://127.0.0.1:15672, instead of rabbitmqctl.", valueName: "url"
        ))
    package var management: String?

    @Option(
        help: ArgumentHelp(
            """
            The user of the management interface; it needs the tag administrator. Its password is users.NAME of \
            bihuan.yaml.
            """,
            valueName: "name"))
    var managementUser = OfficeConfiguration.operatorUser

    @Option(help: ArgumentHelp("A file with that user's password, instead of bihuan.yaml.", valueName: "file"))
    var managementPasswordFile: String?

    @Option(
        help: ArgumentHelp(
            "The node that rabbitmqctl asks, such as rabbit@host, instead of the installation's own.", valueName: "name"
        ))
    var node: String?

    /// Whether none is given.
    var isDefault: Bool { management == nil && node == nil }

    package func validate() throws {
        if management != nil, node != nil { throw ValidationError("give --management or --node, not both") }
    }

    /// The access to the broker: the management interface if it is given, else the node if it is given. Otherwise
    /// the broker of amqp.url, which must be on this machine: the private node of the installation's directory if
    /// it has one; else this machine's own node, through rabbitmqctl or the management interface, whichever works.
    /// Blocks.
    package func access(_ configuration: OfficeConfiguration, directory: URL) throws -> any BrokerAccess {
        if let management {
            let access = try managementAccess(management, configuration)
            if try !access.listens(on: configuration.broker.endpoints.map(\.port)) {
                Output.note(
                    """
                    warning: \(access.name) leads to a broker that does not listen on a port of amqp.url; is it the \
                    same broker?
                    """)
            }
            return access
        }
        if let node { return ControlAccess(try RabbitMQControl.ofSystemNode(node)) }
        let broker = configuration.broker
        if let elsewhere = broker.endpoints.first(where: { !InTheClear.isThisMachine($0.host) }) {
            throw UserError(
                """
                amqp.url names \(elsewhere.host), and only the node of this machine could be asked without being \
                named: give \
                --management http://\(elsewhere.host):15672, or --node NAME
                """)
        }
        let ports = broker.endpoints.map(\.port)
        if let control = try RabbitMQControl.ofPrivateNode(in: directory) {
            return try BrokerOptions.firstListening(on: ports, [{ ControlAccess(control) }])
        }
        return try BrokerOptions.firstListening(
            on: ports,
            [
                { ControlAccess(try RabbitMQControl.ofSystemNode(nil)) },
                { try managementAccess("http://127.0.0.1:15672", configuration) },
            ])
    }

    /// The first access whose broker accepts AMQP on one of the ports.
    /// - Throws: `UserError` with the failure of each access.
    static func firstListening(on ports: [Int], _ ways: [() throws -> any BrokerAccess]) throws -> any BrokerAccess {
        var failures: [String] = []
        for way in ways {
            do {
                let access = try way()
                if try access.listens(on: ports) { return access }
                let wanted = ports.map(String.init).joined(separator: ", ")
                failures.append(
                    """
                    \(access.name) leads to a broker that does not listen on port \(wanted), where amqp.url looks \
                    for one
                    """
                )
            } catch {
                failures.append(UserError(error).description)
            }
        }
        throw UserError(
            failures.joined(separator: "\n") + "\nName the broker with --management URL, or with --node NAME.")
    }

    private func managementAccess(_ address: String, _ configuration: OfficeConfiguration) throws -> ManagementAccess {
        guard let url = URL(string: address), ["http", "https"].contains(url.scheme), url.host() != nil else {
            throw UserError("--management takes a URL such as http://127.0.0.1:15672")
        }
        for warning in InTheClear.warnings(ofManagement: url) { Output.note("warning: \(warning)") }
        return ManagementAccess(
            url, user: managementUser, password: try managementPassword(configuration), broker: configuration.broker)
    }

    private func managementPassword(_ configuration: OfficeConfiguration) throws -> String {
        if let managementPasswordFile {
            return try SecretFile.text(managementPasswordFile)
        }
        let key = managementUser.replacing(".", with: "-")
        guard let password = configuration.users[key] else {
            throw UserError(
                """
                bihuan.yaml has no password for \(managementUser): add users.\(key), or give \
                --management-password-file
                """
            )
        }
        return password
    }
}

/// The monitors. They are not parties of the office: the administrator of the broker names them.
package struct MonitorOptions: ParsableArguments {
    package init() {}

    @Option(
        name: .customLong("monitor"), parsing: .singleValue,
        help: ArgumentHelp(
            "A user monitor.NAME that may read queue depths and nothing else. May be repeated.", valueName: "name"))
    package var names: [String] = []

    package func validate() throws {
        if let bad = names.first(where: { !BrokerRole.isMonitorName($0) }) {
            throw ValidationError(
                "--monitor takes a name of the letters a-z, digits and hyphens, at most 40, not '\(bad)'")
        }
    }
}
