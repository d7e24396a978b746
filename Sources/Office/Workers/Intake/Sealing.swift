import Basics
import BrokerTopology
import CaseStore
import Casework
public import Contract
import Crypto
import Foundation

/// The sealed pass-through: what only a superior may handle is neither copied, excerpted nor entered. The original bytes are
/// sealed in memory to the superior's key; the books hold envelope number, digest, times and hands.
public struct Sealing: Sendable {
    /// For superiors without a key: sealed mail, whose private half is kept elsewhere.
    let mailKey: SealingKey

    public init(mailKey: SealingKey) { self.mailKey = mailKey }

    /// A superior's own key, or where it has none the sealed mail's. `nil` of a key that is none: never the mail's in its stead.
    private func key(of superior: UnitRow) -> SealingKey? {
        guard let own = superior.sealingKey else { return mailKey }
        return SealingKey(rawRepresentation: own)
    }

    /// Whether something can be sealed to a superior.
    func canSeal(to superior: UnitRow) -> Bool { key(of: superior) != nil }

    func passUp(
        _ parcel: Parcel, _ reportID: ReportID, ruling: SealingRuling, to superior: UnitRow, in docket: inout Docket
    ) throws {
        guard var file = docket.files[reportID], let key = key(of: superior) else { return }
        let handoffID = HandoffID.make(at: docket.wall)
        let eventID = UUID.version7(at: docket.wall)
        let sealed = try SealedData.seal(
            parcel.body, contentType: parcel.contentType ?? MediaType.cloudEvents,
            number: file.report.displayNumber, to: key, id: eventID.lowercased, type: .handoffDispatched,
            subject: handoffID.description)
        let express = docket.rulebook.handoffKinds[ruling.handoffKind]?.express ?? false
        guard let digest = docket.send(
            .handoffDispatched, to: .unit(superior.id), subject: handoffID.description, data: sealed, reports: [reportID],
            handoff: handoffID, eventID: eventID,
            queue: Topology.Queue.handoff(to: superior.id, express: express),
            contentType: MediaType.sealed)
        else { return }
        file.add(
            Handoff(
                id: handoffID, reportID: reportID, attempt: 1, unit: superior.id, kind: ruling.handoffKind, state: .released,
                express: express, rule: ruling.rule.description, digest: digest, releasedAt: docket.now,
                noClockReason: docket.rulebook.noClockReason(handoffKind: ruling.handoffKind)))
        file.start(docket.rulebook.clocks(startedBy: .released, handoffKind: ruling.handoffKind, at: docket.now), for: handoffID)
        file.record(
            .passedUp(
                handoff: handoffID, unit: superior.id, key: key.id, rule: ruling.rule.description,
                commitment: docket.commitment(to: digest, of: reportID, for: .unit(superior.id))),
            at: docket.now, by: docket.officeName)
        docket.files[reportID] = file
        docket.reportOf[handoffID] = reportID
    }
}
