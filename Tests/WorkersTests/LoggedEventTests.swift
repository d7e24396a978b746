import Foundation
import Logging
import Testing

@testable import Workers

@Suite("The list of log lines")
struct LoggedEventTests {
    /// One of each.
    static let samples: [LoggedEvent] = {
        let error = LaneFault(reason: "no answer")
        return [
            .laneReady, .laneDrained, .laneEndedEarly(error), .laneInterrupted(error, attempts: 2),
            .laneStoodStill(newName: "intake-2"), .deadLanesAdopted(["a", "b"]), .policyChanged(to: "policy@1"),
            .waiting(.away, for: "messages", attempts: 1, error),
            .waiting(.installation, for: "messages", attempts: 1, error),
            .faultEnded(after: 3, work: "sweep", attempts: 2), .attemptFailed("relay", error),
            .batchFailed(messages: 5, error), .messageSetAside(from: "office.intake", error),
            .caseSetAside("id", error), .setAside("its addressee is barred by now"), .outboxRowNotSettled(error),
            .directoryUnreadable(error), .queueParked("unit.c01.inbox", .refusing), .queueFreed("unit.c01.inbox"),
            .queuesMissing(["unit.u1.acts"]),
            .databaseNotice(severity: "WARNING", code: "01000"), .notProtected("the broker, in the clear"),
            .monitorListens(host: "127.0.0.1", port: 9_511),
            .configurationReloaded(level: "info", needRestart: ["lane.lanes"]), .configurationNotReloaded("no file"),
        ]
    }()

    @Test("every kind of line can be said, and has the level, the text and the values that the list names")
    func samplesFit() {
        #expect(Set(Self.samples.map(\.kind)) == Set(LoggedEvent.Kind.allCases))
        for event in Self.samples {
            #expect(Set(event.metadata.keys) == Set(event.kind.fields), "\(event.kind)")
            if let level = event.kind.level { #expect(event.level == level, "\(event.kind)") }
            #expect(event.message.replacing(/\d+/, with: "N") == event.kind.rawValue)
        }
    }

    @Test("the page for operators has these lines, and no others")
    func page() throws {
        let file = OfficeUnderTest.root.appending(path: "docs/logs.md")
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        let rows = lines.drop { !$0.hasPrefix("| message |") }.dropFirst(2).prefix { $0.hasPrefix("|") }
        let told = rows.map { row in
            row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }.prefix(3).joined(separator: "|")
        }
        let listed = LoggedEvent.Kind.allCases.map { kind in
            let fields = kind.fields.map { "`\($0.rawValue)`" }.joined(separator: " ")
            return
                "`\(kind.rawValue)`|\(kind.level?.rawValue ?? "as PostgreSQL's own")|\(fields.isEmpty ? "–" : fields)"
        }
        #expect(told == listed)
    }
}
