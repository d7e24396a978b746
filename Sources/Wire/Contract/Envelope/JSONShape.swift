import Foundation

/// A check that bytes are JSON (RFC 8259), in one pass, before a decoder that recurses, accepts more than JSON and
/// other encodings than UTF-8, and ignores fields that it does not need.
///
/// Beyond the RFC it refuses what two readers would read differently: a name twice in one object, half a surrogate
/// pair; and U+0000.
struct JSONShape {
    /// True if the outermost object has `data_base64`, CloudEvents' name of data in Base64.
    let hasBase64Data: Bool

    init(of body: [UInt8], depthMax: Int) throws(Problem) {
        if body.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw Problem(code: "not_utf8", text: "the body begins with a byte order mark; JSON is sent without one")
        }
        guard String(validating: body, as: UTF8.self) != nil else { throw .notUTF8 }
        hasBase64Data = try body.withUnsafeBufferPointer { bytes throws(Problem) in
            var scan = JSONScan(bytes, depthMax: depthMax)
            try scan.body()
            return scan.hasBase64Data
        }
    }
}

extension Problem {
    fileprivate static let notUTF8 = Problem(code: "not_utf8", text: "the body is not UTF-8")
    fileprivate static let nul = Problem(
        code: "control_character", text: "the text holds the character U+0000, which no register can keep")
}

private struct JSONScan {
    private let bytes: UnsafeBufferPointer<UInt8>
    private let depthMax: Int
    private var index = 0
    /// Hashes of the names in all open objects, the innermost last. With 64 bits, different names share a hash only
    /// if a sender constructs them, and then only that sender's message is refused.
    private var names: [UInt64] = []
    /// True if the outermost object has `data_base64`.
    private(set) var hasBase64Data = false
    private static let base64Data = hash(of: "data_base64".utf8)

    init(_ bytes: UnsafeBufferPointer<UInt8>, depthMax: Int) {
        self.bytes = bytes
        self.depthMax = depthMax
        names.reserveCapacity(64)
    }

    mutating func body() throws(Problem) {
        try value(depth: 0)
        guard let byte = next() else { return }
        throw byte == 0 ? unexpected() : wrong("something follows behind its end")
    }

    /// - Parameter depth: the number of open lists and objects around the value.
    private mutating func value(depth: Int) throws(Problem) {
        switch next() ?? 0 {
        case UInt8(ascii: "\""): _ = try text()
        case UInt8(ascii: "{"): try object(depth: depth + 1)
        case UInt8(ascii: "["): try list(depth: depth + 1)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try number()
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        default: throw unexpected()
        }
    }

    // MARK: Lists and objects

    private mutating func list(depth: Int) throws(Problem) {
        try open(depth)
        if takeNext(UInt8(ascii: "]")) { return }
        repeat { try value(depth: depth) } while takeNext(UInt8(ascii: ","))
        guard takeNext(UInt8(ascii: "]")) else { throw unexpected() }
    }

    private mutating func object(depth: Int) throws(Problem) {
        try open(depth)
        if takeNext(UInt8(ascii: "}")) { return }
        let first = names.count
        repeat {
            guard next() == UInt8(ascii: "\"") else { throw unexpected() }
            let (place, hasEscapes) = try text()
            names.append(hash(of: place, hasEscapes: hasEscapes))
            guard takeNext(UInt8(ascii: ":")) else { throw unexpected() }
            try value(depth: depth)
        } while takeNext(UInt8(ascii: ","))
        guard takeNext(UInt8(ascii: "}")) else { throw unexpected() }
        if depth == 1 { hasBase64Data = names.contains(JSONScan.base64Data) }
        guard areDifferent(from: first) else {
            throw Problem(
                code: "repeated_name",
                text: "the object that ends at byte \(index) holds a name twice; two readers would read it differently")
        }
        names.removeLast(names.count - first)
    }

    private mutating func open(_ depth: Int) throws(Problem) {
        guard depth <= depthMax else {
            throw Problem(code: "too_deep", text: "the JSON is nested more than \(depthMax) deep")
        }
        index += 1
    }

