import Text

/// The tokens that each field of a reporter gives. What is too short to be telling is left out.
enum MaskTokens {
    static func of(_ reporter: Reporter) -> [MaskToken] {
        name(reporter.name) + phone(reporter.phone) + identityNumber(reporter.idNumber) + email(reporter.email)
            + address(reporter.address) + organ(reporter.organ)
    }

    // MARK: Names

    /// The whole; each of several people; these without titles, and what of them is written in ideographs or in letters.
    private static func name(_ name: String?) -> [MaskToken] {
        guard let name else { return [] }
        var found = [FoldedText(name).scalars]
        for part in [name] + NameKey.parts(of: name) {
            let bare = FoldedText(NameKey.wide(part)).scalars
            found += ([FoldedText(part).scalars, bare] + runsOfScripts(in: bare)).filter { !commonWords.contains($0) }
        }
        return unique(found).filter { $0.count >= 2 }.map { scalars in
            token(.name, scalars, scalars.allSatisfy { $0 < 0x80 } ? .letters : .none, acrossClauses: scalars.count >= 3)
        }
    }

    /// Words that are left of "全体村民" without its title, and would hide what is no name.
    private static let commonWords = Set(
        ["全体", "部分", "广大", "一群", "一名", "多名", "众多", "各位", "普通", "匿名", "我村", "本村", "某村", "居民", "村民", "群众", "业主", "职工", "家长", "知情",
         "知情人", "举报人", "有关", "相关", "该村", "热心", "受害", "当地"]
            .map { FoldedText($0).scalars })

    /// 张三13800138000: what is written in ideographs, and what in letters, where both are there.
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

    // MARK: Numbers

    private static func phone(_ phone: String?) -> [MaskToken] {
        guard let phone else { return [] }
        // Several numbers may stand in one field, parted by what no number has inside.
        return pieces(of: phone) { numberMarks.contains($0) }.flatMap { part -> [MaskToken] in
            let runs = digitRuns(in: part)
            // More digits than any number has: several, parted by space.
            let isLong = runs.contains { $0.count > 15 }
            let hasPlus = part.unicodeScalars.contains { $0 == "+" || $0 == "＋" }
            return (isLong ? pieces(of: part, where: \.properties.isWhitespace).flatMap(digitRuns) : runs)
                .flatMap { number($0, hasPlus: hasPlus) }
        }
    }

    /// Digits without anything else between them than what `FoldedText` passes over.
    private static func digitRuns(in text: String) -> [[UInt32]] {
        FoldedText(text, for: .numbers).units.split { !isDigit($0.scalar) }.map { run in
            // Letters that are read for digits belong to a word before the number: Tel 138….
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
        if digits[0] == 0x30, digits.count >= 10 {
            // With an extension (0731-88881234-802), and without the area code.
            let bases = digits.count > 12 ? [11, 12].map { Array(digits.prefix($0)) } : [digits]
            found += bases + bases.flatMap { base in [3, 4].map { Array(base.dropFirst($0)) }.filter { (7...8).contains($0.count) } }
        }
        if hasPlus || digits.starts(with: [0x30, 0x30]) {
            // Without the code of another country, whose length nobody says.
            let own = digits.starts(with: [0x30, 0x30]) ? Array(digits.dropFirst(2)) : digits
            found += [own] + [1, 2, 3].map { Array(own.dropFirst($0)) }.filter { $0.count >= 7 }
        }
        return unique(found).map { token(.phone, $0, $0.count >= 10 ? .none : .digits, acrossClauses: $0.count >= 10) }
    }

    /// No number has more; what has is none.
    private static let numberDigitsMax = 40

    private static func identityNumber(_ number: String?) -> [MaskToken] {
        let scalars = FoldedText(number ?? "", for: .numbers).scalars
        let runs = scalars.split { !isDigit($0) && $0 != 0x78 }.map(Array.init).filter { $0.count >= 15 }
        return unique([scalars] + runs).filter { (6...numberDigitsMax).contains($0.count) }.map {
            token(.identityNumber, $0, $0.count >= 15 ? .none : .letters, acrossClauses: $0.count >= 15)
        }
    }

    // MARK: Words

    private static func email(_ email: String?) -> [MaskToken] {
        guard let email else { return [] }
        return pieces(of: email) { $0 == " " || ($0 != "/" && numberMarks.contains($0)) }.flatMap { address -> [MaskToken] in
            let sides = pieces(of: address) { $0 == "@" || $0 == "＠" || $0 == "﹫" }
            var whole = [fold(address)]
            guard sides.count == 2 else { return whole.filter { $0.count >= 5 }.map { token(.email, $0, .letters) } }
            // wang [at] example [dot] cn
            let spelt = sides[1].replacing(".", with: "dot").replacing("．", with: "dot")
            whole += [fold(sides[0] + "at" + sides[1]), fold(sides[0] + "at" + spelt), fold(sides[0] + spelt)]
            // The part before @ is often a number or a name used elsewhere too.
            let local = fold(sides[0])
            return unique(whole).filter { $0.count >= 5 }.map { token(.email, $0, .letters) }
                + (local.count >= 5 ? [token(.email, local, .letters, acrossClauses: false)] : [])
        }
    }

    /// The whole, what follows each larger place in it, and these up to the house number: only parts with a number, since a
    /// street or a village alone is part of many matters.
    private static func address(_ address: String?) -> [MaskToken] {
        let whole = fold(address ?? "")
        guard whole.count >= 5 else { return [] }
        var parts = [whole]
        for index in whole.indices where places.contains(whole[index]) && parts.count < 8 {
            parts.append(Array(whole[(index + 1)...]))
        }
        parts += parts.compactMap { part in part.firstIndex(of: house).map { Array(part[...$0]) } }
        return unique(parts).filter { $0 == whole || ($0.count >= 5 && $0.contains(where: isDigit)) }.map {
            token(.address, $0, $0.first.map(isDigit) == true ? .digits : .none)
        }
    }

    private static let places = Set(fold("省市区县镇乡旗州"))
    private static let house = fold("号").first ?? 0

    private static func organ(_ organ: String?) -> [MaskToken] {
        let scalars = fold(organ ?? "")
        guard scalars.count >= 3 else { return [] }
        return [token(.organ, scalars, scalars.allSatisfy { $0 < 0x80 } ? .letters : .none, acrossClauses: scalars.count >= 5)]
    }

    // MARK: What all share

    private static func fold(_ text: String) -> [UInt32] { FoldedText(text, for: .numbers).scalars }
    private static func isDigit(_ scalar: UInt32) -> Bool { (0x30...0x39).contains(scalar) }

    /// Marks between several numbers or addresses in one field.
    private static let numberMarks = Set(",，;；、/／|｜\n".unicodeScalars)

    private static func pieces(of text: String, where isMark: (Unicode.Scalar) -> Bool) -> [String] {
        text.unicodeScalars.split(whereSeparator: isMark).map { String($0) }
    }

    private static func unique(_ found: [[UInt32]]) -> [[UInt32]] {
        found.reduce(into: []) { kept, each in if !each.isEmpty, !kept.contains(each) { kept.append(each) } }
    }

    private static func token(
        _ kind: MaskToken.Kind, _ scalars: [UInt32], _ boundary: MaskToken.Boundary, acrossClauses: Bool = true
    ) -> MaskToken {
        MaskToken(kind: kind, scalars: scalars, boundary: boundary, acrossClauses: acrossClauses)
    }
}
