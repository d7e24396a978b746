import AMQP
import CaseStore
import Foundation
import LocalServers
import PostgreSQL
import Testing
@testable import AuditStore
@testable import Basics
@testable import Bench
@testable import Installation

@testable import bihuan

@Suite("The arithmetic of a bench")
struct BenchArithmeticTests {
    @Test("the median is the middle round or the mean of the middle two; the spread runs from end to end")
    func takesMedianAndSpreadOfRounds() {
        #expect(Spread([3, 1, 2]) == Spread([1, 2, 3]))
        let odd = Spread([30, 10, 20])
        #expect(odd.median == 20 && odd.min == 10 && odd.max == 30)
        #expect(Spread([10, 40, 20, 30]).median == 25)
        #expect(Spread([7]).median == 7)
    }

    @Test("a rate starts with the first messages, or with the workers where nothing lies between")
    func startsRateAtFirstMessages() {
        let second: Int64 = 1_000_000_000
        let spread = BenchArithmetic.perSecond([1, 2, 3, 4, 5].map { $0 * second }, from: 1, started: 0)
        #expect(spread.rate == 1 && spread.isWithoutStart)
        let burst = BenchArithmetic.perSecond([2, 2, 2, 2].map { $0 * second }, from: 1, started: 0)
        #expect(burst.rate == 2 && !burst.isWithoutStart)
        let single = BenchArithmetic.perSecond([4 * second], from: 1, started: 0)
        #expect(single.rate == 0.25 && !single.isWithoutStart)
    }

    @Test("a worker that grows with its messages is named; a warm-up is not, and a short soak proves nothing")
    func namesWorkersThatGrow() {
        func samples(_ sizes: [(Int, Double)]) -> [SoakSample] {
            sizes.map { SoakSample(closed: $0.0, seconds: 1, anonymousMiB: ["feedback": $0.1, "intake": 20]) }
        }
        let leak = SoakSample.growth(samples([(5_000, 9), (20_000, 10), (60_000, 10), (700_000, 30)]))
        #expect(leak.map(\.worker) == ["feedback", "intake"])
        #expect(leak[0].isGrowth && leak[0].early.messages == 60_000 && leak[0].late.messages == 2_100_000)
        #expect(SoakSample.growth(samples([(20_000, 10), (700_000, 11)])).contains { $0.isGrowth } == false)
        #expect(SoakSample.growth(samples([(60, 9)])).isEmpty)
    }

    @Test("percentiles are those of the recorded times, to three digits")
    func computesPercentiles() {
        var latencies = Latencies()
        // One millisecond, two … a thousand, in an order of no meaning.
        for number in 1...1_000 { latencies.record(nanoseconds: Int64((number * 10) % 1_001) * 1_000_000) }
        #expect(latencies.count == 1_000)
        #expect(abs(latencies.milliseconds(percentile: 50) - 500) <= 1)
        #expect(abs(latencies.milliseconds(percentile: 99) - 990) <= 1)
        #expect(abs(latencies.milliseconds(percentile: 99.9) - 999) <= 1)
        #expect(abs(latencies.maximumMilliseconds - 1_000) <= 1)
        var late = Latencies()
        late.record(nanoseconds: 90_000_000_000)
        latencies.add(late)
        #expect(latencies.count == 1_001)
        #expect(abs(latencies.maximumMilliseconds - 90_000) <= 90)
        // A clock that seems to run backwards is no negative time.
        late.record(nanoseconds: -5)
        #expect(late.milliseconds(percentile: 1) == 0)
    }

    @Test("rows, index entries and log bytes are counted per report; an update in place needs no index entry")
    func countsCostsPerReport() {
        func writes(_ table: String, _ inserted: Int, _ updated: Int, _ inPlace: Int, _ deleted: Int) -> TableWrites {
            TableWrites(
                table: table, indexes: 2, inserted: inserted, updated: updated, updatedInPlace: inPlace,
                deleted: deleted)
        }
        let costs = WriteCosts(
            from: [writes("report", 100, 0, 0, 0)],
            to: [writes("report", 110, 30, 20, 0), writes("outbox", 20, 0, 0, 20), writes("idle", 0, 0, 0, 0)],
            logBytes: 5_000, reports: 10)
        #expect(costs.inserted == ["report": 1, "outbox": 2])
        #expect(costs.updated == ["report": 3] && costs.deleted == ["outbox": 2])
        // Ten reports and ten versions that moved, twenty rows of the outbox, two indexes each.
        #expect(costs.indexEntries == Double((10 + 10 + 20) * 2) / 10)
        #expect(costs.logBytes == 500)
    }

