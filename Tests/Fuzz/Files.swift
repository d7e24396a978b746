import Casework
import Workers
@testable import Basics
@testable import Submitting

/// Files that people write.
enum Files {
    private static let web = SourceID(unchecked: "web")
    private static let readers: [ReportLineReader] =
        [ReportLineReader(map: nil, defaultSource: web)]
        + Seeds.maps.compactMap { yaml in
            (try? FieldMap(yaml: yaml)).map { ReportLineReader(map: $0, defaultSource: web) }
        }

    static func policy(_ bytes: [UInt8]) throws(WrongAnswer) {
        guard let yaml = String(validating: bytes, as: UTF8.self) else { return }
        do {
            let policy = try PolicyFile.read(yaml, named: "policy.yaml")
            try decide(by: try Rulebook(policy))
        } catch let error as WrongAnswer {
            throw error
        } catch let error as PolicyError {
            try checkReasons(error.problems.map(\.description), bytesMax: 100_000)
        } catch {
            throw WrongAnswer("an error of another kind: \(error)")
        }
    }

    /// A policy that was taken must be able to decide.
    private static func decide(by rulebook: Rulebook) throws(WrongAnswer) {
        let facts = ReportFacts(
            sourceKind: "web", matterKind: "accusation", title: "小区", text: "物业贪污", levels: ["county"], accusedCount: 1)
        let ruling = rulebook.scope(of: facts)
        try WrongAnswer.unless(!ruling.rule.row.isEmpty, "a decision without a rule")
        _ = rulebook.sealing(of: facts)
        let units = rulebook.policy.vocabulary.unitKinds.prefix(20).enumerated().map { index, kind in
            RoutingUnit(id: UnitID(unchecked: "u\(index)"), kind: kind.id, region: "p")
        }
        _ = rulebook.route(facts, among: units)
        for kind in rulebook.policy.vocabulary.handoffKinds.prefix(20) {
            for start in ClockStart.allCases {
                let plans = rulebook.clocks(
                    startedBy: start, handoffKind: kind.id, at: Instant(microsecondsSinceEpoch: 1_772_438_400_000_000))
                for plan in plans { try WrongAnswer.unless(plan.dueAt >= plan.startedAt, "due before it starts") }
            }
        }
    }

    static func map(_ bytes: [UInt8]) throws(WrongAnswer) {
        guard let yaml = String(validating: bytes, as: UTF8.self) else { return }
        let map: FieldMap
        do throws(FieldMapError) {
            map = try FieldMap(yaml: yaml)
        } catch {
            return try checkReasons(error.problems, bytesMax: 100_000)
        }
        let reader = ReportLineReader(map: map, defaultSource: web)
        for line in Seeds.foreignLines { try check(reader.read(line, number: 1)) }
    }

    /// As a line, and as a whole file in whatever shape and encoding it may be.
    static func line(_ bytes: [UInt8]) throws(WrongAnswer) {
        for reader in readers { try check(reader.read(bytes, number: 1)) }
        var read: [Result<ReportLine, LineProblem>?] = []
        do throws(FileRefusal) {
            let file = try ReportFile(bytes: bytes)
            try readers[0].check(file)
            for record in try file.records() { read.append(readers[0].read(record)) }
        } catch {
            try checkReasons([error.reason], bytesMax: 10_000)
        }
        for result in read { try check(result) }
    }

    private static func check(_ result: Result<ReportLine, LineProblem>?) throws(WrongAnswer) {
        switch result {
        case .none: return
        case .failure(let problem): try checkReasons([problem.reason], bytesMax: 10_000)
        case .success(let line):
            try WrongAnswer.unless((1...128).contains(line.id.utf8.count), "an id of \(line.id.utf8.count) bytes")
            // What is submitted must be readable by the office.
            if let time = line.submission.receivedAt {
                try WrongAnswer.unless(Instant(time.description) == time, "a time that cannot be read again: \(time)")
            }
        }
    }

    private static func checkReasons(_ reasons: [String], bytesMax: Int) throws(WrongAnswer) {
        try WrongAnswer.unless(reasons.contains { !$0.isEmpty }, "refused without a reason")
        let bytes = reasons.reduce(0) { $0 + $1.utf8.count }
        try WrongAnswer.unless(bytes <= bytesMax, "\(reasons.count) reasons of \(bytes) bytes: nobody reads them")
    }
}
