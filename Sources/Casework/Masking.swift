/// Replaces what would tell who the reporter is, wherever it stands (invariant 6): 〔举报人〕 〔电话〕 〔证件号〕 〔邮箱〕 〔住址〕
/// 〔单位〕 for the name, phone, identity number, e-mail, address and organ the reporter gave.
///
/// Found in spite of full-width forms, letter case, Chinese numerals, and spaces, hyphens, dots or brackets in between.
/// It hides what the reporter *gave*; what the text tells in other words stays, so that a person must still look before
/// material is shown.
public struct Mask: Sendable {
    /// Candidates by their first folded scalar, the longest first.
    private let tokens: [UInt32: [Token]]
    /// Whether any token begins with a scalar of this low byte: answers most positions without a look-up.
    private let mayBegin: [Bool]

    public init(reporters: [Reporter]) {
        var found: [Token] = []
        for reporter in reporters {
            found += MaskTokens.name(reporter.name)
            found += MaskTokens.phone(reporter.phone)
            found += MaskTokens.identityNumber(reporter.idNumber)
            found += MaskTokens.email(reporter.email)
            found += MaskTokens.address(reporter.address)
            found += MaskTokens.organ(reporter.organ)
        }
        tokens = Dictionary(grouping: found) { $0.scalars[0] }
            .mapValues { $0.sorted { $0.scalars.count > $1.scalars.count } }
        var mayBegin = [Bool](repeating: false, count: 256)
        for token in found { mayBegin[Int(token.scalars[0] & 0xFF)] = true }
        self.mayBegin = mayBegin
    }

    /// Nothing is known that could be hidden.
    public var isEmpty: Bool { tokens.isEmpty }

    /// The text with every token replaced; the same text where there is none.
    public func apply(_ text: String) -> String {
        if isEmpty { return text }
        let folded = FoldedText(text)
        var masked: [UInt8] = []
        var copied = 0
        var index = 0
        while index < folded.scalars.count {
            guard let token = token(at: index, in: folded) else {
                index += 1
                continue
            }
            let end = index + token.scalars.count
            let start = token.kind == .phone ? folded.startOfCountryCode(before: index) : folded.starts[index]
            if masked.isEmpty { masked.reserveCapacity(folded.bytes.count) }
            masked += folded.bytes[copied..<max(copied, start)]
            masked += token.kind.rawValue.utf8
            copied = folded.ends[end - 1]
            index = end
        }
        if copied == 0 { return text }
        masked += folded.bytes[copied...]
        return String(decoding: masked, as: UTF8.self)
    }

    /// The submission as it leaves the vault: every free text masked, the reporters gone. The names of the accused stay.
    public func apply(to submission: Submission) -> Submission {
        var masked = submission
        masked.reporters = []
        if isEmpty { return masked }
        masked.title = apply(submission.title)
        masked.text = apply(submission.text)
        for index in masked.accused.indices {
            masked.accused[index].organ = masked.accused[index].organ.map(apply)
            masked.accused[index].position = masked.accused[index].position.map(apply)
        }
        for index in masked.allegations.indices { masked.allegations[index].act = apply(masked.allegations[index].act) }
        for index in masked.attachments.indices { masked.attachments[index].name = apply(masked.attachments[index].name) }
        return masked
    }

    private func token(at index: Int, in text: FoldedText) -> Token? {
        let first = text.scalars[index]
        guard mayBegin[Int(first & 0xFF)] else { return nil }
        return tokens[first]?.first { token in
            let end = index + token.scalars.count
            return end <= text.scalars.count && text.scalars[index..<end].elementsEqual(token.scalars)
                && token.boundary.holds(text, index..<end)
        }
    }
}

/// One thing to look for, folded as the text is.
private struct Token: Sendable {
    enum Kind: String {
        case name = "〔举报人〕"
        case phone = "〔电话〕"
        case identityNumber = "〔证件号〕"
        case email = "〔邮箱〕"
        case address = "〔住址〕"
        case organ = "〔单位〕"
    }

    /// What may not stand beside it: part of a longer number is another number, part of a longer word another word.
    enum Boundary {
        case none, digits, letters

        func holds(_ text: FoldedText, _ range: Range<Int>) -> Bool {
            switch self {
            case .none: true
            case .digits: !text.touches(range, where: \.isFoldedDigit)
            case .letters: !text.touches(range) { $0.isFoldedDigit || $0.isFoldedLetter }
            }
        }
    }

    let kind: Kind
    let scalars: [UInt32]
    let boundary: Boundary
}

/// The tokens that each field gives. What is too short to be telling is left out.
private enum MaskTokens {
    static func name(_ name: String?) -> [Token] { words(name, .name, scalarsMin: 2) }
    static func organ(_ organ: String?) -> [Token] { words(organ, .organ, scalarsMin: 3) }

    static func phone(_ phone: String?) -> [Token] {
        guard let phone else { return [] }
        // Several numbers may stand in one field, parted by what no number has inside.
        return phone.split { ",，;；、/".contains($0) }.flatMap { part -> [Token] in
            var digits = FoldedText.scalars(of: String(part)).filter(\.isFoldedDigit)
            for code in ["0086", "86"]
            where digits.count >= 11 + code.utf8.count && digits.starts(with: code.utf8.map(UInt32.init)) {
                digits.removeFirst(code.utf8.count)
                break
            }
            guard digits.count >= 5 else { return [] }
            var tokens = [Token(kind: .phone, scalars: digits, boundary: digits.count >= 10 ? .none : .digits)]
            // A landline without its area code: 0731-88881234, 010-88881234.
            if digits[0] == 0x30, digits.count >= 10 {
                tokens += [3, 4].map { digits.dropFirst($0) }.filter { (7...8).contains($0.count) }.map {
                    Token(kind: .phone, scalars: Array($0), boundary: .digits)
                }
            }
            return tokens
        }
    }

