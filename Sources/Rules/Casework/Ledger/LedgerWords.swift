public import Basics

/// The form of an entry: strings by string keys, `{"at":"…","by":"unit.d1","event":"signed",…}`. `LedgerRecord` reads
/// the meaning.
public struct LedgerWords: Hashable, Sendable {
    public let fields: [String: String]

    /// `nil` if the bytes do not have the ledger's form: strings without escapes by string keys.
    public init?(_ bytes: [UInt8]) {
        guard bytes.first == UInt8(ascii: "{"), bytes.last == UInt8(ascii: "}") else { return nil }
        var texts: [String] = []
        var separators: [UInt8] = []
        for (index, part) in bytes.dropFirst().dropLast().split(
            separator: UInt8(ascii: "\""), omittingEmptySubsequences: false
        )
        .enumerated() {
            if index.isMultiple(of: 2) {
                guard part.count <= 1 else { return nil }
                if let separator = part.first { separators.append(separator) }
            } else {
                texts.append(String(decoding: part, as: UTF8.self))
            }
        }
        guard texts.count.isMultiple(of: 2), separators.count == max(0, texts.count - 1),
            separators.enumerated().allSatisfy({
                $0.element == ($0.offset.isMultiple(of: 2) ? UInt8(ascii: ":") : UInt8(ascii: ","))
            })
        else { return nil }
        var fields: [String: String] = [:]
        for index in stride(from: 0, to: texts.count, by: 2) { fields[texts[index]] = texts[index + 1] }
        self.fields = fields
    }

    public var at: Instant? { fields["at"].flatMap { Instant($0) } }
}
