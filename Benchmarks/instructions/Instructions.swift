// Does one thing a given number of times over fixed inputs, so that callgrind can count its instructions. `check`
// runs it with two different numbers; the difference does not contain the start of the process.

import Basics
import CaseStore
import Casework
import Contract
import Corpus
import Foundation
import Installation
import Workers

@main
struct Instructions {
    static func main() throws {
        let arguments = CommandLine.arguments
        if arguments.count == 2, arguments[1] == "list" {
            return print(Measure.counted.map(\.rawValue).joined(separator: "\n"))
        }
        guard arguments.count == 3, let measure = Measure(rawValue: arguments[1]), let count = Int(arguments[2]),
            count > 0
        else {
            FileHandle.standardError.write(Data("usage: Instructions list | MEASURE COUNT\n".utf8))
            exit(2)
        }
        let work = try Work()
        var total = 0
        for index in 0..<count { total += try work.run(measure, index) }
        // Printed so that the compiler cannot leave the work out.
        print(measure.rawValue, total)
    }
}

/// The measured operations, each once per message.
enum Measure: String, CaseIterable {
    case decodeReport = "decode-report"
    case decodeSignature = "decode-signature"
    case decideScope = "decide-scope"
    case decideRoute = "decide-route"
    case decideHandoff = "decide-handoff"
    case mask
    case encodeDispatch = "encode-dispatch"
    case encodeReceipt = "encode-receipt"
    /// Timed, not counted: the cipher's instructions depend on the processor.
    case sealOriginal = "seal-original"

    static let counted = allCases.filter { $0 != .sealOriginal }
}

/// The inputs, created once.
struct Work {
    private static let moment = Instant(microsecondsSinceEpoch: 1_772_438_400_000_000)
    /// As many different reports as a batch may have.
    private static let reportCount = 50

    private let rulebook: Rulebook
    private let units: [RoutingUnit]
    private let submissions: [Submission]
    private let reportBodies: [[UInt8]]
    private let signatureBody: [UInt8]
    private let masks: [Mask]
    private let vault: Vault

    init() throws {
        let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
            .deletingLastPathComponent()
            .deletingLastPathComponent()
        let yaml = try String(
            contentsOf: root.appending(path: "Sources/Setup/Installation/Resources/policy_cn_discipline.yaml"),
            encoding: .utf8)
        rulebook = try Rulebook(PolicyFile.read(yaml, named: "policy"))
        units = SampleOffice.standard.units.map {
            RoutingUnit(id: $0.id, kind: $0.kind, region: $0.region, levels: Set($0.levels))
        }
        let corpus = Corpus(seed: 1, receivedAround: Work.moment)
        let reports = (0..<Work.reportCount).map { corpus.report(at: $0) }
        submissions = reports.map(\.submission)
        masks = submissions.map { Mask(reporters: $0.reporters) }
        guard let recipient = SealingKey(rawRepresentation: [9] + Array(repeating: 0, count: 31)) else {
            preconditionFailure("the base point of X25519 is a key")
        }
        vault = Vault(recipient: recipient)
        reportBodies = reports.map { report in
            Wire.encode(
                CloudEvent(
                    id: report.id, source: .source(report.source), type: .reportSubmitted, subject: report.id,
                    time: Work.moment, data: report.submission))
        }
        signatureBody = Wire.encode(
            CloudEvent(
                id: "signed-1", source: .unit(UnitID(unchecked: "c01")), type: .handoffSigned,
                subject: Work.handoffID.description, time: Work.moment,
                data: HandoffSigned(digest: String(repeating: "0b", count: 32), signedBy: "收发室")))
    }

    private static let reportID = ReportID(UUID(uuid: (1, 149, 165, 242, 108, 0, 122, 188, 141, 239, 0, 0, 0, 0, 0, 1)))
    private static let handoffID = HandoffID(
        UUID(uuid: (1, 149, 165, 242, 108, 0, 122, 188, 141, 239, 0, 0, 0, 0, 0, 2)))

