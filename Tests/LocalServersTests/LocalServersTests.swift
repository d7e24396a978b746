import Foundation
@testable import LocalServers
import Testing

/// One pair of servers lives through the whole story, since a node takes seconds to start; the order of the steps is
/// the test.
@Suite("Private servers", .serialized, .timeLimit(.minutes(5)))
struct LocalServersTests {
    @Test("servers start, refuse a second owner, restart without loss, outlive a killed owner, and stop without trace")
    func startsRestartsAndStopsServers() throws {
        let scratch = try ScratchDirectory()
        let servers = try LocalServers.start(in: scratch.servers, definitions: Data(definitions.utf8))
        defer { servers.stop() }

        try bothAnswer(servers)
        try secondStartIsRefused(scratch)
        try immediateRestartKeepsCommittedRows(servers)
        try killedNodeKeepsDurableQueue(servers)
        try nextStartEndsWhatAKilledOwnerLeft(servers, scratch)
        #expect(processes(naming: scratch.path).isEmpty)
    }

    private func bothAnswer(_ servers: LocalServers) throws {
        #expect(try query(servers, "SHOW fsync") == "on")
        #expect(try query(servers, "SHOW listen_addresses") == "127.0.0.1")
        let queues = try servers.rabbitmqctl(["-q", "list_queues", "-p", "office", "name", "type"])
        #expect(queues.contains("kept\tquorum"))
        #expect(try servers.rabbitmqctl(["-q", "list_users"]).contains("guest") == false)
        #expect(throws: LocalServersError.self) { try servers.rabbitmqctl(["no_such_command"]) }
    }