    static func identityNumber(_ number: String?) -> [Token] {
        let scalars = FoldedText.scalars(of: number ?? "")
        guard scalars.count >= 6 else { return [] }
        return [Token(kind: .identityNumber, scalars: scalars, boundary: scalars.count >= 15 ? .none : .letters)]
    }

    static func email(_ email: String?) -> [Token] {
        guard let email else { return [] }
        var tokens = words(email, .email, scalarsMin: 5)
        // The part before @ is often a number or a name used elsewhere too.
        let local = FoldedText.scalars(of: String(email.prefix { $0 != "@" && $0 != "＠" }))
        if local.count >= 5 { tokens.append(Token(kind: .email, scalars: local, boundary: .letters)) }
        return tokens
    }

    /// The whole, what follows each larger place in it, and these up to the house number: only parts with a number, since a
    /// street or a village alone is part of many matters.
    static func address(_ address: String?) -> [Token] {
        guard let address else { return [] }
        let whole = FoldedText.scalars(of: address)
        guard whole.count >= 5 else { return [] }
        let places = Set("省市区县镇乡旗州".unicodeScalars.map(\.value))
        var parts = [whole]
        for index in whole.indices where places.contains(whole[index]) && parts.count < 8 {
            parts.append(Array(whole[(index + 1)...]))
        }
        let house = UInt32(0x53F7)  // 号
        parts += parts.compactMap { part in part.firstIndex(of: house).map { Array(part[...$0]) } }
        return parts.filter { $0 == whole || ($0.count >= 5 && $0.contains(where: \.isFoldedDigit)) }.map {
            Token(kind: .address, scalars: $0, boundary: $0.first?.isFoldedDigit == true ? .digits : .none)
        }
    }

    private static func words(_ text: String?, _ kind: Token.Kind, scalarsMin: Int) -> [Token] {
        let scalars = FoldedText.scalars(of: text ?? "")
        guard scalars.count >= scalarsMin else { return [] }
        let isLatin = scalars.allSatisfy { $0 < 0x80 }
        return [Token(kind: kind, scalars: scalars, boundary: isLatin ? .letters : .none)]
    }
}

/// A text without what people put between the characters of a number or a name, and where each scalar came from.
private struct FoldedText {
    let bytes: [UInt8]
    private(set) var scalars: [UInt32] = []
    /// Offsets in `bytes` of each folded scalar's first byte and of the byte after its last.
    private(set) var starts: [Int] = []
    private(set) var ends: [Int] = []

    init(_ text: String) {
        bytes = Array(text.utf8)
        scalars.reserveCapacity(bytes.count / 2)
        starts.reserveCapacity(bytes.count / 2)
        ends.reserveCapacity(bytes.count / 2)
        var offset = 0
        for scalar in text.unicodeScalars {
            let end = offset + UTF8.width(scalar)
            if let folded = scalar.folded {
                scalars.append(folded)
                starts.append(offset)
                ends.append(end)
            }
            offset = end
        }
    }

    static func scalars(of text: String) -> [UInt32] { text.unicodeScalars.compactMap(\.folded) }

    /// Whether a scalar right beside the range, with nothing in between, is such a one.
    func touches(_ range: Range<Int>, where isSuch: (UInt32) -> Bool) -> Bool {
        let before = range.lowerBound - 1
        if before >= 0, ends[before] == starts[range.lowerBound], isSuch(scalars[before]) { return true }
        let after = range.upperBound
        return after < scalars.count && starts[after] == ends[after - 1] && isSuch(scalars[after])
    }

    /// Where the number begins if `+86` or `0086` stands before it.
    func startOfCountryCode(before index: Int) -> Int {
        for code in ["+86", "0086"] {
            let first = index - code.utf8.count
            if first >= 0, scalars[first..<index].elementsEqual(code.utf8.map(UInt32.init)) { return starts[first] }
        }
        return starts[index]
    }
}

extension Unicode.Scalar {
    /// The scalar as it is compared: half width, lower case, digits for Chinese numerals; `nil` for what is passed over.
    fileprivate var folded: UInt32? {
        switch value {
        case 0x96F6, 0x3007: 0x30
        case 0x4E00: 0x31
        case 0x4E8C: 0x32
        case 0x4E09: 0x33
        case 0x56DB: 0x34
        case 0x4E94: 0x35
        case 0x516D: 0x36
        case 0x4E03: 0x37
        case 0x516B: 0x38
        case 0x4E5D: 0x39
        case 0x4E0A...0x9FFF: value
        case 0xFF01...0xFF5E: Unicode.Scalar(value - 0xFEE0)?.folded
        case 0x30...0x39, 0x61...0x7A, 0x2B, 0x40: value
        case 0x41...0x5A: value + 0x20
        // Space and control, hyphens, dots, underline, brackets; zero-width and ideographic forms of them.
        case 0...0x20, 0x7F...0xA0, 0x28, 0x29, 0x2D, 0x2E, 0x5F, 0xAD, 0xB7, 0x2000...0x2015, 0x2022, 0x2027...0x202F,
            0x2060...0x2064, 0x2212, 0x3000, 0x30FB, 0xFE58, 0xFE63, 0xFEFF:
            nil
        default: value
        }
    }
}

extension UInt32 {
    fileprivate var isFoldedDigit: Bool { (0x30...0x39).contains(self) }
    fileprivate var isFoldedLetter: Bool { (0x61...0x7A).contains(self) }
}
