import Basics
import BrokerTopology
import Casework
import Contract
import Crypto
import Foundation
import Testing
import TestOffice

/// Developers of other systems follow `docs/contract/README.md`: its lists match the code.
@Suite("Onboarding page")
struct OnboardingPageTests {
    let lines: [Substring]

    init() throws {
        lines = try PublishedContract.text("README.md").split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// The cells of the tables below a heading, without their heads.
    private func rows(below heading: String) throws -> [[String]] {
        let start = try #require(lines.firstIndex { $0 == "## \(heading)" }, "no section \(heading)")
        let section = lines[(start + 1)...].prefix { !$0.hasPrefix("## ") }
        var rows: [[String]] = []
        var isBody = false
        for line in section {
            if line.hasPrefix("|---") {
                isBody = true
            } else if !line.hasPrefix("|") {
                isBody = false
            } else if isBody {
                rows.append(line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) })
            }
        }
        return rows
    }

    private func names(_ rows: [[String]]) -> [String] {
        rows.compactMap { $0.first?.firstMatch(of: /^`([^`]+)`/).map { String($0.1) } }
    }

    // MARK: Codes

    /// The codes of problems in the sources. A code that is written there in another way than as a literal, or as a
    /// case of `Refusal`, must be listed here, so that no code is missed.
    private static func codes() throws -> Set<String> {
        let passedOn: Set = ["code", "reason", "refusal.rawValue", "blame.rawValue"]
        var codes = Set(Casework.Refusal.allCases.map(\.rawValue))
        var unknown: [String] = []
        for room in ["Rules/Casework", "Wire/Contract", "Office/Workers"] {
            let folder = PublishedContract.root.appending(path: "Sources/\(room)")
            for path in try #require(FileManager.default.enumerator(atPath: folder.path)).compactMap({ $0 as? String })
            where path.hasSuffix(".swift") {
                let text = try String(contentsOf: folder.appending(path: path), encoding: .utf8)
                for match in text.matches(of: /(?:Problem|DeadLetterReason|self\.init)\(\s*code: ([^,]+),/) {
                    let literals = match.1.matches(of: /"([^"]+)"/).map { String($0.1) }
                    codes.formUnion(literals)
                    if literals.isEmpty, !passedOn.contains(String(match.1)),
                        !match.1.contains(/^Refusal\.\w+\.rawValue$/)
                    {
                        unknown.append("\(path): \(match.1)")
                    }
                }
                // What an office blames on a message is a list of its own.
                if let blame = text.firstMatch(of: /enum Blame: String[^{]*{([^}]*)}/) {
                    codes.formUnion(blame.1.matches(of: /= "(\w+)"/).map { String($0.1) })
                }
                // The two ways in which a code is passed on.
                codes.formUnion(text.matches(of: #/add\("([a-z0-9_]+)",/#).map { String($0.1) })
                for match in text.matches(of: /let reason = [^\n]*\? "(\w+)" : "(\w+)"/) {
                    codes.formUnion([String(match.1), String(match.2)])
                }
            }
        }
        #expect(unknown == [], "codes that are made in a way this test does not see")
        return codes
    }

    @Test("the table of codes has every code of the sources, once, and no other")
    func listsEveryCode() throws {
        let listed = try rows(below: "What is refused, and with which code").filter { $0.count == 2 && !$0[1].isEmpty }
        let names = names(listed)
        #expect(names.count == listed.count && Set(names).count == names.count)
        let codes = try Self.codes()
        #expect(codes.count > 40, "the search for codes finds them")
        #expect(codes.subtracting(names).sorted() == [], "codes that the page does not explain")
        #expect(Set(names).subtracting(codes).sorted() == [], "codes that there are not")
    }

    // MARK: Types and limits

    @Test("the tables list every type of the contract, as handled or as planned")
    func listsEveryType() throws {
        let handled = try names(rows(below: "What you send and what you get"))
        // Papers travel in both directions.
        #expect(handled.sorted() == (PublishedSchemaTests.publicTypes + [.attachmentPart]).map(\.short).sorted())
        let planned = try rows(below: "Planned")
        #expect(
            Set(names(planned)) == Set(PlannedMessageType.allCases.map(\.short) + [MessageType.attachmentPart.short]))
        for row in planned {
            guard let type = PlannedMessageType.allCases.first(where: { "`\($0.short)`" == row[0] }) else { continue }
            let source = try PublishedContract.schema(type)["properties"]?["source"]?["$ref"]?.text
            #expect(source?.hasSuffix("/\(row[1])Party") == true, "\(row[0])")
        }
    }

    @Test("the table of limits has every limit of the code")
    func listsEveryLimit() throws {
        let listed = Dictionary(try rows(below: "Limits").map { ($0[0], $0[1]) }) { first, _ in first }
        let limits = Mirror(reflecting: Limits.standard).children.compactMap { child in
            child.label.map { ("`\($0)`", "\(child.value)") }
        }
        #expect(listed == Dictionary(uniqueKeysWithValues: limits))
    }

    // MARK: The worked dialogue

    private var dialogue: [[UInt8]] {
        lines.map { $0.drop { $0 == " " } }.filter { $0.hasPrefix("{") }.map { Array($0.utf8) }
    }

    @Test("every message of the dialogue fits its schema, and the office would accept the unit's messages")
    func dialogueFitsSchemas() throws {
        #expect(dialogue.count == 6)
        var subjects: Set<String> = []
        var ids: [String] = []
        for body in dialogue {
            #expect(SchemaJudge.shared.problems(in: body) == [])
            let envelope = try JSONDecoder().decode(Envelope.self, from: Data(body))
            subjects.insert(envelope.subject)
            ids.append(envelope.id)
            guard case .unit = envelope.source else { continue }
            let message = try Message(reading: body, typeHint: envelope.type.rawValue)
            let key = envelope.type.routingKey(from: envelope.source)
            #expect(Admission.problem(sender: envelope.source, routingKey: key, envelope: message.envelope) == nil)
            #expect(lines.contains { $0.contains("`\(key)`") }, "the page names the key \(key)")
        }
        #expect(subjects.count == 1 && Set(ids).count == ids.count)
    }

    @Test("the digest in the dialogue's signature is that of the handoff it shows")
    func dialogueSignsRightDigest() throws {
        let digest = Array(SHA256.hash(data: try #require(dialogue.first))).hexadecimal
        guard case .act(.signed(let signed)) = try Message(reading: dialogue[1], typeHint: nil).body else {
            Issue.record("the second message is no signature")
            return
        }
        #expect(signed.digest == digest)
    }

    @Test("exchanges and queues on the page are those of the topology")
    func usesExchangesAndQueuesOfTopology() throws {
        let cells = try rows(below: "What you get").map { $0.joined(separator: " ") }
        let expected: [(String, String, [String])] = [
            ("unit.u7", Topology.Exchange.feedback, Topology.Queue.all(of: .unit(UnitID(unchecked: "u7")))),
            ("source.web", Topology.Exchange.intake, Topology.Queue.all(of: .source(SourceID(unchecked: "web")))),
            ("person.li", Topology.Exchange.command, Topology.Queue.all(of: .person(PersonID(unchecked: "li")))),
        ]
        for (user, exchange, queues) in expected {
            let row = try #require(cells.first { $0.contains("`\(user)`") })
            #expect(([exchange] + queues).allSatisfy { row.contains("`\($0)`") }, "\(user)")
        }
    }
}
