import Basics
import CaseStore
import Casework
import Contract
import Foundation
import PostgreSQL
import TestOffice
import Testing

@testable import Workers

@Suite(
    "The policy that decides", .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct ActivePolicyTests {
    private func text(version: Int, _ change: (String) -> String = { $0 }) throws -> String {
        change(try OfficeUnderTest.policyText().replacing("\nversion: 1\n", with: "\nversion: \(version)\n"))
    }

    private func activate(_ yaml: String, in office: OfficeUnderTest) throws {
        let owner = try office.database()
        defer { owner.close() }
        try ActivePolicy.activate(yaml, named: "policy", by: "a test", at: .wall(), on: owner)
    }

    private func rule(_ received: ReceivedMessage) -> String { received.data["rule"] as? String ?? "" }

    @Test("an activated policy decides on all lanes without a restart; every decision names its own version")
    func takesEffectWithoutRestart() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city) = (try office.source(), try office.unit("c01"))
        let before = try office.handOff(from: source, to: city)
        try activate(text(version: 2), in: office)
        try office.log.wait(for: "another policy decides", lines: 4)
        try source.submit(.new())
        #expect(rule(try source.receive()).hasPrefix("cn-discipline@2/"))
        _ = try city.receiveHandoff()
        // Earlier handoffs continue.
        try city.sign(before)
        try city.decide(before)
        try city.conclude(before)
        let judged = try city.receive()
        #expect(judged.type == MessageType.conclusionAccepted.rawValue && rule(judged).hasPrefix("cn-discipline@2/"))
        #expect(
            try office.texts("SELECT DISTINCT split_part(rule, '/', 1) FROM handoff ORDER BY 1") == [
                "cn-discipline@1", "cn-discipline@2",
            ])
        // Back to the one before: the same text under its version.
        try activate(text(version: 1), in: office)
        try office.log.wait(for: "another policy decides", lines: 8)
        try source.submit(.new())
        #expect(rule(try source.receive()).hasPrefix("cn-discipline@1/"))
        #expect(
            try office.texts("SELECT version || ' ' || activated_by FROM policy_activation ORDER BY number")
                == ["1 a test", "2 a test", "1 a test"])
        try office.expectWholeLedger()
        try office.close()
    }

    @Test("the same version with another text is refused, and so is an invalid policy; nothing changes")
    func refusesChangedOrInvalidPolicy() throws {
        let office = try OfficeUnderTest()
        let before = try office.texts(
            "SELECT (SELECT count(*) FROM policy_version) || ' ' || (SELECT count(*) FROM policy_activation)")
        let fault = #expect(throws: ActivePolicy.Fault.self) {
            try activate(text(version: 1) { $0 + "\n# another text\n" }, in: office)
        }
        #expect(fault?.description.contains("was entered before with another text") == true)
        #expect(throws: PolicyError.self) {
            try activate(text(version: 3) { $0.replacing("case_office:", with: "case_offise:") }, in: office)
        }
        #expect(
            try office.texts(
                "SELECT (SELECT count(*) FROM policy_version) || ' ' || (SELECT count(*) FROM policy_activation)")
                == before)
        try office.close()
    }

    @Test("a policy of a newer program version stops decisions: nothing is blamed, and the log says so")
    func waitsForNewerPolicyFormat() throws {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        try office.log.wait(for: "lane ready")
        try office.change(
            """
            INSERT INTO policy_version (name, version, digest, yaml, loaded_at) VALUES ('cn-discipline', 9, 'd', \
            'newer: {words: 1}', now());
            INSERT INTO policy_activation (name, version, activated_at, activated_by) VALUES ('cn-discipline', 9, \
            now(), 'newer')
            """)
        try office.log.wait(
            for: "the active policy cn-discipline@9 cannot be read by this version of the program", lines: 2)
        let source = try office.source()
        let id = try source.submit(.new())
        try office.log.wait(
            for: "the active policy cn-discipline@9 cannot be read by this version of the program", lines: 4)
        #expect(try office.count("SELECT count(*) FROM inbox") == 0)
        try activate(text(version: 10), in: office)
        let answer = try source.receive(within: 30)
        #expect(answer.inReplyTo == id && rule(answer).hasPrefix("cn-discipline@10/"))
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.close()
    }

    @Test("a policy that does not know the kind of an open handoff lets it continue to its end")
    func letsOpenHandoffsOfUnknownKindFinish() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, department) = (try office.source(), try office.unit("d1"))
        let arrived = try office.handOff(.new(level: "province"), from: source, to: department)
        #expect(try office.texts("SELECT kind FROM handoff") == ["transfer"])
        try activate(text(version: 2) { $0.replacing(/\btransfer\b/, with: "handover") }, in: office)
        try office.log.wait(for: "another policy decides", lines: 4)
        try department.sign(arrived)
        try office.waitForState("signed", of: arrived)
        // No clock of the new policy is for it, and that is said (invariant 8).
        #expect(try office.texts("SELECT no_clock_reason FROM handoff") == ["the policy in force has no clock for it"])
        try department.decide(arrived)
        try department.conclude(arrived)
        #expect(try department.receive().type == MessageType.conclusionAccepted.rawValue)
        try office.waitForState("closed", of: arrived)
        #expect(try office.count("SELECT count(*) FROM dead_letter") == 0)
        try office.close()
    }
}
