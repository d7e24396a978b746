import Foundation
import Testing
@testable import PartyClient

@Suite("A journal")
struct WitnessJournalTests {
    private let file = FileManager.default.temporaryDirectory.appendingPathComponent(
        "journal-\(UUID().uuidString).jsonl")

    @Test("a journal returns what was written, whatever the ids contain")
    func keepsEntries() throws {
        defer { try? FileManager.default.removeItem(at: file) }
        let entries = [
            entry("plain"), entry("quote\"back\\slash\u{1}举报"),
            JournalEntry(
                fact: .delivered, at: 7, party: "unit.d1", id: "a", type: "t", subject: "s", inreplyto: "r",
                digest: "d", redelivered: true, sealed: true, matter: "m"),
        ]
        try Journal(file: file).append(entries)
        #expect(try JournalReader(file: file).entries() == entries)
    }

    @Test("a journal that is opened again is appended to")
    func appendsWhenReopened() throws {
        defer { try? FileManager.default.removeItem(at: file) }
        try Journal(file: file).append(entry("first"))
        try Journal(file: file).append(entry("second"))
        #expect(try JournalReader(file: file).entries().map(\.id) == ["first", "second"])
    }

    @Test("a journal continues after a torn line, and counts it")
    func continuesAfterTornLine() throws {
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("{\"fact\":\"published\",\"at\":12,\"par".utf8).write(to: file)
        try Journal(file: file).append(entry("whole"))
        var ids: [String] = []
        let torn = try JournalReader(file: file).read { ids.append($0.id) }
        #expect(ids == ["whole"])
        #expect(torn == 1)
    }

    @Test("a journal that cannot be opened is an error")
    func reportsUnwritableFile() {
        #expect(throws: PartyClientError.self) {
            try Journal(file: URL(fileURLWithPath: "/nonexistent/folder/x.jsonl"))
        }
    }

    private func entry(_ id: String) -> JournalEntry {
        JournalEntry(
            fact: .published, at: 42, party: "source.web", id: id, type: "bihuan.report.submitted.v1", subject: id,
            digest: "ab")
    }
}