    private func secondStartIsRefused(_ scratch: ScratchDirectory) throws {
        let error = try #require(throws: LocalServersError.self) {
            try LocalServers.start(in: scratch.servers, definitions: nil)
        }
        #expect(error.code == .alreadyRunning)
        #expect(error.description.hasSuffix("already running, pid \(getpid())"))
    }

    private func immediateRestartKeepsCommittedRows(_ servers: LocalServers) throws {
        let before = try #require(servers.postgresqlProcessID)
        _ = try query(servers, "CREATE TABLE kept AS SELECT 42 AS answer")
        try servers.restartPostgreSQL(mode: .immediate)
        #expect(servers.postgresqlProcessID != before)
        #expect(try query(servers, "SELECT answer FROM kept") == "42")

        servers.stopPostgreSQL(mode: .fast)
        #expect(servers.postgresqlProcessID == nil)
        try servers.startPostgreSQL()
        #expect(try query(servers, "SELECT answer FROM kept") == "42")
    }

    /// The queue is made on the running node, so that no definition brings it back.
    private func killedNodeKeepsDurableQueue(_ servers: LocalServers) throws {
        _ = try servers.rabbitmqctl(["add_vhost", "made-later"])
        let declare = """
            rabbit_amqqueue:declare({resource, <<"made-later">>, queue, <<"durable">>}, true, false, \
            [{<<"x-queue-type">>, longstr, <<"quorum">>}], none, <<"tests">>).
            """
        _ = try servers.rabbitmqctl(["eval", declare])
        servers.killRabbitMQ()
        #expect(servers.rabbitmqProcessID == nil)
        try servers.startRabbitMQ()
        #expect(try servers.rabbitmqctl(["-q", "list_queues", "-p", "made-later", "name"]).contains("durable"))
    }

    private func nextStartEndsWhatAKilledOwnerLeft(_ servers: LocalServers, _ scratch: ScratchDirectory) throws {
        let node = try #require(servers.rabbitmqProcessID)
        let database = try #require(servers.postgresqlProcessID)
        servers.abandon()
        #expect(processes(naming: scratch.path).isSuperset(of: [node, database]))

        let next = try LocalServers.start(in: scratch.servers, definitions: Data(definitions.utf8))
        defer { next.stop() }
        #expect(next.rabbitmqProcessID != node)
        #expect(next.postgresqlProcessID != database)
        #expect(next.superuserURL == servers.superuserURL, "the ports and the password stay")
        #expect(next.rabbitmqPort == servers.rabbitmqPort)
        #expect(try query(next, "SELECT answer FROM kept") == "42")
        #expect(try next.rabbitmqctl(["-q", "list_queues", "-p", "made-later", "name"]).contains("durable"))

        next.stop()
        next.stop()
        #expect(throws: LocalServersError.self) { try next.startPostgreSQL() }
    }

    @Test("a cancelled start stops what it started and releases the directory")
    func cleansUpCancelledStart() throws {
        let scratch = try ScratchDirectory()
        var options = LocalServers.Options()
        options.isCancelled = { true }
        let error = try #require(throws: LocalServersError.self) {
            try LocalServers.start(in: scratch.servers, definitions: nil, options: options)
        }
        #expect(error.code == .cancelled)
        #expect(processes(naming: scratch.path).isEmpty)
        _ = try ServerDirectory(scratch.servers, logs: nil)
    }

    @Test("definitions that are not JSON are refused before anything starts")
    func refusesBrokenDefinitions() throws {
        let scratch = try ScratchDirectory()
        let error = try #require(throws: LocalServersError.self) {
            try LocalServers.start(in: scratch.servers, definitions: Data("{".utf8))
        }
        #expect(error.code == .startFailed)
        #expect(processes(naming: scratch.path).isEmpty)
    }

    @Test("a directory that the servers' users may not enter is named in the error", .enabled(if: geteuid() == 0))
    func namesInaccessibleDirectory() throws {
        let scratch = try ScratchDirectory(mode: 0o700)
        let error = try #require(throws: LocalServersError.self) {
            try LocalServers.start(in: scratch.servers, definitions: nil)
        }
        #expect(error.code == .invalidDirectory)
        #expect(error.description.contains("chmod o+x \(scratch.path)"))
    }

    @Test("reserved ports differ, are not given twice, and stay the same once they are free again")
    func reservesDistinctPorts() throws {
        let first = try PortReservation(preferring: nil)
        let second = try PortReservation(preferring: nil)
        let all = [first.ports, second.ports].flatMap { [$0.postgresql, $0.rabbitmq, $0.distribution, $0.epmd] }
        #expect(Set(all).count == 8)
        first.release()
        let again = try PortReservation(preferring: first.ports)
        #expect(again.ports.postgresql == first.ports.postgresql)
        #expect(again.ports.epmd == first.ports.epmd)
    }

    /// A process loses its memory, and with it the arguments by which it is found, before its sockets.
    @Test("a server that counts as ended has released its ports")
    func endedServerFreesItsPorts() throws {
        let scratch = try ScratchDirectory()
        let directory = try ServerDirectory(scratch.servers, logs: nil)
        for _ in 1...3 {
            let reservation = try PortReservation(preferring: nil)
            let port = reservation.ports.postgresql
            let server = Process()
            server.executableURL = URL(filePath: "/usr/bin/python3")
            server.arguments = ["-c", largeServer, RabbitMQServer.directoryFlag, directory.rabbitmq, "\(port)"]
            let output = Pipe()
            server.standardOutput = output
            try server.run()
            #expect(try output.fileHandleForReading.read(upToCount: 5) == Data("ready".utf8))
            reservation.release()

            try LeftBehind(directory: directory).end()
            #expect(try PortReservation(preferring: reservation.ports).ports.postgresql == port)
            server.waitUntilExit()
        }
    }

    private let largeServer = """
        import socket, sys
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", int(sys.argv[3])))
        server.listen()
        memory = b"1" * 400_000_000
        sys.stdout.write("ready")
        sys.stdout.flush()
        server.accept()
        """

    private let definitions = """
        {"users": [{"name": "office", "password": "secret", "tags": "administrator"}],
         "vhosts": [{"name": "office"}],
         "permissions": [{"user": "office", "vhost": "office", "configure": ".*", "write": ".*", "read": ".*"}],
         "queues": [{"name": "kept", "vhost": "office", "durable": true, "auto_delete": false,
                     "arguments": {"x-queue-type": "quorum"}}]}
        """
}

/// A directory of the test's own, gone when it ends.
private final class ScratchDirectory {
    let path: String
    var servers: URL { URL(filePath: path).appending(path: "the servers") }

    init(mode: Int = 0o711) throws {
        path = "/tmp/local-servers-\(randomHexadecimal(bytes: 6))"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: mode])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// One value, asked by `psql`, which is not ours.
private func query(_ servers: LocalServers, _ statement: String) throws -> String {
    let psql = Process()
    psql.executableURL = URL(filePath: "/usr/bin/env")
    psql.arguments = ["psql", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", servers.superuserURL, "-c", statement]
    let answer = Pipe()
    psql.standardOutput = answer
    try psql.run()
    let bytes = try answer.fileHandleForReading.readToEnd() ?? Data()
    psql.waitUntilExit()
    try #require(psql.terminationStatus == 0)
    return String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
}

/// Processes that have a path in their arguments or environment.
private func processes(naming path: String) -> Set<pid_t> {
    let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    let needle = Data(path.utf8)
    return Set(
        entries.compactMap { pid_t($0) }.filter { processID in
            ["cmdline", "environ"].contains { file in
                let handle = FileHandle(forReadingAtPath: "/proc/\(processID)/\(file)")
                let bytes = (try? handle?.readToEnd()) ?? nil
                return bytes?.range(of: needle) != nil
            }
        })
}
