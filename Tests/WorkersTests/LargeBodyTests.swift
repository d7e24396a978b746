import AMQP
import Basics
import CaseStore
import Casework
import Contract
import Foundation
import Testing
import TestOffice

@testable import Workers

extension PrivateServerTests {
    /// More than an office's broker should accept, within RabbitMQ's default limit.
    @Suite("Bodies of a hundred megabytes")
    struct LargeBodyTests {
        /// Ten are four times what the worker may use. The broker reads all that it may deliver at once before it
        /// delivers the first: fifty take it minutes, and are sent by `deploy/test --long`.
        static let floods: [(worker: Worker, count: Int)] = isLong ? [(.intake, 50)] : [(.intake, 10), (.feedback, 3)]
        private static let isLong = ProcessInfo.processInfo.environment["TEST_BIHUAN_LONG"] != nil

        private func connections(of worker: Worker) throws -> Set<Substring> {
            let lines = try PrivateServers.here().control("list_connections", "pid", "user").split(separator: "\n")
            return Set(lines.filter { $0.hasSuffix("\toffice.\(worker.rawValue)") })
        }

        /// Sends bodies of a hundred megabytes, all different. Returns the inbox id of the last one.
        private func sendLargeBodies(
            _ count: Int, of type: MessageType, from sender: PartyClient, in office: OfficeUnderTest
        ) throws -> String {
            var body = [UInt8](repeating: 0x41, count: 100_000_000)
            for number in 1...count {
                body[0] = UInt8(number)
                try sender.publish(
                    body, to: sender.exchange, key: type.routingKey(from: sender.party),
                    properties: sender.properties(type, "large-\(number)"))
            }
            let arrival = Arrival(
                body: body, routingKey: "", userID: sender.party.description, type: nil, messageID: nil)
            return InboundMessage(arrival, from: "", digestKey: office.digestKey).key.eventID
        }

        @Test(
            "they stop no worker of 256 MiB: each is refused by length and digest, others pass, connections stay",
            arguments: floods)
        func answersHugeBodiesByDigest(flood: (worker: Worker, count: Int)) throws {
            let (worker, count) = flood
            let office = try PrivateServers.here().office()
            let limit = MemoryLimit(bytesMax: 256 << 20)
            defer { limit?.remove() }
            let party: Party =
                worker == .intake ? .source(SourceID(unchecked: "letter")) : .unit(UnitID(unchecked: "c01"))
            var settings = try office.servers.broker(user: party.description, virtualHost: office.virtualHost)
            // The broker takes its time over five gigabytes.
            settings.heartbeatSeconds = 600
            settings.tcpUserTimeoutMilliseconds = 600_000
            let sender = try PartyClient(party, settings)
            let lastID = try sendLargeBodies(
                count, of: worker == .intake ? .reportSubmitted : .handoffProgress, from: sender, in: office)

            let process = try WorkerProcess(worker, of: office, within: limit, heartbeat: 2)
            defer { process.kill() }
            let sun = try office.person("sun")
            func expectRefusal(within seconds: Double = 60) throws {
                let answer = try sender.receive(within: seconds)
                #expect(answer.problem == "too_large" && answer.problemText?.contains("100000000 bytes") == true)
            }
            try expectRefusal(within: Self.isLong ? 900 : 300)
            let connected = try connections(of: worker)
            #expect(connected.count == 2)
            // A person is answered meanwhile.
            try sun.order(to: worker)
            #expect(try sun.receive(within: 60).problem == "unknown_dead_letter")
            for _ in 2...count { try expectRefusal() }
            let id =
                worker == .intake
                ? try sender.submit(.new())
                : try sender.send(.handoffProgress, subject: UUID().uuidString.lowercased(), HandoffProgress(text: "无"))
            #expect(try sender.receive().inReplyTo == id)
            #expect(process.isRunning)
            #expect(try connections(of: worker) == connected)
            let peak = try process.peakBytes()
            #expect(peak <= 64 << 20, "\(peak >> 20) MiB")
            #expect(
                try office.texts("SELECT count(*) || ' ' || sum(times) || ' ' || count(sealed) FROM dead_letter") == [
                    "\(count) \(count) 0"
                ])
            #expect(try office.count("SELECT count(*) FROM dead_letter WHERE inbox_id = '\(lastID)'") == 1)
            process.kill()
            try office.close()
        }
    }
}
