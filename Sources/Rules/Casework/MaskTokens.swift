import Text

/// The tokens that each field of a reporter gives, and numbers and addresses in the wrong field. Tokens too short to
/// identify anyone are left out.
enum MaskTokens {
    static func of(_ reporter: Reporter) -> [MaskToken] {
        let contacts = [reporter.phone, reporter.email].compactMap(\.self)
        let others = [reporter.name, reporter.organ, reporter.idNumber, reporter.address].compactMap(\.self)
        return name(reporter.name) + phone(reporter.phone) + identityNumber(reporter.idNumber) + email(reporter.email)
            + address(reporter.address) + organ(reporter.organ) + contacts.flatMap(accounts)
            + (contacts + others).flatMap(strayNumbers)
            + ([reporter.phone].compactMap(\.self) + others).flatMap(strayAddresses)
    }

    // MARK: Names

    /// The whole name, each of several people, each without titles, its part in ideographs or in letters, and Li Na
    /// also as Na Li.
    private static func name(_ name: String?) -> [MaskToken] {
        guard let name else { return [] }
        var (found, turnedRound) = ([FoldedText(name).scalars], [[UInt32]]())
        for part in [name] + NameKey.parts(of: name) {
            let bare = FoldedText(NameKey.wide(part)).scalars
            found += ([FoldedText(part).scalars, bare] + runsOfScripts(in: bare)).filter { !commonWords.contains($0) }
            turnedRound += turned(part)
        }
        // The turned form "Na, Li" may occur by chance in "Li Na, Li Na".
        let all = unique(found).map { ($0, 3) } + unique(turnedRound).filter { !found.contains($0) }.map { ($0, 6) }
        return all.filter { $0.0.count >= 2 }.map { scalars, acrossMin in
            token(
                .name, scalars, scalars.allSatisfy { $0 < 0x80 } ? .letters : .none,
                acrossClauses: scalars.count >= acrossMin)
        }
    }

    /// Words that remain of "全体村民" without its title. Masking them would hide text that is no name.
    private static let commonWords = Set(
        [
            "全体", "部分", "广大", "一群", "一名", "多名", "众多", "各位", "普通", "匿名", "我村", "本村", "某村", "居民", "村民", "群众", "业主", "职工",
            "家长", "知情", "知情人", "举报人", "有关", "相关", "该村", "热心", "受害", "当地",
        ].map { FoldedText($0).scalars })

    /// The part in ideographs and the part in letters, if a name has both: 张三13800138000.
    private static func runsOfScripts(in scalars: [UInt32]) -> [[UInt32]] {
        var runs: [[UInt32]] = []
        var last = 0
        for scalar in scalars {
            let script = scalar >= 0x3400 ? 1 : (0x30...0x39).contains(scalar) ? 2 : 3
            if script == last, !runs.isEmpty { runs[runs.count - 1].append(scalar) } else { runs.append([scalar]) }
            last = script
        }
        guard runs.count > 1 else { return [] }
        return runs.filter { $0[0] >= 0x3400 || ($0.count >= 4 && !(0x30...0x39).contains($0[0])) }
    }

    /// A name in letters, with the family name first and last.
    private static func turned(_ name: String) -> [[UInt32]] {
        let words = pieces(of: name) { $0.properties.isWhitespace || $0 == "," || $0 == "，" }.map {
            FoldedText($0).scalars
        }
        .filter { $0.allSatisfy { $0 < 0x3400 && !isDigit($0) } && !$0.isEmpty }
        guard (2...4).contains(words.count) else { return [] }
        return [
            Array((words.dropFirst() + words.prefix(1)).joined()), Array((words.suffix(1) + words.dropLast()).joined()),
        ]
    }

    // MARK: Numbers

    /// Numbers as long as a telephone or identity card number, in any field.
    private static func strayNumbers(_ field: String) -> [MaskToken] {
        FoldedText(field, for: .names).units.split { !isDigit($0.scalar) }.map { $0.map(\.scalar) }.flatMap {
            run -> [MaskToken] in
            if run.count < 7 { return [] }
            return run.count < 15 ? number(run, hasPlus: false) : [token(.identityNumber, run, .none)]
        }
    }

