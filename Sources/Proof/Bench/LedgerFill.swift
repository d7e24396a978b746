import Basics
import CaseStore
import Casework
import Contract
import Corpus
import Crypto
import Foundation
import Installation
import PostgreSQL
import Workers

/// Fills an office's tables with closed loops, as many as years would bring, by the office's own rules.
///
/// The history of each report is decided as the workers decide it, so that chains, clocks and states are right and
/// `bihuan ledger verify` passes; only the rows are written in bulk. One text of the corpus is used for many reports.
struct LedgerFill {
    private static let chunk = 2_000
    private static let textsMax = 5_000
    /// The time before now over which the reports arrived.
    private static let yearSeconds = 365.0 * 86_400

    private let office: BenchOffice
    private let rulebook: Rulebook
    private let vault: Vault
    private let digestKey: DigestKey
    private let samples: [CorpusSupply.HandedOff]
    private let total: Int

    init(_ office: BenchOffice, _ corpus: inout CorpusSupply, total: Int) throws {
        self.office = office
        self.total = total
        vault = Vault(recipient: office.configuration.vaultKey)
        digestKey = try DigestKey(keyFile: office.configuration.digestKeyFile)
        rulebook = corpus.rulebook
        samples = corpus.samplesHandedOff(min(LedgerFill.textsMax, max(1, total)))
    }

    /// Adds `total` reports to empty tables; calls `progress` with the number so far.
    func fill(isCancelled: () -> Bool, progress: (Int) -> Void) throws {
        let superuser = try office.superuser()
        defer { superuser.close() }
        try superuser.withoutStatementTimeout { connection in
            // The rows refer to each other by construction; checking each foreign key would take most of the time.
            try connection.execute("SET session_replication_role = replica")
            var count = 0
            while count < total {
                if isCancelled() { throw UserError("cancelled") }
                let added = min(LedgerFill.chunk, total - count)
                try add(added, from: count, connection)
                count += added
                progress(count)
            }
            try connection.execute("SET session_replication_role = origin")
            // The state after autovacuum: current statistics, and no first reader that must set hint bits.
            try connection.execute("VACUUM (ANALYZE)")
        }
    }

    private func add(_ added: Int, from count: Int, _ connection: PostgreSQL.Connection) throws {
        let serials = try connection.run(TakeReportNumbers(count: added)).rows
        let now = office.configuration.now
        var batch = Batch()
        for (offset, serial) in serials.enumerated() {
            let index = count + offset
            let age = LedgerFill.yearSeconds * (1 - Double(index) / Double(max(total, 1))) + 100 * 86_400
            try add(
                samples[index % samples.count], index: index, serial: serial, at: now.adding(seconds: -age), to: &batch)
        }
        try connection.enterWhole(batch.writes, notes: batch.notes, acts: batch.acts, repeatKeys: batch.repeatKeys)
    }

    private struct Batch {
        var writes = CaseWrites()
        var notes: [HandoffNote] = []
        var acts: [TakenAct] = []
        var repeatKeys: [(key: [UInt8], report: ReportID)] = []
    }

    // MARK: One report and its history

