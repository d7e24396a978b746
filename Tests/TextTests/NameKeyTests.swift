import Testing
import Text

@Suite("Keys of names")
struct NameKeyTests {
    struct Group: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let names: [String]
    }

    /// All spellings of a group have one wide key; those of its first part one narrow key too.
    static let spellings: [Group] = [
        Group(
            testDescription: "spaces, invisible characters, punctuation",
            names: [
                "沈励行", "沈　励行", "沈 励行", "沈励行 ", "沈\u{200B}励行", "沈\u{A0}励\u{2009}行", "沈\u{AD}励行", "沈\u{2066}励\u{2069}行",
                "沈\u{34F}励行", "沈\u{180E}励行", "沈\u{E0041}励行", "沈\u{FE00}励行", "沈励\u{E0101}行", "沈·励·行", "沈-励-行", "沈*励*行",
                "【沈励行】", "沈\u{0}励\u{7}行", "沈\u{2800}励行", "沈\u{202E}励行\u{202C}",
            ]),
        Group(testDescription: "radicals, compatibility ideographs", names: ["王文山", "王⽂⼭", "王⽂山"]),
        Group(
            testDescription: "a compatibility ideograph",
            names: [
                "李金林", "李⾦林", "\u{F9E1}金林", "李\u{F90A}林",
                "李金\u{F9F4}",
            ]),
        Group(
            testDescription: "dots within names",
            names: [
                "阿里·买买提", "阿里•买买提", "阿里・买买提", "阿里･买买提", "阿里⋅买买提", "阿里‧买买提", "阿里∙买买提", "阿里.买买提", "阿里。买买提",
                "阿里\u{A78F}买买提", "阿里买买提", "阿里-买买提", "阿里．买买提",
            ]),
        Group(
            testDescription: "full width, case, mathematical letters",
            names: [
                "Li Na", "LI NA", "ｌｉ　ｎａ", "𝐋𝐢 𝐍𝐚",
                "li-na", "Ⓛⓘ Ⓝⓐ",
            ]),
        Group(testDescription: "composed and decomposed", names: ["José", "Jose\u{301}", "JOSE\u{301}"]),
        Group(testDescription: "half-width kana", names: ["ガンダ", "ｶﾞﾝﾀﾞ", "カ\u{3099}ンタ\u{3099}"]),
        Group(
            testDescription: "syllables of Hangul",
            names: [
                "한국",
                "\u{1112}\u{1161}\u{11AB}\u{1100}\u{116E}\u{11A8}",
            ]),
    ]

    @Test("both keys are the same however the same characters are written", arguments: spellings)
    func ignoresSpelling(group: Group) {
        #expect(Set(group.names.map(NameKey.wide)).count == 1, "\(group.names.map(NameKey.wide))")
        #expect(Set(group.names.map(NameKey.narrow)).count == 1, "\(group.names.map(NameKey.narrow))")
    }

    @Test(
        "the wide key ignores titles, Traditional characters and variants",
        arguments: [
            ["沈励行", "沈勵行", "沈励行同志", "沈勵行同志", "沈励行书记", "沈励行副书记", "副镇长沈励行", "沈励行（副镇长）", "原局长沈励行", "村民沈励行", "沈励行[男]"],
            ["李国峰", "李國峯", "李國峰先生"], ["王群里", "王羣裏", "王群裡"], ["于发", "於發", "于髮"], ["欧阳明", "歐陽明主任"],
            ["葉后", "叶後", "叶后"], ["万里", "萬里"], ["钱钟书", "錢鍾書", "钱鐘书"],
        ])
    func wideKeyIgnoresTitlesAndVariants(names: [String]) {
        #expect(Set(names.map(NameKey.wide)).count == 1, "\(names.map(NameKey.wide))")
    }

    @Test(
        "different names stay different",
        arguments: [
            ["沈励行", "沈历行", "沈励"], ["大明", "小明"], ["张\u{E863}", "张\u{E864}", "张"],
            [
                "张\u{F0001}",
                "张\u{F0002}",
            ], ["王一", "王二"],
        ])
    func keepsDifferentNamesApart(names: [String]) {
        #expect(Set(names.map(NameKey.wide)).count == names.count)
        #expect(Set(names.map(NameKey.narrow)).count == names.count)
    }

    @Test("a title is not removed where fewer than two characters would stay", arguments: ["王书记", "李局长", "主任", "同志"])
    func keepsTwoCharacters(name: String) { #expect(NameKey.wide(name) == name) }

    @Test("the organ of a post stays") func keepsOrganOfPost() { #expect(NameKey.wide("甲市纪委书记") == "甲市纪委") }

    @Test("the narrow key keeps titles, and maps a Traditional character only where it has one partner")
    func narrowKeyKeepsTitles() {
        #expect(NameKey.narrow("趙紅") == NameKey.narrow("赵红"))
        #expect(NameKey.narrow("譚明") == NameKey.narrow("谭明"))
        #expect(NameKey.narrow("肖明") != NameKey.narrow("萧明") && NameKey.narrow("气") != NameKey.narrow("気"))
        #expect(NameKey.narrow("Zhаng") != NameKey.narrow("Zhang"))
        #expect(NameKey.narrow("於明") != NameKey.narrow("于明"))
        #expect(NameKey.narrow("王里") != NameKey.narrow("王裏"))
        #expect(NameKey.narrow("沈励行同志") != NameKey.narrow("沈励行"))
    }

    @Test(
        "several names in one field are several names",
        arguments: [
            ("张三、李四", ["张三", "李四"]), ("张三 李四", ["张三", "李四"]), ("张三/李四；王五五", ["张三", "李四", "王五五"]),
            (
                "张三和李四",
                [
                    "张三",
                    "李四",
                ]
            ),
            ("张三，李四以及赵六", ["张三", "李四", "赵六"]), ("李和平", []), ("王 文 山", []), ("阿里·买买提", []), ("Li Na", []), ("", []),
        ])
    func splitsSeveralNames(name: String, parts: [String]) { #expect(NameKey.parts(of: name) == parts) }

    @Test(
        "the family name of a person who is called by title is known",
        arguments: [
            ("沈主任", "沈"), ("老沈", "沈"), ("副镇长沈", "沈"), ("沈副书记（党委）", "沈"), ("副镇长沈某", "沈"), ("姓沈的", "沈"), ("歐陽局", "欧阳"),
            ("沈励行", nil),
            ("沈励", nil), ("主任", nil), ("沈励主任", nil), ("Xu", nil), ("", nil),
        ] as [(String, String?)])
    func findsSurnameBesideTitle(name: String, surname: String?) {
        #expect(NameKey.surnameOnly(name) == surname.map(NameKey.wide))
    }

    @Test("a name of one character and a hundred thousand marks takes time that grows no faster than its length")
    func keysManyMarksInLinearTime() {
        let name = "é" + String(repeating: "\u{301}\u{323}", count: 50_000)
        let start = ContinuousClock.now
        #expect(NameKey.parts(of: name).isEmpty)
        #expect(ContinuousClock.now - start < .seconds(5))
    }

    @Test("every person in a field has a key")
    func givesEverybodyAKey() {
        #expect(NameKey.everyWide("张三、李四同志").isSuperset(of: [NameKey.wide("张三"), NameKey.wide("李四")]))
        #expect(NameKey.everyWide("沈励行") == [NameKey.wide("沈励行")])
        #expect(NameKey.everyWide(" · ") == [])
    }
}