    @Test("processor time and memory are read from a running process, and from no other")
    func readsProcessorTimeAndMemory() throws {
        let before = try #require(ProcessUsage.cpuSeconds(of: getpid())).own
        var sum = 0.0
        let end = ContinuousClock.now + .milliseconds(200)
        while ContinuousClock.now < end { sum += sin(sum + 1) }
        #expect(try #require(ProcessUsage.cpuSeconds(of: getpid())).own > before, "\(sum)")
        #expect(try #require(ProcessUsage.cpuSecondsWithChildren(of: getpid())) >= before)
        #expect(try #require(ProcessUsage.anonymousMiB(of: getpid())) > 1)
        #expect(ProcessUsage.cpuSeconds(of: pid_t.max) == nil && ProcessUsage.anonymousMiB(of: pid_t.max) == nil)
    }

    @Test("one bench is a JSON object, several are an array, and the names are stable")
    func writesStableJSON() throws {
        var result = BenchResult(name: .intake)
        result.rounds = [100, 300, 200].map { rate in
            var round = RoundResult(perSecond: rate, count: 10)
            round.anonymousMiB = ["intake": rate / 10]
            return round
        }
        result.latencyRounds = [4_000_000, 4_000_000 as Int64].map { nanoseconds in
            var latencies = Latencies()
            latencies.record(nanoseconds: nanoseconds)
            return latencies
        }
        result.latencyRate = 100
        result.floorRates = [400, 500, 350]
        let object = try #require(
            try JSONSerialization.jsonObject(with: try BenchPage.json([result], batch: 50, lanes: nil))
                as? [String: Any])
        #expect(object["name"] as? String == "intake")
        #expect(object["reports_per_second"] as? Double == 200)
        #expect(
            object["reports_per_second_min"] as? Double == 100 && object["reports_per_second_max"] as? Double == 300)
        #expect(
            object["p50_ms"] as? Double == 4 && object["p99_ms"] as? Double == 4 && object["p999_ms"] as? Double == 4)
        #expect(object["p99_ms_rounds"] as? [Double] == [4, 4] && result.latencies?.count == 2)
        #expect(object["rss_anon_mib"] as? Double == 20)
        #expect(object["floor_ratio"] as? Double == 0.5 && object["batch"] as? Int == 50)
        let several = try JSONSerialization.jsonObject(
            with: try BenchPage.json([result, result], batch: nil, lanes: nil))
        #expect((several as? [Any])?.count == 2)
    }

    @Test("the table of scales shows each rate and its share of the first")
    func showsRatesByScale() {
        let results = [(0, 1_000.0), (100_000, 900)].map { scale, rate in
            var result = BenchResult(name: .intake)
            (result.scale, result.rounds) = (scale, [RoundResult(perSecond: rate, count: 1)])
            return result
        }
        let table = BenchPage.scales(results)
        #expect(table.contains("intake"))
        #expect(table.contains("1000 (1.00)") && table.contains("900 (0.90)"))
    }

    @Test(
        "a bench that cannot be measured is refused before anything starts",
        arguments: [
            ["--scale", "5,3"], ["--scale", "x"], ["--count", "0"], ["--rounds", "0"], ["--batch", "0"],
            ["--lanes", "65"], ["--rate", "0"], ["nothing"],
            ["--json", "/nowhere/at/all.json"], ["--json", "/tmp"], ["--floor", "/nowhere"],
        ])
    func refusesWhatCannotBeMeasured(arguments: [String]) throws {
        let result = try Program.run(Program.lab, ["bench", "intake"] + arguments)
        #expect(result.status == 64 && result.output.isEmpty, "\(result.errors)")
    }
}

