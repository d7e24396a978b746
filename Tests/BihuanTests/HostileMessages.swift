import Contract
import Foundation

/// What attackers write into a field: as it stands between the quotes of a JSON text.
struct HostileText {
    let what: String
    let json: String

    /// - Parameter mark: the path of a file that appears if a text is run as a command or used as a path.
    static func all(mark: String) -> [HostileText] {
        let up = String(repeating: "../", count: 12)
        return [
            .init("SQL that ends a literal", "'); DROP TABLE report; DELETE FROM inbox; --"),
            .init("SQL in other quotes", #"\"; DROP TABLE outbox; $$ $1 E'\\' \\'; UPDATE unit SET name = NULL; /*"#),
            .init("words for a shell", "$(touch \(mark)) `touch \(mark)` ; touch \(mark) | touch \(mark) & ${IFS}"),
            .init("one word for a shell", "$(touch${IFS}\(mark))"),
            .init("formats and templates", "%s%n%x%@%1$s {0} ${jndi:ldap://127.0.0.1/x} {{7*7}} #{7*7} \\\\(7)"),
            .init("U+0000", #"a\u0000b"#),
            .init("escapes for a terminal", #"\u001b]0;owned\u0007\u001b[2J\u001b[31m\u009b31m\b\f\u007f"#),
            .init(
                "lines of a log",
                #"x\r\n2026-01-01T00:00:00.000Z error intake forged by its sender\n"#
                    + #"{\"event\":\"forged by its sender\",\"level\":\"error\","#
                    + #"\"worker\":\"intake\",\"time\":\"x\"}\n"#
            ),
            .init("another direction", #"\u202e\u2066\u200b\u2028\u2029\ufeff\ufffe\uffff\u0085卡"#),
            .init("four bytes", #"😀𠮷\ud83d\ude00🇨🇳👩‍👩‍👧"#),
            .init("half a pair, the high one", #"甲\ud800乙"#),
            .init("half a pair, the low one", #"甲\udfff乙"#),
            .init("markup", #"<script>alert(1)</script>\" onload='x' <img src=x onerror=alert(1)> &amp; ]]> <!--"#),
            .init("a path upwards", up + mark.dropFirst()),
            .init("a path from the root", mark),
            .init("a path of Windows", #"C:\\Windows\\..\\..\\"# + mark.dropFirst().replacing("/", with: #"\\"#)),
            .init("100,000 bytes", String(repeating: "长x", count: 25_000)),
        ]
    }

    private init(_ what: String, _ json: String) { (self.what, self.json) = (what, json) }

    /// The text itself; `nil` where JSON has no such text.
    var text: String? { try? JSONDecoder().decode(String.self, from: Data("\"\(json)\"".utf8)) }

    /// No text of a log, a terminal, a page or a metric has one of these.
    static func isHarmless(_ text: some StringProtocol) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            scalar == "\n"
                || !(scalar.value < 32 || 0x7F...0x9F ~= scalar.value || scalar.properties.generalCategory == .format
                    || scalar.value == 0x2028 || scalar.value == 0x2029)
        }
    }
}

/// A golden message with one field that somebody else filled.
struct HostileMessage {
    let type: MessageType
    let party: Party
    /// The property `message-id`, and the id of the act unless that is the field.
    let messageID: String
    let id: String?
    /// The field, and what stands in it.
    let what: String
    let body: [UInt8]
    let key: String
    /// What its subject names is its own: it may change it.
    let isAlone: Bool
}

/// Makes every golden message of a type anew with each hostile text in each of its texts, and as a new name in each of
/// its objects.
struct HostileMessages {
    private enum Step {
        case name(String)
        case index(Int)
    }

    private static let token = "@hostile@"
    let texts: [HostileText]

    /// - Parameters:
    ///   - worker: for commands, the worker that reads it.
    ///   - subject: of the next message; told whether it is one that may have an effect, and so needs a subject of its
    ///     own. `nil`: its own id.
    func of(
        _ type: MessageType, from party: Party, to worker: Worker? = nil, subject: (_ isAlone: Bool) throws -> String?
    ) throws -> [HostileMessage] {
        let example = try JSONSerialization.jsonObject(with: Data(type.definition.example))
        var made: [HostileMessage] = []
        for path in HostileMessages.places(in: example) {
            for text in texts { made.append(try message(type, party, worker, example, path, text, subject)) }
        }
        return made
    }

    private func message(
        _ type: MessageType, _ party: Party, _ worker: Worker?, _ example: Any, _ path: [Step], _ text: HostileText,
        _ subject: (Bool) throws -> String?
    ) throws -> HostileMessage {
        var json = example as? [String: Any] ?? [:]
        let id = UUID().uuidString
        let field = path.map { step in
            switch step {
            case .name(let name): name
            case .index(let index): "\(index)"
            }
        }.joined(separator: ".")
        let isAlone = field.hasPrefix("data")
        let own = try subject(isAlone)
        (json["id"], json["source"], json["subject"]) = (id, party.description, own ?? id)
        var changed = HostileMessages.replaced(json, path[...]) as? [String: Any] ?? [:]
        // Of a report the subject is its id.
        if field == "id", own == nil { changed["subject"] = HostileMessages.token }
        // An id must be new to be an act of its own.
        let written = text.json + (field == "id" ? "-\(id)" : "")
        let bytes = String(decoding: try JSONSerialization.data(withJSONObject: changed), as: UTF8.self)
            .replacing("\"\(HostileMessages.token)\"", with: "\"\(written)\"")
        return HostileMessage(
            type: type, party: party, messageID: UUID().uuidString,
            id: field == "id" ? text.text.map { "\($0)-\(id)" } : id, what: "\(type.short) \(field): \(text.what)",
            body: Array(bytes.utf8), key: type.routingKey(from: party, owner: worker), isAlone: isAlone)
    }

    /// Every text, and a new name in every object.
    private static func places(in value: Any) -> [[Step]] {
        switch value {
        case let object as [String: Any]:
            [[.name(token)]]
                + object.sorted { $0.key < $1.key }.flatMap { name, value in
                    places(in: value).map { [.name(name)] + $0 }
                }
        case let list as [Any]:
            list.enumerated().flatMap { index, value in places(in: value).map { [.index(index)] + $0 } }
        case is String: [[]]
        default: []
        }
    }

    private static func replaced(_ value: Any, _ path: ArraySlice<Step>) -> Any {
        guard let step = path.first else { return token }
        switch step {
        case .name(let name):
            var object = value as? [String: Any] ?? [:]
            // A new name has no value yet.
            object[name] = object[name].map { replaced($0, path.dropFirst()) } ?? 1
            return object
        case .index(let index):
            var list = value as? [Any] ?? []
            list[index] = replaced(list[index], path.dropFirst())
            return list
        }
    }
}
