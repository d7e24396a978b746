import Foundation

/// What a bench showed, for people and for programs.
enum BenchPage {
    static func text(_ result: BenchResult) -> String {
        var lines = [result.name.rawValue + (result.scale > 0 ? ", \(result.scale) reports in the ledger" : "")]
        func add(_ label: String, _ value: String) { lines.append("  " + label.padding(toLength: 34, withPad: " ", startingAt: 0) + value) }
        if let rate = result.perSecond {
            add("reports per second", String(format: "%.0f  (%.0f–%.0f in %d rounds)", rate.median, rate.min, rate.max, result.rounds.count))
        }
        if let ratio = result.floorRatio {
            let floor = Spread(result.floorRates)
            add("the floor per second", String(format: "%.0f  (%.0f–%.0f), so this is %.2f of it", floor.median, floor.min, floor.max, ratio))
        }
        if let latencies = result.latencies, let rate = result.latencyRate {
            add(
                String(format: "milliseconds at %.0f/s", rate),
                String(
                    format: "p50 %.1f  p99 %.1f  p99.9 %.1f  longest %.1f", latencies.milliseconds(percentile: 50),
                    latencies.milliseconds(percentile: 99), latencies.milliseconds(percentile: 99.9), latencies.maximumMilliseconds))
        }
        for (worker, figures) in result.service.sorted(by: { $0.key < $1.key }) {
            let drained = figures.drainedMilliseconds.map { String(format: "  drained in %.0f ms", $0) } ?? ""
            add(worker, String(format: "ready in %.0f ms%@  idle %.1f ms of processor a second", figures.readyMilliseconds, drained, figures.idleCPUMilliseconds))
        }
        for (worker, perLoop) in SoakSample.messagesPerLoop.sorted(by: { $0.key < $1.key }) {
            guard let last = result.soak.last, let early = result.soak.first(where: { $0.closed * perLoop >= 50_000 }),
                let before = early.anonymousMiB[worker], let after = last.anonymousMiB[worker]
            else { continue }
            add(worker, String(format: "RssAnon %.1f MiB after %d messages, %.1f MiB after %d", before, early.closed * perLoop, after, last.closed * perLoop))
        }
        let cpu = result.medians(\.cpuMicroseconds).sorted { $0.key < $1.key }
        if !cpu.isEmpty { add("processor µs per report", cpu.map { String(format: "%@ %.0f", $0.key, $0.value) }.joined(separator: "  ")) }
        let sizes = result.sizes.sorted { $0.key < $1.key }
        if !sizes.isEmpty { add("RssAnon MiB", sizes.map { String(format: "%@ %.1f", $0.key, $0.value) }.joined(separator: "  ")) }
        if let costs = result.rounds.last?.costs {
            add(
                "rows per report",
                String(format: "%.2f inserted  %.2f updated  %.2f deleted", costs.rowsInserted, costs.rowsUpdated, costs.rowsDeleted))
            add("index entries per report", String(format: "%.2f", costs.indexEntries))
            add("write-ahead log bytes per report", String(format: "%.0f", costs.logBytes))
        }
        add("durability", result.settings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
        return lines.joined(separator: "\n")
    }

    /// The rates of each bench with ever more in the ledger, and each as a share of the first.
    static func scales(_ results: [BenchResult]) -> String {
        let scales = Set(results.map(\.scale)).sorted()
        let names = BenchName.allCases.filter { name in results.contains { $0.name == name && $0.perSecond != nil } }
        func cell(_ text: String) -> String { String(repeating: " ", count: max(0, 18 - text.count)) + text }
        var lines = ["reports per second" + names.map { cell($0.rawValue) }.joined()]
        for scale in scales {
            let cells = names.map { name in
                let found = results.filter { $0.name == name }
                guard let rate = found.first(where: { $0.scale == scale })?.perSecond?.median else { return cell("") }
                let share = found.first { $0.scale == scales[0] }?.perSecond.map { rate / $0.median } ?? 1
                return cell(String(format: "%.0f (%.2f)", rate, share))
            }
            let label = "\(scale) before"
            lines.append(label + String(repeating: " ", count: max(0, 18 - label.count)) + cells.joined())
        }
        return lines.joined(separator: "\n")
    }

    /// One object for one bench, an array for several.
    static func json(_ results: [BenchResult], batch: Int?, lanes: Int?) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let objects = results.map { BenchObject($0, batch: batch, lanes: lanes) }
        let data = objects.count == 1 ? try encoder.encode(objects[0]) : try encoder.encode(objects)
        return data + Data("\n".utf8)
    }
}

/// The numbers of one bench under the names that programs know them by.
struct BenchObject: Encodable {
    let name: String
    let reports_per_second, reports_per_second_min, reports_per_second_max: Double?
    let rounds: [Double]
    let count: Int?
    let p50_ms, p99_ms, p999_ms, latency_rate_per_second: Double?
    let rss_anon_mib: Double?
    let rss_anon_mib_by_process, cpu_us_per_report: [String: Double]
    let rows_per_report: Double?
    let rows_inserted_by_table, rows_updated_by_table: [String: Double]
    let index_entries_per_report, wal_bytes_per_report: Double?
    let batch, lanes: Int?
    let scale: Int
    let floor_reports_per_second, floor_ratio: Double?
    let settings: [String: String]
    let service: [String: ServiceFigures]?
    let soak: [SoakSample]?

    init(_ result: BenchResult, batch: Int?, lanes: Int?) {
        name = result.name.rawValue
        reports_per_second = result.perSecond?.median
        reports_per_second_min = result.perSecond?.min
        reports_per_second_max = result.perSecond?.max
        rounds = result.rounds.map(\.perSecond)
        count = result.rounds.last?.count
        p50_ms = result.latencies?.milliseconds(percentile: 50)
        p99_ms = result.latencies?.milliseconds(percentile: 99)
        p999_ms = result.latencies?.milliseconds(percentile: 99.9)
        latency_rate_per_second = result.latencyRate
        rss_anon_mib_by_process = result.sizes
        rss_anon_mib = rss_anon_mib_by_process.values.max()
        cpu_us_per_report = result.medians(\.cpuMicroseconds)
        let costs = result.rounds.last?.costs
        rows_per_report = costs.map { $0.rowsInserted + $0.rowsUpdated + $0.rowsDeleted }
        rows_inserted_by_table = costs?.inserted ?? [:]
        rows_updated_by_table = costs?.updated ?? [:]
        index_entries_per_report = costs?.indexEntries
        wal_bytes_per_report = costs?.logBytes
        scale = result.scale
        floor_reports_per_second = result.floorRates.isEmpty ? nil : Spread(result.floorRates).median
        floor_ratio = result.floorRatio
        self.batch = batch
        self.lanes = lanes
        settings = result.settings
        service = result.service.isEmpty ? nil : result.service
        soak = result.soak.isEmpty ? nil : result.soak
    }
}