/// One office for the whole story, since its servers take seconds to start.
@Suite("A bench of a whole office", .serialized)
struct BenchTests {
    @Test("each stage and the loop are measured, a filled ledger holds, and a power cut would undo nothing")
    func measuresEachStageAndTheLoop() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "bihuan-bench-\(UUID().uuidString.prefix(8))")
        defer { try? FileManager.default.removeItem(at: directory) }
        let office = try await BenchOffice.start(in: directory, executable: Program.bihuan, isCancelled: { false })
        do {
            try await onThread {
                var settings = BenchSettings()
                (settings.count, settings.rounds, settings.rate, settings.executable) = (60, 1, 100, Program.bihuan)
                settings.idleSeconds = 0.2
                let bench = try Bench(office, settings)
                try measures(bench)
                try watches(bench)
                try fills(bench, office)
                try refuses(bench, office)
            }
            try await onThread { office.stop() }
        } catch {
            try? await onThread { office.stop() }
            throw error
        }
    }

    // MARK: The story

    private func measures(_ bench: Bench) throws {
        for name in [BenchName.intake, .routing, .feedback, .loop, .latency] {
            let result = try bench.run(name)
            #expect(
                result.settings["fsync"] == "on" && result.settings["synchronous_commit"] == "on"
                    && result.settings["full_page_writes"] == "on")
            let latencies = try #require(result.latencies)
            #expect(latencies.count == 60 && latencies.milliseconds(percentile: 50) > 0, "\(name)")
            #expect(result.settings["messages"]?.hasSuffix(" seen, all persistent") == true)
            let round = try #require(result.rounds.first)
            #expect(round.count == 60 && round.perSecond > 0)
            let worker = [.loop, .latency].contains(name) ? "intake" : name.rawValue
            #expect(try #require(round.anonymousMiB[worker]) > 1)
            #expect(Set(round.cpuMicroseconds.keys).isSuperset(of: ["bench", "broker", "database", worker]))
            #expect(round.costs.logBytes > 500 && round.costs.indexEntries > round.costs.rowsInserted)
            #expect(
                round.costs.inserted["inbox"]
                    == ["intake": 1, "routing": 1, "feedback": 3, "loop": 5, "latency": 5][name.rawValue], "\(name)")
            #expect(round.costs.inserted["outbox"] == round.costs.deleted["outbox"])
        }
    }

    private func watches(_ bench: Bench) throws {
        let service = try bench.run(.worker).service
        #expect(Set(service.keys) == ["intake", "routing", "deadlines", "feedback"])
        for (worker, figures) in service {
            #expect(figures.readyMilliseconds > 1 && figures.idleCPUMilliseconds < 1_000, "\(worker)")
            #expect(figures.drainedMilliseconds > 0, "\(worker)")
        }
        let samples = try bench.run(.soak).soak
        #expect(samples.last?.closed == 60 && samples.last?.anonymousMiB.count == 4)
    }

    private func fills(_ bench: Bench, _ office: BenchOffice) throws {
        func count() throws -> Int {
            let database = try office.worker()
            defer { database.close() }
            return try database.run(CountReports()).rows.reduce(0) { $0 + $1.count }
        }
        // Exactly so many, whatever was measured before.
        for (scale, expected) in [(0, 0), (300, 300), (300, 300), (0, 0), (400, 400)] {
            try bench.prepare(scale)
            #expect(try count() == expected)
        }
        let result = try bench.run(.intake, scale: 300)
        #expect(result.scale == 300 && result.rounds.first?.count == 60)
        #expect(try count() > 300)
        try bench.prepare(300)
        let verified = try Program.run(Program.bihuan, ["ledger", "verify", "--data", office.directory.path])
        #expect(verified.status == 0 && verified.output.contains("the ledger is whole"), "\(verified.errors)")
    }

    private func refuses(_ bench: Bench, _ office: BenchOffice) throws {
        func expectRefusal(_ word: String, sourceLocation: SourceLocation = #_sourceLocation) {
            let error = #expect(throws: UserError.self, sourceLocation: sourceLocation) { try bench.run(.latency) }
            #expect(
                error?.description.hasPrefix("not measured: ") == true && error?.description.contains(word) == true,
                sourceLocation: sourceLocation)
        }
        // Not in the office's own database, which each bench creates again.
        let superuser = try PostgreSQL.Connection(PostgreSQL.ConnectionSettings(url: office.administrationURL))
        defer { superuser.close() }
        // Each session overrides a role's setting (`GuardTests`): nothing to refuse.
        try superuser.execute("ALTER ROLE \(DatabaseRole.intake.name) SET synchronous_commit = off")
        _ = try bench.run(.latency)
        try superuser.execute("ALTER ROLE \(DatabaseRole.intake.name) RESET synchronous_commit")

        let broker = try AMQP.Connection(try office.operatorBroker("test"))
        defer { broker.close() }
        let channel = try broker.openChannel()
        try broker.deleteQueue("unit.d1.notice", on: channel)
        try broker.declareQueue("unit.d1.notice", on: channel)
        expectRefusal("unit.d1.notice")
        try broker.deleteQueue("unit.d1.notice", on: channel)

        try superuser.execute("ALTER SYSTEM SET fsync = off")
        try superuser.execute("SELECT pg_reload_conf()")
        let deadline = ContinuousClock.now + .seconds(10)
        while try superuser.run(ReadDurabilitySettings()).rows.contains(where: {
            $0.name == "fsync" && $0.value == "on"
        }) {
            try #require(ContinuousClock.now < deadline, "the database did not read its settings again")
        }
        expectRefusal("fsync = off")
    }

    @Test("existing servers are measured in a namespace of their own, which is empty again afterwards")
    func leavesGivenServersEmpty() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "bihuan-bench-\(UUID().uuidString.prefix(8))")
        defer { try? FileManager.default.removeItem(at: directory) }
        try await onThread {
            let there = try TopologyOffice()
            defer { there.close() }
            let addresses = try GivenServers.Addresses(
                amqp: "amqp://guest:guest@127.0.0.1:\(there.servers.rabbitmqPort)", management: there.managementURL,
                database: there.servers.superuserURL)
            let refused = #expect(throws: UserError.self) { try GivenServers(addresses, in: directory) }
            #expect(refused?.description.contains("already has a user operator") == true)
            _ = try there.servers.rabbitmqctl(["delete_user", "operator"])

            let office = try BenchOffice(on: try GivenServers(addresses, in: directory), directory: directory)
            do {
                var settings = BenchSettings()
                (settings.count, settings.rounds, settings.rate, settings.executable) = (60, 1, 100, Program.bihuan)
                let round = try #require(try Bench(office, settings).run(.intake).rounds.first)
                #expect(round.count == 60 && round.costs.inserted["report"] == 1)
                // The database is a process of this machine, and found by its backend; whose the broker's is, nobody
                // tells.
                #expect(round.cpuMicroseconds["database"] != nil && round.cpuMicroseconds["broker"] == nil)
            } catch {
                office.stop()
                throw error
            }
            office.stop()
            #expect(
                try there.servers.rabbitmqctl(["-q", "list_vhosts", "--no-table-headers"]).split(separator: "\n") == [
                    "/"
                ])
            #expect(
                try there.servers.rabbitmqctl(["-q", "list_users", "--no-table-headers"]).split(separator: "\n").count
                    == 1)
            let superuser = try PostgreSQL.Connection(PostgreSQL.ConnectionSettings(url: there.servers.superuserURL))
            defer { superuser.close() }
            #expect(try superuser.run(CountBenchNames()).rows == [0])
        }
    }
}

/// Databases and roles of benches.
private struct CountBenchNames: Statement {
    static let sql = """
        SELECT (SELECT count(*) FROM pg_database WHERE datname LIKE 'bihuan_bench%') + (SELECT count(*) FROM pg_roles \
        WHERE rolname LIKE 'bihuan_bench%')
        """
    func decode(_ row: inout RowReader) throws(PostgreSQLError) -> Int { try row.int() }
}