    private mutating func areDifferent(from first: Int) -> Bool {
        names.withUnsafeMutableBufferPointer { all in
            var names = UnsafeMutableBufferPointer(rebasing: all[first...])
            names.sort()
            return zip(names, names.dropFirst()).allSatisfy { $0 != $1 }
        }
    }

    private func hash(of place: Range<Int>, hasEscapes: Bool) -> UInt64 {
        if hasEscapes,
            let name = try? JSONDecoder().decode(
                String.self, from: Data(bytes[(place.lowerBound - 1)...place.upperBound]))
        {
            return JSONScan.hash(of: name.utf8)
        }
        return JSONScan.hash(of: bytes[place])
    }

    /// The FNV-1a hash.
    private static func hash(of bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    // MARK: Texts

    /// Reads a text and returns the range between its quotes.
    private mutating func text() throws(Problem) -> (place: Range<Int>, hasEscapes: Bool) {
        index += 1
        let start = index
        var hasEscapes = false
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                index += 1
                return (start..<index - 1, hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try escape()
            case 0: throw .nul
            case ..<0x20: throw wrong("a bare control character stands in a text")
            default: index += 1
            }
        }
        throw unexpected()
    }

    private mutating func escape() throws(Problem) {
        index += 1
        guard index < bytes.count else { throw unexpected() }
        switch bytes[index] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"),
            UInt8(ascii: "r"), UInt8(ascii: "t"):
            index += 1
        case UInt8(ascii: "u"):
            switch try codeUnit() {
            case 0: throw .nul
            case 0xD800...0xDBFF:
                guard index + 1 < bytes.count, bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u")
                else { throw halfPair() }
                index += 1
                guard case 0xDC00...0xDFFF = try codeUnit() else { throw halfPair() }
            case 0xDC00...0xDFFF: throw halfPair()
            default: break
            }
        default: throw wrong("JSON has no such escape")
        }
    }

    /// Reads four hexadecimal digits after a `u`.
    private mutating func codeUnit() throws(Problem) -> UInt16 {
        index += 1
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard index < bytes.count else { throw unexpected() }
            switch bytes[index] {
            case let digit where isDigit(digit): unit = unit << 4 | UInt16(digit - 0x30)
            case let letter where (0x61...0x66).contains(letter | 0x20):
                unit = unit << 4 | UInt16((letter | 0x20) - 0x61 + 10)
            default: throw wrong("JSON has no such escape")
            }
            index += 1
        }
        return unit
    }

    private func halfPair() -> Problem { wrong("half a surrogate pair stands in a text") }

    // MARK: Numbers and words

    private mutating func number() throws(Problem) {
        if bytes[index] == UInt8(ascii: "-") { index += 1 }
        if index < bytes.count, bytes[index] == UInt8(ascii: "0") { index += 1 } else { try digits() }
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            index += 1
            try digits()
        }
        if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
            index += 1
            if index < bytes.count, bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-") {
                index += 1
            }
            try digits()
        }
    }

    /// Reads at least one digit.
    private mutating func digits() throws(Problem) {
        let start = index
        while index < bytes.count, isDigit(bytes[index]) { index += 1 }
        guard index > start else { throw unexpected() }
    }

    private func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    private mutating func word(_ word: StaticString) throws(Problem) {
        for offset in 0..<word.utf8CodeUnitCount {
            guard index < bytes.count, bytes[index] == word.utf8Start[offset] else { throw unexpected() }
            index += 1
        }
    }

    // MARK: Steps

    /// The next byte that is not blank, not consumed; `nil` at the end.
    private mutating func next() -> UInt8? {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x0A, 0x0D, 0x09: index += 1
            case let byte: return byte
            }
        }
        return nil
    }

    private mutating func takeNext(_ byte: UInt8) -> Bool {
        guard next() == byte else { return false }
        index += 1
        return true
    }

    private func unexpected() -> Problem {
        guard index < bytes.count else { return wrong("it ends too early") }
        // A zero byte outside a text suggests UTF-16.
        return bytes[index] == 0 ? .notUTF8 : wrong("this cannot stand here")
    }

    /// The problem at the current byte, counted from 0; it quotes nothing of the body.
    private func wrong(_ what: String) -> Problem {
        Problem(code: "not_json", text: "the body cannot be read as JSON: at byte \(index), \(what)")
    }
}
