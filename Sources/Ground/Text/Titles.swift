/// Titles and similar words beside a name. They are in Simplified characters, like folded text.
enum Titles {
    /// The folded name without titles before and after it, never below two characters.
    static func takenOff(_ name: String) -> String {
        var scalars = name.unicodeScalars.map(\.value)
        while let shorter = once(scalars) { scalars = shorter }
        var text = String.UnicodeScalarView()
        for scalar in scalars { text.append(Unicode.Scalar(scalar) ?? "\u{FFFD}") }
        return String(text)
    }

    /// True if the whole is a title that follows a name.
    static func isOne(_ words: [UInt32]) -> Bool { words.last.flatMap { behind[$0] }?.contains(words) ?? false }

    private static func once(_ name: [UInt32]) -> [UInt32]? {
        guard name.count > 2, let first = name.first, let last = name.last else { return nil }
        for title in behind[last] ?? []
        where name.count - title.count >= 2 && name.suffix(title.count).elementsEqual(title) {
            return Array(name.dropLast(title.count))
        }
        for title in before[first] ?? [] where name.count - title.count >= 2 && name.starts(with: title) {
            return Array(name.dropFirst(title.count))
        }
        return nil
    }

    /// The family name that remains without titles and forms of address (老沈, 沈总); `nil` if more remains, or nothing
    /// was removed.
    static func surname(in name: [UInt32]) -> [UInt32]? {
        // Longer names are not a surname with titles.
        guard let first = name.first, let last = name.last, (2...10).contains(name.count) else { return nil }
        let ends = (behind[last] ?? []) + [[last]].filter(called.contains)
        let beginnings = (before[first] ?? []) + [[first]].filter(calling.contains)
        let rests =
            ends.filter { name.count > $0.count && name.suffix($0.count).elementsEqual($0) }.map {
                Array(name.dropLast($0.count))
            }
            + beginnings.filter { name.count > $0.count && name.starts(with: $0) }.map {
                Array(name.dropFirst($0.count))
            }
        for rest in rests {
            if rest.count == 1 || longSurnames.contains(rest) { return rest.allSatisfy { $0 >= 0x3400 } ? rest : nil }
            if let found = surname(in: rest) { return found }
        }
        return nil
    }

    private static let called = Set(folded("总 局 处 科 队 所 厅 部 工 院 校 书 主 委 哥 姐 叔 氏 老 某 的"))
    private static let calling = Set(folded("老 小 大 阿 姓"))
    private static let longSurnames = Set(
        folded(
            """
            欧阳 上官 司马 诸葛 夏侯 皇甫 尉迟 公孙 慕容 令狐 长孙 宇文 司徒 司空 端木 东方 独孤 南宫 西门 百里 呼延 轩辕 澹台
            公冶 宗政 濮阳 淳于 太叔 申屠 钟离 鲜于 亓官 赫连 万俟 闻人 东郭
            """))

    /// The words folded, because folding may replace a character by another of its variants; the longest first.
    private static func folded(_ words: String) -> [[UInt32]] {
        words.split(whereSeparator: \.isWhitespace).map { FoldedText(String($0)).scalars }.sorted {
            $0.count > $1.count
        }
    }

    private static let offices = """
        书记 副书记 党委书记 支部书记 村支书 支书 第一书记 主任 副主任 村主任 主席 副主席 委员 常委 委员长 部长 副部长
        厅长 副厅长 局长 副局长 司长 处长 副处长 科长 副科长 股长 所长 副所长 站长 副站长 院长 副院长 校长 副校长 园长 省长 副省长
        市长 副市长 州长 县长 副县长 区长 副区长 镇长 副镇长 乡长 副乡长 村长 副村长 组长 副组长 队长 副队长 大队长 中队长 支队长
        总队长 政委 主管 主办 秘书 秘书长 副秘书长 巡视员 调研员 检察长 检察官 法官 庭长 审判长 警官 警长 民警 干警 教导员 指导员
        董事长 总裁 总经理 副总经理 经理 副经理 厂长 副厂长 行长 副行长 社长 会长 理事长 监事长 主编 台长 馆长 会计 出纳 干部
        干事 教授 副教授 讲师 教师 老师 医生 医师 大夫 护士 律师 工程师 总工程师 总工 村医 村民 居民 群众 职工 工人 农民 学生 家长
        党员 业主 军人 司机 记者 代表
        """
    /// Titles after a name, by their last character; `before`: titles before a name, by their first character.
    private static let behind = Dictionary(
        grouping: folded(
            offices + """
                 同志 先生 女士 小姐 夫人 太太 师傅 阁下 老先生 本人 等人 等 某 之妻 之夫 之子 之女 之父 之母 的妻子 的丈夫 的儿子 的女儿
                 的父亲 的母亲 的家属 家属 亲属 之兄 之弟 之姐 之妹
                """)
    ) { $0[$0.count - 1] }
    private static let before = Dictionary(
        grouping: folded(
            offices + """
                 同志 原 时任 现任 前任 前 副 举报人 反映人 被反映人 被举报人 投诉人 申诉人 控告人 检举人 信访人 来信人 来访人 联系人
                 姓名 本人 我是 我叫 实名举报人
                """)
    ) { $0[0] }
}
