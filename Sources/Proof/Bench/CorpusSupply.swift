import Basics
import CaseStore
import Casework
import Corpus
import Foundation
import Installation
import PostgreSQL
import Workers

/// The demo's reports, each used once.
package struct CorpusSupply {
    private var corpus: Corpus
    let rulebook: Rulebook
    private let directory: OfficeDirectory
    private var textsSeen: Set<Int> = []

    init(_ office: BenchOffice) throws {
        let database = try office.worker()
        defer { database.close() }
        rulebook = try ActivePolicy.active(database).rulebook
        let (units, closure, sources, persons) = try database.pipeline(
            ReadUnits(), ReadUnitClosure(), ReadSources(), ReadPersons())
        directory = OfficeDirectory(
            units: units.rows, closure: closure.rows, sources: sources.rows, persons: persons.rows)
        corpus = Corpus(seed: 1, receivedAround: office.configuration.now)
    }

    /// The next reports in order: accusations, reports outside the scope, repeats and vague ones.
    mutating func take(_ count: Int) -> [Feeder.Letter] {
        (0..<count).map { _ in
            let report = corpus.next()
            textsSeen.insert(report.submission.text.hashValue)
            return Feeder.Letter(report)
        }
    }

    /// The next reports that the rules hand to a unit at once, so that the whole loop can be measured. Others are
    /// skipped.
    mutating func takeHandedOff(_ count: Int) -> [Feeder.Letter] { samplesHandedOff(count).map(\.letter) }

    mutating func samplesHandedOff(_ count: Int) -> [HandedOff] {
        var taken: [HandedOff] = []
        taken.reserveCapacity(count)
        while taken.count < count {
            let report = corpus.next()
            // A report with the same text may be a repeat, which is linked to the first and goes no further.
            guard textsSeen.insert(report.submission.text.hashValue).inserted, let handedOff = handedOff(report) else {
                continue
            }
            taken.append(handedOff)
        }
        return taken
    }

    /// A report with the rules' decisions.
    struct HandedOff {
        let report: SampleReport
        let sourceKind: String
        let scope: ScopeRuling
        let matterKind: String
        let route: RouteRuling
        let unit: UnitID
        let kind: String
        let barredRoots: Set<UnitID>
        var letter: Feeder.Letter { Feeder.Letter(report) }
    }

    private func handedOff(_ report: SampleReport) -> HandedOff? {
        guard let source = directory.sources[report.source] else { return nil }
        var facts = ReportFacts(submission: report.submission, sourceKind: source.kind)
        let scope = rulebook.scope(of: facts)
        guard rulebook.sealing(of: facts) == nil, case .accept(let matterKind) = scope.decision else { return nil }
        facts.matterKind = matterKind
        let accused = report.submission.accused
        let finding = Barrier.finding(on: accused, among: directory.unitNames, kinds: rulebook.ownKind)
        let barred = directory.subtrees(of: finding.roots)
        // A source whose own unit is barred gets no messages about it.
        if let unit = source.unit, barred.contains(unit) { return nil }
        let route =
            rulebook.ruling(on: finding)
            ?? rulebook.route(facts, among: directory.routingUnits, barred: barred)
        guard case .handoff(let unit, let kind) = route.decision, rulebook.handoffKinds[kind]?.needsApproval == false
        else { return nil }
        return HandedOff(
            report: report, sourceKind: source.kind, scope: scope, matterKind: matterKind, route: route, unit: unit,
            kind: kind, barredRoots: finding.roots)
    }
}
