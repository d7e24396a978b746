import Basics
import Contract
import Foundation
import LocalServers
import Observability
import TestOffice
import Testing

@testable import Workers

@Suite("What a monitor asks", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct MonitorTests {
    @Test("a worker counts what comes in, what is decided and what goes out, and says whether it is ready")
    func showsItsWork() throws {
        let office = try OfficeUnderTest()
        let program = try WorkerProgram(.intake, of: office)
        let port = try program.monitorPort()
        try program.manager.wait("READY=1") { $0 == "READY=1" }
        #expect(try HTTP.get(port, "/readyz") == HTTP.Answer(status: 200, body: "2 of 2 lanes listen\n"))
        #expect(try HTTP.get(port, "/healthz").status == 200)
        #expect(try HTTP.get(port, "/nothing").status == 404)

        let source = try office.source()
        let id = try source.submit(.new())
        try source.submit(.new(), id: id)
        for _ in 1...2 { _ = try source.receive() }
        let submitted = #"worker="intake",type="bihuan.report.submitted.v1""#
        try eventually("the counters") {
            let text = try HTTP.get(port, "/metrics").body
            return text.contains("bihuan_messages_received_total{\(submitted)} 2")
                && text.contains("bihuan_messages_decided_total{\(submitted),outcome=\"taken\"} 1")
                && text.contains("bihuan_messages_published_total{worker=\"intake\",type=\"bihuan.report.accepted.v1\"")
                && text.contains("bihuan_lanes{worker=\"intake\",state=\"listening\"} 2")
                && text.contains("bihuan_queues_held{worker=\"intake\"} \(SmallOffice.sources.count)\n")
                && text.contains("bihuan_queue_taken_timestamp_seconds{queue=\"source.letter.submit\"}")
                && text.contains("bihuan_stage_seconds_bucket{worker=\"intake\",stage=\"committed_to_confirmed\"")
        }
        let text = try HTTP.get(port, "/metrics").body
        expectForm(text)
        #expect(text.contains("# TYPE bihuan_batch_messages histogram"))
        for word in ["张三", "letter@", TestServers.password + "@"] { #expect(!text.contains(word)) }
        source.close()
        try office.close()
    }

    /// Every line is a comment, or a sample of a metric that was announced.
    private func expectForm(_ text: String) {
        let known = Set(Metric.all.map(\.name))
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let match = line.wholeMatch(of: /([a-z_]+)(\{[^}]*\})? ([0-9.e+-]+|\+Inf|NaN)/)
            let name = match.map { String($0.1) } ?? ""
            let base = ["_bucket", "_sum", "_count"].first { name.hasSuffix($0) && !known.contains(name) }
                .map { String(name.dropLast($0.count)) }
            #expect(known.contains(base ?? name), "\(line)")
        }
    }

    @Test("one deadlines worker samples the office; a queue without its consumer shows no depth instead of 0")
    func samplesTheOffice() throws {
        let office = try OfficeUnderTest()
        var settings = WorkerProgram.Settings()
        settings.lines = "monitor: {port: 0, sampleSeconds: 1}"
        let first = try WorkerProgram(.deadlines, of: office, settings)
        let second = try WorkerProgram(.deadlines, of: office, settings)
        let ports = [try first.monitorPort(), try second.monitorPort()]
        let sampling = { try ports.filter { try HTTP.get($0, "/metrics").body.contains("bihuan_reports{state=") } }
        try eventually("one samples") { try sampling().count == 1 }
        let port = try #require(try sampling().first)
        // Intake does not run: its queue is empty and unread, so nobody knows whether it has a leader.
        let unread = "queue=\"source.letter.submit\",kind=\"submit\""
        try eventually("the queues") {
            let text = try HTTP.get(port, "/metrics").body
            return text.contains("bihuan_queue_consumers{\(unread)} 0")
                && !text.contains("bihuan_queue_messages{\(unread)}")
                && text.contains("bihuan_lane_leases{worker=\"intake\"} 0")
                && text.contains("bihuan_lane_leases{worker=\"deadlines\"} 4")
        }
        let source = try office.source()
        try source.submit(.new())
        try eventually("a message that waits") {
            try HTTP.get(port, "/metrics").body.contains("bihuan_queue_messages{\(unread)} 1")
        }
        let page = try HTTP.get(port, "/?lang=en").body
        #expect(page.contains("<html") && page.contains("intake"))
        // The one that samples is killed: the other takes over.
        (port == ports[0] ? first : second).signal(SIGKILL)
        let other = ports[0] == port ? ports[1] : ports[0]
        try eventually("the other samples", within: 40) {
            try HTTP.get(other, "/metrics").body.contains("bihuan_reports{state=")
        }
        source.close()
        try office.close()
    }

    @Test("fifty scrapers at once, and one that never reads, hold up neither each other nor the worker")
    func bearsManyScrapers() throws {
        let office = try OfficeUnderTest()
        let program = try WorkerProgram(.intake, of: office)
        let port = try program.monitorPort()
        try program.manager.wait("READY=1") { $0 == "READY=1" }
        let deaf = try (1...3).map { _ in try HTTP.Connection(port) }
        for connection in deaf { try connection.send("/metrics", times: 400) }
        let threads = (1...50).map { index in
            Scraper(index, port)
        }
        for thread in threads { #expect(thread.answer().status == 200) }
        let source = try office.source()
        try source.submit(.new())
        #expect(try source.receive().type == "bihuan.report.accepted.v1")
        withExtendedLifetime(deaf) {}
        source.close()
        program.signal(SIGTERM)
        #expect(try program.status() == 0)
        try office.close()
    }

    @Test("a port that is in use is told; the worker ends and may be started again")
    func tellsOfAPortInUse() throws {
        let office = try OfficeUnderTest()
        let port = try Loopback.freePorts(1)[0]
        var settings = WorkerProgram.Settings()
        settings.monitorPort = port
        let first = try WorkerProgram(.routing, of: office, settings)
        _ = try first.monitorPort()
        let second = try WorkerProgram(.routing, of: office, settings)
        #expect(try second.status() == 1)
        #expect(second.errors.contains("the monitor cannot listen on 127.0.0.1 port \(port)"), "\(second.errors)")
        first.signal(SIGTERM)
        #expect(try first.status() == 0)
        try office.close()
    }
}

/// One scrape on a thread of its own.
private final class Scraper: @unchecked Sendable {
    private let done = DispatchSemaphore(value: 0)
    private var found = HTTP.Answer(status: 0, body: "")

    init(_ index: Int, _ port: Int) {
        let thread = Thread { [self] in
            found = (try? HTTP.get(port, "/metrics")) ?? found
            done.signal()
        }
        thread.start()
    }

    func answer() -> HTTP.Answer {
        guard done.wait(timeout: .now() + 20) == .success else { return HTTP.Answer(status: 0, body: "no answer") }
        return found
    }
}

/// The least of HTTP that a scraper needs.
enum HTTP {
    struct Answer: Equatable {
        let status: Int
        let body: String
    }

    static func get(_ port: Int, _ path: String) throws -> Answer {
        let connection = try Connection(port)
        try connection.send(path, closing: true)
        return try connection.answer()
    }

    final class Connection {
        private let descriptor: Int32

        init(_ port: Int) throws {
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            let isConnected = Loopback.withAddress(port: port) { connect(descriptor, $0, $1) } == 0
            try #require(isConnected, "nobody listens on port \(port)")
        }

        deinit { close(descriptor) }

        func send(_ path: String, times: Int = 1, closing: Bool = false) throws {
            let line = "GET \(path) HTTP/1.1\r\nHost: localhost\r\n" + (closing ? "Connection: close\r\n" : "") + "\r\n"
            let bytes = Array(String(repeating: line, count: times).utf8)
            // What does not fit into the socket is not sent: the other side does not read it.
            _ = Foundation.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        }

        func answer() throws -> Answer {
            var (bytes, chunk) = ([UInt8](), [UInt8](repeating: 0, count: 65_536))
            while case let count = recv(descriptor, &chunk, chunk.count, 0), count > 0 { bytes += chunk.prefix(count) }
            let parts = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n\r\n", maxSplits: 1)
            let status = try #require(parts.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) })
            let isChunked = parts[0].lowercased().contains("transfer-encoding: chunked")
            let body = parts.count > 1 ? String(parts[1]) : ""
            return Answer(status: status, body: isChunked ? Self.joined(body) : body)
        }

        /// The chunks of a body, without their sizes.
        private static func joined(_ body: String) -> String {
            var (rest, joined) = (body.utf8[...], [UInt8]())
            while let end = rest.firstIndex(of: UInt8(ascii: "\r")),
                let size = Int(String(decoding: rest[..<end], as: UTF8.self), radix: 16), size > 0
            {
                rest = rest[end...].dropFirst(2)
                joined += rest.prefix(size)
                rest = rest.dropFirst(size + 2)
            }
            return String(decoding: joined, as: UTF8.self)
        }
    }
}