    /// Does the operation; the result depends on the work.
    func run(_ measure: Measure, _ index: Int) throws -> Int {
        let place = index % submissions.count
        let submission = submissions[place]
        switch measure {
        case .decodeReport:
            return try Message(reading: reportBodies[place], typeHint: MessageType.reportSubmitted.rawValue).envelope.id
                .utf8.count
        case .decodeSignature:
            return try Message(reading: signatureBody, typeHint: MessageType.handoffSigned.rawValue).envelope.id.utf8
                .count
        case .decideScope:
            let facts = ReportFacts(submission: submission, sourceKind: "web")
            let sealed = rulebook.sealing(of: facts) == nil ? 0 : 1
            return rulebook.scope(of: facts).proposals.count + rulebook.unknownVocabulary(in: submission).count + sealed
        case .decideRoute:
            let ruling = rulebook.route(ReportFacts(submission: submission, sourceKind: "web"), among: units)
            return ruling.rule.row.utf8.count
        case .decideHandoff: return try walk()
        case .mask: return masks[place].apply(to: submission).text.utf8.count
        case .sealOriginal:
            return try vault.seal(reportBodies[place], of: Work.reportID, at: Work.moment).sealed.count
        case .encodeDispatch: return Wire.encode(dispatch(submission)).count
        case .encodeReceipt:
            let accepted = ReportAccepted(
                number: "2026-00000123", state: .registered, rule: "cn-discipline@1/scope-named", authority: nil)
            return Wire.encode(
                CloudEvent(
                    id: "receipt-1", source: .office(.intake), type: .reportAccepted, subject: "sample-1",
                    time: Work.moment, inreplyto: "sample-1", data: accepted)
            ).count
        }
    }

    private func dispatch(_ submission: Submission) -> CloudEvent<HandoffDispatched> {
        CloudEvent(
            id: "dispatch-1", source: .office(.routing), type: .handoffDispatched, subject: Work.handoffID.description,
            time: Work.moment,
            data: HandoffDispatched(
                number: "2026-00000123", kind: "transfer", matterKind: submission.matterKind, title: submission.title,
                text: submission.text, region: submission.region, accused: submission.accused,
                allegations: submission.allegations, attachments: [], signBy: Work.moment, resultOwed: true,
                rule: "cn-discipline@1/route-city"))
    }

    /// One handoff from its release to its end, with its clocks and its ledger entries.
    private func walk() throws -> Int {
        let unit = UnitID(unchecked: "c01")
        var file = CaseFile(
            new: Report(
                id: Work.reportID, number: 202_600_000_123, source: SourceID(unchecked: "web"),
                submissionID: "sample-1", digest: [1], state: .registered, sourceKind: "web", matterKind: "accusation",
                region: "p-c01", realName: true, receivedAt: Work.moment, registeredAt: Work.moment,
                verdict: .registered, rule: "cn-discipline@1/scope-named", reason: nil, authority: nil, repeatOf: nil,
                receiptOnly: false, handoffCount: 0, head: .genesis), barred: [])
        try file.apply(.routed)
        file.open(
            Handoff(
                id: Work.handoffID, reportID: Work.reportID, attempt: 1, unit: unit, kind: "transfer", state: .released,
                express: false, rule: "cn-discipline@1/route-city", digest: [3], releasedAt: Work.moment),
            clocks: rulebook.clocks(startedBy: .released, handoffKind: "transfer", at: Work.moment), otherwise: nil)
        for move in [
            HandoffMove.confirmed, .signed, .progressed, .decided(disposition: "talk_inquiry"),
            .concluded(outcome: "clarified"),
            .conclusionAccepted(rule: "cn-discipline@1/conclusion-accepted"),
        ] {
            try file.move(Work.handoffID, move, act: "act-1", by: "unit.c01", at: Work.moment, under: rulebook)
        }
        guard file[handoff: Work.handoffID]?.state == .closed else { throw NotClosed() }
        return file.newEntries.count + file.clocks.count
    }

    struct NotClosed: Error {}
}