    private static func phone(_ phone: String?) -> [MaskToken] {
        guard let phone else { return [] }
        // One field may contain several numbers, separated by marks that never occur inside a number.
        return pieces(of: phone) { numberMarks.contains($0) }.flatMap { part -> [MaskToken] in
            let runs = digitRuns(in: part)
            // More digits than any number has: several numbers, separated by spaces.
            let isLong = runs.contains { $0.count > 15 }
            let hasPlus = part.unicodeScalars.contains { $0 == "+" || $0 == "＋" }
            return (isLong ? pieces(of: part, where: \.properties.isWhitespace).flatMap(digitRuns) : runs)
                .flatMap { number($0, hasPlus: hasPlus) }
        }
    }

    /// Digits with nothing between them except what `FoldedText` ignores.
    private static func digitRuns(in text: String) -> [[UInt32]] {
        FoldedText(text, for: .numbers).units.split { !isDigit($0.scalar) }.map { run in
            // Letters that are read as digits belong to a word before the number: Tel 138….
            run.drop { !$0.isDigit }.map(\.scalar)
        }
    }

    private static func number(_ digits: [UInt32], hasPlus: Bool) -> [MaskToken] {
        var digits = digits
        for code in ["0086", "86"]
        where digits.count >= 11 + code.utf8.count && digits.starts(with: code.utf8.map(UInt32.init)) {
            digits.removeFirst(code.utf8.count)
            break
        }
        guard (5...numberDigitsMax).contains(digits.count) else { return [] }
        var found = [digits]
        if digits.count == 11, digits[0] == 0x31 {
            // 138一0013一8000, where 一 is a dash that a person or a scanner took for a digit.
            found.append(Array([digits[..<3], digits[3..<7], digits[7...]].joined(separator: [0x31])))
        }
        if digits[0] == 0x30, digits.count >= 10 {
            found +=
                [Array(digits.dropFirst())]
                + [3, 4].map { Array([digits[..<$0], digits[$0...]].joined(separator: [0x31])) }
            // With an extension (0731-88881234-802), and without the area code.
            let bases = digits.count > 12 ? [11, 12].map { Array(digits.prefix($0)) } : [digits]
            found +=
                bases
                + bases.flatMap { base in
                    [3, 4].map { Array(base.dropFirst($0)) }.filter { (7...8).contains($0.count) }
                }
        }
        if hasPlus || digits.starts(with: [0x30, 0x30]) {
            // Without the country code, whose length is unknown.
            let own = digits.starts(with: [0x30, 0x30]) ? Array(digits.dropFirst(2)) : digits
            found += [own] + [1, 2, 3].map { Array(own.dropFirst($0)) }.filter { $0.count >= 7 }
        }
        return unique(found).map { token(.phone, $0, $0.count >= 10 ? .none : .digits, acrossClauses: $0.count >= 10) }
    }

    /// No number has more digits; longer runs are ignored.
    private static let numberDigitsMax = 40

    private static func identityNumber(_ number: String?) -> [MaskToken] {
        let scalars = FoldedText(number ?? "", for: .numbers).scalars
        let runs = scalars.split { !isDigit($0) && $0 != 0x78 }.map(Array.init).filter { $0.count >= 15 }
        // 护照E12345678
        let latin = scalars.split { !isDigit($0) && !(0x61...0x7A).contains($0) }.map(Array.init).filter {
            $0.contains(where: isDigit)
        }
        return unique([scalars] + runs + latin).filter { (6...numberDigitsMax).contains($0.count) }.map {
            token(.identityNumber, $0, $0.count >= 15 ? .none : .letters, acrossClauses: $0.count >= 15)
        }
    }

    // MARK: Words

    private static func email(_ email: String?) -> [MaskToken] {
        guard let email else { return [] }
        return Set(pieces(of: email) { $0 == " " || ($0 != "/" && numberMarks.contains($0)) }).flatMap {
            address -> [MaskToken] in
            let sides = pieces(of: address) { $0 == "@" || $0 == "＠" || $0 == "﹫" }
            var whole = [fold(address)]
            guard sides.count == 2 else { return whole.filter { $0.count >= 5 }.map { token(.email, $0, .letters) } }
            // wang [at] example [dot] cn, wang艾特example点cn
            var spellings: Set<String> = []
            for dot in [".", "dot", "点"] {
                let spelt = sides.map { $0.replacing("．", with: ".").replacing(".", with: dot) }
                for at in ["", "at", "艾特"] {
                    spellings.formUnion([sides[0] + at + spelt[1], spelt[0] + at + spelt[1]])
                }
            }
            whole += spellings.map(fold)
            // The part before @ is often a number or a name that is also used elsewhere.
            let local = fold(sides[0])
            return unique(whole).filter { $0.count >= 5 }.map { token(.email, $0, .letters) }
                + (local.count >= 5 ? [token(.email, local, .letters, acrossClauses: false)] : [])
        }
    }

