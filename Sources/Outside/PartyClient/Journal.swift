import Casework
public import Foundation
import Synchronization

/// One entry of a journal: a message that a party published, or that was delivered to it.
public struct JournalEntry: Codable, Hashable, Sendable {
    public enum Fact: String, Codable, Hashable, Sendable {
        /// The broker confirmed it.
        case published
        /// It was delivered; written before it is acknowledged.
        case delivered
    }

    public var fact: Fact
    /// Wall-clock microseconds since 1970. Published: when it was first passed to the broker; delivered: when it was
    /// received.
    public var at: Int64
    /// The owner of the journal: `source.web`, `unit.d1`.
    public var party: String
    /// The CloudEvents id.
    public var id: String
    public var type: String
    public var subject: String
    public var inreplyto: String?
    /// SHA-256 of the body, lower-case hexadecimal.
    public var digest: String
    /// The broker set the redelivered flag.
    public var redelivered: Bool?
    /// Its data was sealed.
    public var sealed: Bool?
    /// For a handoff that is not sealed: a digest that identifies its text, the same in every run with the same text.
    public var matter: String?

    public init(
        fact: Fact, at: Int64, party: String, id: String, type: String, subject: String, inreplyto: String? = nil,
        digest: String, redelivered: Bool? = nil, sealed: Bool? = nil, matter: String? = nil
    ) {
        self.fact = fact
        self.at = at
        self.party = party
        self.id = id
        self.type = type
        self.subject = subject
        self.inreplyto = inreplyto
        self.digest = digest
        self.redelivered = redelivered
        self.sealed = sealed
        self.matter = matter
    }

    /// Appends one line of JSON with its line end.
    fileprivate func write(to line: inout [UInt8]) {
        line += "{\"fact\":\"\(fact.rawValue)\",\"at\":\(at)".utf8
        JournalEntry.write("party", party, to: &line)
        JournalEntry.write("id", id, to: &line)
        JournalEntry.write("type", type, to: &line)
        JournalEntry.write("subject", subject, to: &line)
        if let inreplyto { JournalEntry.write("inreplyto", inreplyto, to: &line) }
        JournalEntry.write("digest", digest, to: &line)
        if redelivered == true { line += ",\"redelivered\":true".utf8 }
        if sealed == true { line += ",\"sealed\":true".utf8 }
        if let matter { JournalEntry.write("matter", matter, to: &line) }
        line += "}\n".utf8
    }

    private static func write(_ key: String, _ value: String, to line: inout [UInt8]) {
        line += ",\"\(key)\":\"".utf8
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): line += [UInt8(ascii: "\\"), byte]
            case 0..<0x20: line += "\\u00\([byte].hexadecimalDigits)".utf8
            default: line.append(byte)
            }
        }
        line.append(UInt8(ascii: "\""))
    }
}

extension [UInt8] {
    fileprivate var hexadecimalDigits: String {
        map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// An append-only file of what one party published and received. The witness compares it with the office's database.
///
/// A line is passed to the kernel before `append` returns, so a sudden end of the process loses nothing. A crash of
/// the machine may lose lines: nothing is forced to the disk.
public final class Journal: Sendable {
    private let descriptor: Mutex<Int32>

    /// Opens or creates the file; its folder must exist. A torn last line is ended with a line break, so that the
    /// next line is separate.
    public init(file: URL) throws {
        let path = file.path
        let opened = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard opened >= 0 else {
            throw PartyClientError(
                .journalUnwritable, "the journal \(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
        descriptor = Mutex(opened)
        let size = lseek(opened, 0, SEEK_END)
        var last: UInt8 = 0
        if size > 0, pread(opened, &last, 1, size - 1) == 1, last != UInt8(ascii: "\n") {
            try write([UInt8(ascii: "\n")])
        }
    }

    deinit { _ = descriptor.withLock { close($0) } }

    public func append(_ entry: JournalEntry) throws { try append([entry]) }

    /// Appends many lines with one write.
    public func append(_ entries: [JournalEntry]) throws {
        if entries.isEmpty { return }
        var lines: [UInt8] = []
        lines.reserveCapacity(entries.count * 360)
        for entry in entries { entry.write(to: &lines) }
        try write(lines)
    }

    private func write(_ bytes: [UInt8]) throws {
        try descriptor.withLock { descriptor in
            var done = 0
            while done < bytes.count {
                let written = bytes.withUnsafeBytes { bytes in
                    Foundation.write(descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done)
                }
                if written < 0, errno == EINTR { continue }
                guard written > 0 else {
                    throw PartyClientError(
                        .journalUnwritable, "a journal cannot be written: \(String(cString: strerror(errno)))")
                }
                done += written
            }
        }
    }
}

/// The files of a folder of journals.
public enum JournalFolder {
    /// The journal file of a party, such as `unit.d1.jsonl`.
    public static func file(of party: String, in folder: URL) -> URL { folder.appendingPathComponent("\(party).jsonl") }

    public static func files(in folder: URL) throws -> [URL] {
        do {
            return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
                .filter { $0.pathExtension == "jsonl" }.sorted { $0.path < $1.path }
        } catch {
            throw PartyClientError(
                .journalUnreadable, "the folder of journals \(folder.path) cannot be read", cause: error)
        }
    }
}

/// Reads a journal from its start. A torn line (its writer ended while writing it) is counted and skipped: its
/// message was never acknowledged.
public struct JournalReader: Sendable {
    public let file: URL

    public init(file: URL) { self.file = file }

    /// Calls `body` with each entry in order. Returns the number of torn lines. A missing file is an empty journal.
    @discardableResult
    public func read(_ body: (JournalEntry) throws -> Void) throws -> Int {
        guard FileManager.default.fileExists(atPath: file.path) else { return 0 }
        let data: Data
        do {
            data = try Data(contentsOf: file, options: .mappedIfSafe)
        } catch {
            throw PartyClientError(.journalUnreadable, "the journal \(file.path) cannot be read", cause: error)
        }
        let decoder = JSONDecoder()
        var torn = 0
        for line in data.split(separator: UInt8(ascii: "\n")) {
            guard let entry = try? decoder.decode(JournalEntry.self, from: line) else {
                torn += 1
                continue
            }
            try body(entry)
        }
        return torn
    }

    public func entries() throws -> [JournalEntry] {
        var entries: [JournalEntry] = []
        try read { entries.append($0) }
        return entries
    }
}
