import Basics
import Foundation
import Testing

@testable import Casework

@Suite("Chains of units and the office")
struct SubjectChainTests {
    @Test("what is entered follows the head that was loaded, and its time never goes back")
    func record() throws {
        var head = LedgerHead.genesis
        let entered = head.append(
            LedgerRecord(.entered(.unit(UnitID(unchecked: "d1"))), at: CaseFileTests.now, by: "owner"))
        let loaded = SubjectChain(
            loaded: .unit(UnitID(unchecked: "d1")), id: ReportID(UUID()), head: head)
        var chain = loaded
        let letter = UUID()
        for end in LedgerEvent.DeadLetterEnd.allCases {
            chain.record(
                .deadLetterSettled(letter, as: end, reason: "not_json"), at: CaseFileTests.now.adding(seconds: -5),
                by: "person.sun")
        }
        #expect(chain.loadedHead == head && chain.newEntries.map(\.sequence) == [2, 3])
        #expect(LedgerHead.firstBreak(in: [entered] + chain.newEntries, endingIn: chain.head) == nil)
        #expect(chain.newEntries.compactMap { LedgerRecord($0.bytes)?.at } == [CaseFileTests.now, CaseFileTests.now])
        #expect(loaded.newEntries.isEmpty, "a copy is a value")
    }
}