    private static func strayAddresses(_ field: String) -> [MaskToken] {
        Set(pieces(of: field) { !isWordCharacter($0) && $0 != "@" && $0 != "＠" })
            .filter { $0.contains { $0 == "@" || $0 == "＠" } }.flatMap { email($0) }
    }

    /// Account names at a service: 微信：wangjs_88, QQ 12345678.
    private static func accounts(_ field: String) -> [MaskToken] {
        let words = pieces(of: field) { !isWordCharacter($0) && $0 != "@" && $0 != "＠" && $0 != "﹫" }
            .filter { $0.unicodeScalars.allSatisfy(isWordCharacter) }.map(fold)
        return unique(words).filter { $0.count >= 5 && $0.allSatisfy { $0 < 0x80 } && !services.contains($0) }.map {
            token(.phone, $0, .letters, acrossClauses: false)
        }
    }

    /// Whether the scalar is a Latin letter, a digit or a joining mark of addresses, also in full width.
    private static func isWordCharacter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "0"..."9", "a"..."z", "A"..."Z", "０"..."９", "ａ"..."ｚ", "Ａ"..."Ｚ", "_", "-", ".", "＿", "－", "．": true
        default: false
        }
    }

    private static let services = Set(
        [
            "weixin", "wechat", "email", "e-mail", "phone", "telephone", "mobile", "whatsapp", "telegram", "gmail",
            "hotmail", "foxmail",
        ].map(fold))

    /// The whole address, what follows each larger place in it, and these up to the group or house number. Parts
    /// without a number are left out, since a street or village alone occurs in many matters.
    private static func address(_ address: String?) -> [MaskToken] {
        let whole = fold(address ?? "")
        guard whole.count >= 5 else { return [] }
        var parts = [whole]
        for index in whole.indices where places.contains(whole[index]) && parts.count < 8 {
            parts.append(Array(whole[(index + 1)...]))
        }
        parts += parts.flatMap { part in
            houses.compactMap { house in part.firstIndex(of: house).map { Array(part[...$0]) } }
        }
        let telling = parts.filter { $0 == whole || ($0.count >= 5 && $0.contains(where: isDigit)) }
        return unique(telling + telling.flatMap(Numerals.otherwise)).map {
            token(.address, $0, $0.first.map(isDigit) == true ? .digits : .none)
        }
    }

    private static let places = Set(fold("省市区县镇乡旗州"))
    private static let houses = Set(fold("号组队栋幢"))

    private static func organ(_ organ: String?) -> [MaskToken] {
        guard let organ else { return [] }
        return unique([organ, NameKey.withoutBrackets(organ)].map(fold)).filter { $0.count >= 3 }.map {
            token(.organ, $0, $0.allSatisfy { $0 < 0x80 } ? .letters : .none, acrossClauses: $0.count >= 5)
        }
    }

    // MARK: Shared

    private static func fold(_ text: String) -> [UInt32] { FoldedText(text, for: .numbers).scalars }
    private static func isDigit(_ scalar: UInt32) -> Bool { (0x30...0x39).contains(scalar) }

    /// Marks between several numbers or addresses in one field.
    private static let numberMarks = Set(",，;；、/／|｜\n".unicodeScalars)

    private static func pieces(of text: String, where isMark: (Unicode.Scalar) -> Bool) -> [String] {
        text.unicodeScalars.split(whereSeparator: isMark).map { String($0) }
    }

    private static func unique(_ found: [[UInt32]]) -> [[UInt32]] {
        var seen: Set<[UInt32]> = [[]]
        return found.filter { seen.insert($0).inserted }
    }

    private static func token(
        _ kind: MaskToken.Kind, _ scalars: [UInt32], _ boundary: MaskToken.Boundary, acrossClauses: Bool = true
    ) -> MaskToken {
        MaskToken(scalars: scalars, rule: .init(kind: kind, boundary: boundary, acrossClauses: acrossClauses))
    }
}