    private func add(
        _ sample: CorpusSupply.HandedOff, index: Int, serial: Int64, at: Instant, to batch: inout Batch
    ) throws {
        let submission = sample.report.submission
        let sourceID = "filled-\(index)"
        let digest = LedgerFill.digest(sourceID)
        let report = Report(
            id: .make(at: at), number: Report.number(year: CivilDate(of: at).components.year, serial: serial),
            source: sample.report.source, submissionID: sourceID, digest: digest, state: .registered,
            sourceKind: sample.sourceKind, matterKind: sample.matterKind, region: submission.region,
            realName: submission.isRealName, receivedAt: submission.receivedAt ?? at, registeredAt: at,
            verdict: .registered, rule: sample.scope.rule.description, reason: nil, authority: nil, repeatOf: nil,
            receiptOnly: false, handoffCount: 0, head: .genesis)
        var file = CaseFile(new: report, barred: sample.barredRoots)
        let commitment = Commitment.make(
            digest, salt: digestKey.salt(of: report.id, for: Party.source(report.source).description))
        file.record(
            .registered(.init(of: report, commitment: commitment)), at: at, by: Party.office(.intake).description)
        func taken(_ sender: Party, _ id: String, _ subject: String, _ at: Instant) {
            batch.acts.append(
                TakenAct(
                    key: .init(sender: sender.description, eventID: id), digest: LedgerFill.digest(id),
                    subject: subject, receivedAt: at))
        }
        taken(.source(report.source), sourceID, sourceID, at)
        taken(.office(.intake), UUID.version7(at: at).lowercased, report.id.description, at.adding(seconds: 1))
        let handoff = try close(&file, sample, at: at)
        let unit = Party.unit(sample.unit)
        for (act, days) in [("signed", 1.0), ("disposition", 2), ("concluded", 20)] {
            taken(unit, "\(handoff)-\(act)", handoff.description, at.adding(seconds: days * 86_400))
        }
        for (act, kind, days, body) in [
            ("disposition", "disposition", 2.0, "talk_inquiry"),
            ("concluded", "conclusion", 20, "经谈话函询和走访核实，反映问题查无实据，予以了结并作出澄清。"),
        ] {
            batch.notes.append(
                HandoffNote(
                    handoffID: handoff, sender: unit.description, eventID: "\(handoff)-\(act)", kind: kind,
                    writtenAt: at.adding(seconds: days * 86_400), body: body))
        }
        batch.repeatKeys.append(
            (LedgerFill.digest("reporter \(index)") + LedgerFill.digest("text \(index)"), report.id))
        batch.writes.newReports.append(
            .init(
                report: file.report, barredRoots: sample.barredRoots,
                content: Mask(reporters: submission.reporters).apply(to: submission),
                original: try vault.seal(sample.letter.body, of: report.id, at: .wall()), attachments: []))
        batch.writes.collect(file)
    }

    /// Routes at once, signs after a day, concludes after twenty.
    private func close(_ file: inout CaseFile, _ sample: CorpusSupply.HandedOff, at: Instant) throws -> HandoffID {
        let id = HandoffID.make(at: at)
        let digest = LedgerFill.digest(id.description)
        let actor = Party.unit(sample.unit).description
        try file.apply(.routed)
        let handoff = Handoff(
            id: id, reportID: file.report.id, attempt: 1, unit: sample.unit, kind: sample.kind, state: .released,
            express: rulebook.handoffKinds[sample.kind]?.express ?? false, rule: sample.route.rule.description,
            digest: digest, releasedAt: at)
        file.open(
            handoff, clocks: rulebook.clocks(startedBy: .released, handoffKind: sample.kind, at: at),
            otherwise: rulebook.noClockReason(handoffKind: sample.kind))
        let office = Party.office(.routing).description
        file.record(
            .routed(
                .init(
                    handoff, act: act(file.report.submissionID, office, of: file.report.id),
                    commitment: Commitment.make(digest, salt: digestKey.salt(of: file.report.id, for: actor)))),
            at: at, by: office)
        try file.move(id, .confirmed, by: office, at: at.adding(seconds: 86.4), under: rulebook)
        let ruling = rulebook.judgeConclusion(
            outcome: "clarified", hasDisposition: true, hasSummary: true, realNameAnswered: true,
            isRealName: file.report.realName, timesReturned: 0)
        for (move, name, days) in [
            (HandoffMove.signed, "signed", 1.0), (.decided(disposition: "talk_inquiry"), "disposition", 2),
            (.concluded(outcome: "clarified"), "concluded", 20),
            (.conclusionAccepted(rule: ruling.rule.description), "concluded", 20),
        ] {
            let said = act("\(id)-\(name)", actor, of: file.report.id)
            try file.move(id, move, act: said, by: actor, at: at.adding(seconds: days * 86_400), under: rulebook)
        }
        return id
    }

    private func act(_ id: String, _ sender: String, of report: ReportID) -> String {
        Commitment.act(id, salt: digestKey.salt(of: report, for: sender))
    }

    private static func digest(_ text: String) -> [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }
}

extension CivilDate {
    /// The day in China (UTC+8).
    fileprivate init(of instant: Instant) {
        self.init(daysSinceEpoch: Int((Double(instant.microsecondsSinceEpoch) / 1_000_000 + 8 * 3600) / 86_400))
    }
}
