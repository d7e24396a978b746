package import Foundation

/// The result of a bench, for people and for programs.
package enum BenchPage {
    package static func text(_ result: BenchResult) -> String {
        var page = Lines(
            heading: result.name.rawValue + (result.scale > 0 ? ", \(result.scale) reports in the ledger" : ""))
        page.addRates(of: result)
        page.addLatencies(of: result)
        page.addFlood(of: result)
        page.addParties(of: result)
        page.addService(of: result)
        page.addSpreads("processor µs per report", "%.0f", result.spreads(\.cpuMicroseconds))
        page.addSpreads("RssAnon MiB", "%.1f", result.spreads(\.anonymousMiB))
        page.addSpreads(
            "rows per report", "%.2f",
            result.spreads {
                ["inserted": $0.costs.rowsInserted, "updated": $0.costs.rowsUpdated, "deleted": $0.costs.rowsDeleted]
            })
        page.addSpreads("index entries per report", "%.2f", result.spreads { ["": $0.costs.indexEntries] })
        page.addSpreads("write-ahead log bytes per report", "%.0f", result.spreads { ["": $0.costs.logBytes] })
        page.add(
            "durability",
            result.settings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
        return page.text
    }

    /// The rates of each bench by ledger size, also as shares of the first.
    package static func scales(_ results: [BenchResult]) -> String {
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
    package static func json(_ results: [BenchResult], batch: Int?, lanes: Int?) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let objects = results.map { BenchObject($0, batch: batch, lanes: lanes) }
        let data = objects.count == 1 ? try encoder.encode(objects[0]) : try encoder.encode(objects)
        return data + Data("\n".utf8)
    }
}

/// The figures of one bench under their stable JSON names.
struct BenchObject: Encodable {
    let name: String
    let reports_per_second, reports_per_second_min, reports_per_second_max: Double?
    let rounds: [Double]
    let count: Int?
    let p50_ms, p99_ms, p999_ms, latency_rate_per_second: Double?
    let p50_ms_rounds, p99_ms_rounds: [Double]
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
        p50_ms_rounds = result.latencyRounds.map { $0.milliseconds(percentile: 50) }
        p99_ms_rounds = result.latencyRounds.map { $0.milliseconds(percentile: 99) }
        latency_rate_per_second = result.latencyRate
        rss_anon_mib_by_process = result.medians(\.anonymousMiB)
        rss_anon_mib = rss_anon_mib_by_process.values.max()
        cpu_us_per_report = result.medians(\.cpuMicroseconds)
        rows_per_report = result.spread { $0.costs.rowsInserted + $0.costs.rowsUpdated + $0.costs.rowsDeleted }?.median
        rows_inserted_by_table = result.medians(\.costs.inserted)
        rows_updated_by_table = result.medians(\.costs.updated)
        index_entries_per_report = result.spread(\.costs.indexEntries)?.median
        wal_bytes_per_report = result.spread(\.costs.logBytes)?.median
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

/// Lines with labels on the left and figures on the right.
private struct Lines {
    private var lines: [String]
    var text: String { lines.joined(separator: "\n") }

    init(heading: String) { lines = [heading] }

    mutating func add(_ label: String, _ value: String) {
        lines.append("  " + label.padding(toLength: 34, withPad: " ", startingAt: 0) + value)
    }

    /// The slowest hundredth of each party's messages, while all is quiet and while two units flood the office.
    mutating func addFlood(of result: BenchResult) {
        guard let flood = result.flood else { return }
        add(
            "flood",
            String(
                format: "%d messages in %.0f s: %d confirmed, %d refused by the broker", flood.published,
                flood.seconds, flood.confirmed, flood.refused))
        for party in flood.parties {
            add(
                "p99 of \(party.party)",
                String(
                    format: "%.1f ms quiet, %.1f ms flooded, %.2f times%@", party.quiet.milliseconds(percentile: 99),
                    party.flooded.milliseconds(percentile: 99), party.ratio,
                    party.unanswered > 0 ? ", \(party.unanswered) UNANSWERED" : ""))
        }
    }

    mutating func addParties(of result: BenchResult) {
        for figures in result.parties {
            add(
                "\(figures.units) units, idle",
                String(
                    format: """
                        feedback ready in %.1f s, %.1f MiB, %.1f ms of processor a second; broker %.0f MiB, %.1f ms, \
                        started in %.1f s, %d files of %d
                        """, figures.readySeconds, figures.workerMiB, figures.idleWorker, figures.brokerMiB,
                    figures.idleBroker, figures.brokerStartSeconds, figures.brokerFiles, figures.brokerFilesMax))
        }
    }

    /// The median of each, and the range of the rounds if they differ.
    mutating func addSpreads(_ label: String, _ format: String, _ spreads: [String: Spread]) {
        if spreads.isEmpty { return }
        let words = spreads.sorted { $0.key < $1.key }.map { name, spread in
            let (least, most) = (String(format: format, spread.min), String(format: format, spread.max))
            let apart = least == most ? "" : " (\(least)–\(most))"
            return (name.isEmpty ? "" : name + " ") + String(format: format, spread.median) + apart
        }
        add(label, words.joined(separator: "  "))
    }

    mutating func addRates(of result: BenchResult) {
        if let rate = result.perSecond {
            add(
                "reports per second",
                String(format: "%.0f  (%.0f–%.0f in %d rounds)", rate.median, rate.min, rate.max, result.rounds.count))
        }
        if let ratio = result.floorRatio {
            let floor = Spread(result.floorRates)
            add(
                "the floor per second",
                String(format: "%.0f  (%.0f–%.0f), so this is %.2f of it", floor.median, floor.min, floor.max, ratio))
        }
        if let problem = result.floorProblem { add("the floor per second", "not measured: " + problem) }
    }

    mutating func addLatencies(of result: BenchResult) {
        guard let latencies = result.latencies, let rate = result.latencyRate else { return }
        let percentiles = [50, 99, 99.9].map { percent in
            let rounds =
                result.latency(percentile: percent).map { String(format: " (%.1f–%.1f)", $0.min, $0.max) } ?? ""
            return String(format: "p%g %.1f", percent, latencies.milliseconds(percentile: percent)) + rounds
        }
        let longest = String(format: "  longest %.1f  of %d", latencies.maximumMilliseconds, latencies.count)
        add(String(format: "milliseconds at %.0f/s", rate), percentiles.joined(separator: "  ") + longest)
    }

    mutating func addService(of result: BenchResult) {
        for (worker, figures) in result.service.sorted(by: { $0.key < $1.key }) {
            add(
                worker,
                String(
                    format: "ready in %.0f ms  drained in %.0f ms  idle %.1f ms of processor a second",
                    figures.readyMilliseconds, figures.drainedMilliseconds, figures.idleCPUMilliseconds))
        }
        guard !result.soak.isEmpty else { return }
        let growth = SoakSample.growth(result.soak)
        for worker in growth {
            add(
                worker.worker,
                String(
                    format: "RssAnon %.1f MiB after %d messages, %.1f MiB after %d%@", worker.early.mebibytes,
                    worker.early.messages, worker.late.mebibytes, worker.late.messages,
                    worker.isGrowth ? ": IT GREW" : ""))
        }
        if growth.isEmpty { add("memory", "too few messages to tell whether a worker grows") }
    }
}
