import Basics

/// A visitor of all texts of a submission. Masking (invariant 6), limits, repeats and the size of a handoff all use it.
///
/// The switches below are exhaustive over the fields read from the wire, so a new field that is not handled here
/// does not compile.
public protocol TextVisitor {
    /// A text that a person wrote.
    mutating func visit(_ text: inout String, at place: TextPlace, as kind: TextKind)
    /// A value that is checked to be a word of the policy, an id, or of a fixed form.
    mutating func visit(code: inout String?, at place: TextPlace, as kind: CodeKind)
}

public enum TextKind: Sendable {
    case title, body
    case accusedName
    /// Other words about the accused, the words of an act, or a file name.
    case words(isRequired: Bool)
    /// A text about the reporter. It never leaves the vault.
    case reporter
}

public enum CodeKind: Sendable {
    /// An id of the policy.
    case vocabulary
    case placeCode
    case unit
    case digest
    case mediaType
}

/// The place of a text: `data.accused[0].name`. The string is built only on demand.
public struct TextPlace: Sendable, CustomStringConvertible {
    public let list: Substring?
    public let index: Int
    public let field: Substring

    public var description: String { list.map { "data.\($0)[\(index)].\(field)" } ?? "data.\(field)" }
}

extension Submission {
    /// Passes each text and code to a visitor, which may change it.
    public mutating func visitTexts(_ visitor: inout some TextVisitor) {
        func place(_ field: Substring) -> TextPlace { TextPlace(list: nil, index: 0, field: field) }
        for key in CodingKeys.allCases {
            switch key {
            case .receivedAt: break
            case .matterKind: visitor.visit(code: &matterKind, at: place("matterKind"), as: .vocabulary)
            case .title: visitor.visit(&title, at: place("title"), as: .title)
            case .text: visitor.visit(&text, at: place("text"), as: .body)
            case .region: visitor.visit(code: &region, at: place("region"), as: .placeCode)
            case .reporters: for index in reporters.indices { reporters[index].visitTexts(&visitor, index) }
            case .accused: for index in accused.indices { accused[index].visitTexts(&visitor, index) }
            case .allegations: for index in allegations.indices { allegations[index].visitTexts(&visitor, index) }
            case .attachments: for index in attachments.indices { attachments[index].visitTexts(&visitor, index) }
            }
        }
    }
}

extension Reporter {
    fileprivate mutating func visitTexts(_ visitor: inout some TextVisitor, _ index: Int) {
        func place(_ field: Substring) -> TextPlace { TextPlace(list: "reporters", index: index, field: field) }
        for key in CodingKeys.allCases {
            switch key {
            case .name: visitor.visit(given: &name, at: place("name"), as: .reporter)
            case .organ: visitor.visit(given: &organ, at: place("organ"), as: .reporter)
            case .phone: visitor.visit(given: &phone, at: place("phone"), as: .reporter)
            case .email: visitor.visit(given: &email, at: place("email"), as: .reporter)
            case .idNumber: visitor.visit(given: &idNumber, at: place("idNumber"), as: .reporter)
            case .address: visitor.visit(given: &address, at: place("address"), as: .reporter)
            case .consent: break
            }
        }
    }
}

extension Accused {
    fileprivate mutating func visitTexts(_ visitor: inout some TextVisitor, _ index: Int) {
        func place(_ field: Substring) -> TextPlace { TextPlace(list: "accused", index: index, field: field) }
        for key in CodingKeys.allCases {
            switch key {
            case .name: visitor.visit(&name, at: place("name"), as: .accusedName)
            case .organ: visitor.visit(given: &organ, at: place("organ"), as: .words(isRequired: false))
            case .position: visitor.visit(given: &position, at: place("position"), as: .words(isRequired: false))
            case .level: visitor.visit(code: &level, at: place("level"), as: .vocabulary)
            case .region: visitor.visit(code: &region, at: place("region"), as: .placeCode)
            case .unit:
                // The id of an existing unit: visited, never changed.
                var id = unit?.rawValue
                visitor.visit(code: &id, at: place("unit"), as: .unit)
            }
        }
    }
}

extension Allegation {
    fileprivate mutating func visitTexts(_ visitor: inout some TextVisitor, _ index: Int) {
        func place(_ field: Substring) -> TextPlace { TextPlace(list: "allegations", index: index, field: field) }
        for key in CodingKeys.allCases {
            switch key {
            case .category: visitor.visit(code: &category, at: place("category"), as: .vocabulary)
            case .act: visitor.visit(&act, at: place("act"), as: .words(isRequired: true))
            }
        }
    }
}

extension Attachment {
    fileprivate mutating func visitTexts(_ visitor: inout some TextVisitor, _ index: Int) {
        func place(_ field: Substring) -> TextPlace { TextPlace(list: "attachments", index: index, field: field) }
        for key in CodingKeys.allCases {
            switch key {
            case .name: visitor.visit(&name, at: place("name"), as: .words(isRequired: true))
            case .mediaType: visitor.visit(code: &mediaType, at: place("mediaType"), as: .mediaType)
            case .bytes: break
            case .sha256:
                var digest: String? = sha256
                visitor.visit(code: &digest, at: place("sha256"), as: .digest)
            }
        }
    }
}

extension TextVisitor {
    fileprivate mutating func visit(given text: inout String?, at place: TextPlace, as kind: TextKind) {
        guard var given = text else { return }
        visit(&given, at: place, as: kind)
        text = given
    }
}

/// The name of a media type: `type/subtype` by the grammar of RFC 6838, 4.2, in lower case. Parameters are cut,
/// since they may contain any text.
public enum MediaTypeName {
    /// The name in normal form; `nil` if the text has another form.
    public static func normal(_ text: String) -> String? {
        let name = text.prefix { $0 != ";" }.utf8
        let trimmed = name.drop { $0 == 0x20 || $0 == 0x09 }
        let end = trimmed.lastIndex { $0 != 0x20 && $0 != 0x09 }.map(trimmed.index(after:)) ?? trimmed.startIndex
        let parts = trimmed[..<end].split(separator: 0x2F, omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ isRestricted($0) }) else { return nil }
        return String(trimmed[..<end])?.lowercased()
    }

    private static func isRestricted(_ name: Substring.UTF8View) -> Bool {
        guard (1...127).contains(name.count), let first = name.first, isLetterOrDigit(first) else { return false }
        return name.allSatisfy { isLetterOrDigit($0) || "!#$&-^_.+".utf8.contains($0) }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }
}
