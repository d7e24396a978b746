import Casework
import Testing

/// The reporter's data are hidden in every spelling that a person or a program may choose.
@Suite("Spellings of the reporter")
struct MaskSpellingTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let given: Reporter
        let spellings: [String]
        let label: String
        var testDescription: String { "\(label) \(given.name ?? "") \(given.phone ?? "") \(given.email ?? "")" }
    }

    private static func name(_ name: String, _ spellings: [String]) -> Row {
        Row(given: Reporter(name: name), spellings: spellings, label: "〔举报人〕")
    }

    private static func phone(_ phone: String, _ spellings: [String]) -> Row {
        Row(given: Reporter(phone: phone), spellings: spellings, label: "〔电话〕")
    }

    static let rows: [Row] = [
        name(
            "王文山",
            [
                "王文山", "王⽂⼭", "王\u{2F42}山", "王文\u{FE00}山", "王文\u{E0100}山", "王\u{2066}文\u{2069}山", "王\u{202E}文\u{202C}山",
                "王\u{34F}文山",
                "王\u{180E}文山", "王\u{E0041}文山", "王\u{200B}文\u{2060}山", "王\u{AD}文山", "王 文　山", "王\u{2003}文\u{A0}山",
                "王·文·山",
                "王*文*山", "王_文_山",
                "王、文、山", "王，文，山", "王/文/山", "王（文）山", "王★文★山", "王\u{2800}文山", "王̲文̲山", "王\u{20DD}文山", "王\u{3164}文山",
                "王\t文\n山", "王\u{0}文\u{1}山",
                "王」「文」「山", "王🙂文🙂山", "王~文~山", "王+文+山", "王=文=山",
                // Marks of other scripts, unassigned characters, dots written as letters, references of the web.
                "王\u{E34}文\u{5B0}山", "王\u{E000}文\u{F0001}山", "王\u{378}文山", "王丶文丶山", "王丨文丨山", "王ー文ー山", "王ˊ文ˋ山",
                "王&nbsp;文&#160;山",
                "&#29579;&#x6587;山", "王ﷺ文山",
            ]),
        name("张\u{E863}", ["张\u{E863}", "張 \u{E863}"]),
        name("谭肖", ["譚蕭", "谭萧", "譚肖"]), name("岳向佈", ["嶽嚮布"]), name("德国清", ["徳圀淸", "德囶清"]), name("付升昆", ["傅昇崑", "傅陞崐"]),
        name("沈勵行", ["沈励行", "沈勵行", "沈 励 行", "沈励⾏"]),
        name("李国峰", ["李國峯", "李國峰", "李国峯", "\u{F9E1}国峰"]),
        name(
            "阿里·买买提",
            [
                "阿里･买买提", "阿里⋅买买提", "阿里•买买提", "阿里・买买提", "阿里买买提", "阿里。买买提", "阿里\u{A78F}买买提", "阿里 买买提",
                "阿里・買買提",
            ]),
        name("Li Na", ["LI NA", "ｌｉ　ｎａ", "Li-Na", "𝐋𝐢 𝐍𝐚", "Ⓛⓘ Ⓝⓐ", "L.i. N.a.", "Lí Ná"]),
        name(
            "Zhang San",
            [
                "San Zhang", "San, Zhang", "ZhangSan", "zhang_san", "Zhаng Sаn", "Ζhang San", "ᴢʜᴀɴɢ ꜱᴀɴ", "Zһang Ѕan",
                "🅩🅗🅐🅝🅖 🅢🅐🅝",
            ]),
        name("Łukasz Øberg", ["Lukasz Oberg", "ŁUKASZ ØBERG", "Øberg Łukasz"]),
        name("Иван Петров", ["Петров Иван", "ИВАН ПЕТРОВ"]),
        name("José María", ["Jose\u{301} Mari\u{301}a", "JOSÉ MARÍA", "Jose Maria"]),
        name("王文山同志", ["王文山", "王文山同志"]),
        name("王文山（村民）", ["王文山"]), name("举报人：王文山", ["王文山"]), name("王文山13800138000", ["王文山"]),
        name("王文山 Wang Wenshan", ["王文山", "WANG WENSHAN"]),
        name("张三丰、李四光", ["张三丰", "李四光", "李·四·光"]), name("张三丰 李四光", ["张三丰", "李四光"]), name("张三丰/李四光", ["张三丰", "李四光"]),
        name("张三丰和李四光", ["张三丰", "李四光"]),
        name("张三", ["张三", "张 三", "张·三", "张\u{200B}三", "張叁".replacing("叁", with: "三")]),
        phone(
            "13800138000",
            [
                "13800138000", "壹叁捌零零壹叁捌零零零", "壹參捌零零壹參捌零零零", "幺三八零零幺三八零零零", "①③⑧⓪⓪①③⑧⓪⓪⓪", "❶❸❽⓿⓿❶❸❽⓿⓿⓿", "𝟏𝟑𝟖𝟎𝟎𝟏𝟑𝟖𝟎𝟎𝟎",
                "¹³⁸⁰⁰¹³⁸⁰⁰⁰", "１３８-００１３-８０００", "١٣٨٠٠١٣٨٠٠٠", "1️⃣3️⃣8️⃣0️⃣0️⃣1️⃣3️⃣8️⃣0️⃣0️⃣0️⃣",
                "1,3,8,0,0,1,3,8,0,0,0", "1、3、8、0、0、1、3、8、0、0、0",
                "138*0013*8000", "138\u{200B}0013\u{2066}8000", "l38OOl38OOO", "138○○138○○○", "一3八零0壹3捌〇⓪０",
                "+86 138 0013 8000", "0086-13800138000",
                "(+86)13800138000".replacing("(", with: "").replacing(")", with: ""), "＋86 13800138000", "㈠㈢㈧〇〇㈠㈢㈧〇〇〇",
            ]),
        phone("+852 9123 4567", ["+852 91234567", "00852-9123-4567", "91234567", "9123 4567", "+85291234567"]),
        phone(
            "0731-88881234转802",
            [
                "0731-88881234", "88881234",
                "(0731)88881234".replacing("(", with: "").replacing(")", with: ""),
            ]),
        phone(
            "13800138000",
            [
                "138一0013一8000", "138ー0013ー8000", "138丨0013丨8000", "ㄧ三八○○ㄧ三八○○○", "138&nbsp;0013&nbsp;8000",
                "138ОО138ООО",
            ]),
        phone("0731-8888123", ["0731一8888123", "731-8888123", "○8888123".replacing("○", with: "")]),
        // In the wrong field.
        phone("微信：wangjs_88", ["wangjs_88", "WANGJS-88", "wangjs88"]),
        phone("QQ 123456789", ["123456789", "一二三四五六七八九"]),
        Row(given: Reporter(phone: "wang.js@example.cn"), spellings: ["Wang.JS(at)example.cn"], label: "〔邮箱〕"),
        Row(given: Reporter(name: "王文山13800138000"), spellings: ["13800138000"], label: "〔电话〕"),
        Row(given: Reporter(name: "王文山 430102199001011234"), spellings: ["430102 19900101 1234"], label: "〔证件号〕"),
        Row(given: Reporter(address: "石桥镇 13800138000"), spellings: ["13800138000"], label: "〔电话〕"),
        Row(given: Reporter(email: "QQ:12345678"), spellings: ["12345678"], label: "〔电话〕"),
        Row(
            given: Reporter(idNumber: "护照E12345678"), spellings: ["E12345678", "e1234 5678", "Е12345678"],
            label: "〔证件号〕"),
        phone("Tel 13800138000（家）", ["13800138000"]), phone("13800138000 13900139000", ["13800138000", "13900139000"]),
        Row(
            given: Reporter(email: "wang.jianguo@example.cn"),
            spellings: [
                "Wang.JianGuo@Example.CN", "wang.jianguo＠example.cn", "wang.jianguo[at]example.cn",
                "wang.jianguo (at) example (dot) cn",
                "ｗａｎｇ．ｊｉａｎｇｕｏ＠ｅｘａｍｐｌｅ．ｃｎ", "wang\u{200B}.jianguo@example.cn", "wang.jianguo#example.cn",
                "wangjianguo", "wаng.jianguo@example.cn", "wang.jianguo@example点cn", "wangjianguo艾特example点cn",
            ],
            label: "〔邮箱〕"),
        Row(
            given: Reporter(idNumber: "43010219900101123X"),
            spellings: [
                "43010219900101123x", "430102 19900101 123X", "４３０１０２１９９００１０１１２３Ｘ", "430102-1990-0101-123×",
                "④③⓪①⓪②①⑨⑨⓪⓪①⓪①①②③X",
                "43010219900101123叉", "43010219900101123❌",
            ],
            label: "〔证件号〕"),
        Row(
            given: Reporter(organ: "青崖縣第三中学"), spellings: ["青崖县第三中学", "青崖县第叁中學", "青崖县第3中学", "青崖县·第三中学"], label: "〔单位〕"),
        Row(
            given: Reporter(address: "石桥镇人民路12号3栋"),
            spellings: ["石桥镇人民路12号3栋", "石橋鎮人民路１２號３棟", "石桥镇人民路一二号3栋", "石桥镇人民路十二号三栋", "石桥镇人民路拾贰号3栋"], label: "〔住址〕"),
        Row(
            given: Reporter(address: "石桥镇石桥村三组105号"), spellings: ["石桥村3组一百零五号", "石桥村三组壹佰零伍号", "石桥村三组"], label: "〔住址〕"),
        Row(given: Reporter(address: "石桥镇中山路二十号"), spellings: ["中山路20号", "中山路贰拾号"], label: "〔住址〕"),
        Row(given: Reporter(organ: "青崖县水利局（机关）"), spellings: ["青崖縣水利局", "青崖县水利局（机关）"], label: "〔单位〕"),
    ]

    @Test("every spelling of the reporter is hidden, and nothing around it", arguments: rows)
    func hidesEverySpelling(row: Row) {
        let mask = Mask(reporters: [row.given])
        for spelling in row.spellings {
            let masked = mask.apply("我是甲。\(spelling)反映某事")
            #expect(masked.hasPrefix("我是甲。\(row.label)") && masked.hasSuffix("反映某事"), "\(spelling): \(masked)")
            #expect(
                masked.unicodeScalars.count <= "我是甲。\(row.label)反映某事".unicodeScalars.count + 1, "\(spelling): \(masked)"
            )
        }
    }

    @Test(
        "a match that two clauses, an amount or another word contains by accident stays",
        arguments: [
            ("张三", "他姓张，三次受罚"), ("张三", "张家三口"), ("伍六", "共56万元"), ("陆一", "61人"), ("王文山", "王文、李山"),
            (
                "Li Na",
                "Linate, Milina"
            ),
            ("全体村民", "全体党员都知道"), ("Zhang San", "Sanzhangs"), ("张\u{E863}", "张\u{E864}、张三"), ("张\u{E863}", "张"),
        ])
    func keepsAccidentalMatches(name: String, text: String) {
        #expect(Mask(reporters: [Reporter(name: name)]).apply(text) == text)
    }

    @Test("a short number stays where an amount contains its digits")
    func keepsAmounts() {
        let mask = Mask(reporters: [Reporter(phone: "66778")])
        #expect(mask.apply("66,778元；第166778号；66778号；电话66 778") == "66,778元；第166778号；〔电话〕号；电话〔电话〕")
    }

    @Test("the service next to an address, and the domain alone, stay")
    func keepsDomains() {
        #expect(Mask(reporters: [Reporter(email: "wang.js@example.cn")]).apply("见example.cn") == "见example.cn")
        #expect(Mask(reporters: [Reporter(phone: "wechat wangjs88")]).apply("WeChat: wangjs88") == "WeChat: 〔电话〕")
    }

    @Test("overlapping matches are hidden together")
    func hidesOverlappingMatchesTogether() {
        let mask = Mask(reporters: [Reporter(name: "张三丰"), Reporter(name: "三丰李四")])
        #expect(mask.apply("找张三丰李四问") == "找〔举报人〕问")
    }

    @Test("the accused's name stays where it equals the reporter's, and is masked where it means the reporter")
    func keepsAccusedsName() {
        let submission = Submission(
            title: "", text: "x", region: "13800138000", reporters: [Reporter(name: "王文山", phone: "13800138000")],
            accused: [
                Accused(name: "王⽂ 山"), Accused(name: "张三（举报人王文山之妻）"),
                Accused(name: "张三", position: "王文山的上级", region: "p-13800138000"),
            ],
            attachments: [
                Attachment(name: "王文山.jpg", mediaType: "Image/JPEG; name=\"王文山.jpg\"", bytes: 1, sha256: "00"),
                Attachment(name: "a", mediaType: "image/x-13800138000", bytes: 1, sha256: "00"),
                Attachment(name: "b", mediaType: "王文山", bytes: 1, sha256: "00"),
            ])
        let masked = Mask(reporters: submission.reporters).apply(to: submission)
        #expect(masked.accused.map(\.name) == ["王⽂ 山", "张三（举报人〔举报人〕之妻）", "张三"])
        #expect(masked.accused[2] == Accused(name: "张三", position: "〔举报人〕的上级"))
        #expect(masked.region == nil)
        #expect(masked.attachments.map(\.mediaType) == ["image/jpeg", nil, nil])
        #expect(masked.attachments[0].name == "〔举报人〕.jpg")
    }

    @Test("twenty names with the same beginning and end cost no more than the text's length")
    func masksLookAlikesInLinearTime() {
        let names = (181...200).map { count in
            Reporter(
                name: String(repeating: "王", count: count), phone: String(repeating: "1", count: count / 5),
                address: String(repeating: "县1", count: count / 2))
        }
        let text = String(repeating: "王", count: 60_000) + String(repeating: "1", count: 20_000)
        let start = ContinuousClock.now
        #expect(Mask(reporters: names).apply(text) == "〔举报人〕〔电话〕")
        // A debug build under load; a release build takes some milliseconds, see Benchmarks/instructions.
        #expect(ContinuousClock.now - start < .seconds(5))
    }
}
