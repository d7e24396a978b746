import Casework
import Testing

@Suite("The reporter stays hidden")
struct MaskingTests {
    private static let reporter = Reporter(
        name: "王建国", organ: "青崖县水利局", phone: "+86 138-0013-8000", email: "Wang.JianGuo@example.cn",
        idNumber: "43010219900101123X", address: "澜川省青坝市青崖县石桥镇人民路12号3栋602室")

    struct Row: Sendable, CustomTestStringConvertible {
        let text: String
        let masked: String
        init(_ text: String, _ masked: String) {
            self.text = text
            self.masked = masked
        }
        var testDescription: String { text }
    }

    static let rows: [Row] = [
        Row("我是王建国。", "我是〔举报人〕。"),
        Row("王 建　国、王-建-国、王\n建国", "〔举报人〕、〔举报人〕、〔举报人〕"),
        Row("王建国王建国", "〔举报人〕〔举报人〕"),
        Row("电话13800138000", "电话〔电话〕"),
        Row("138-0013-8000", "〔电话〕"),
        Row("１３８ ００１３ ８０００", "〔电话〕"),
        Row("138.0013.8000，(138)00138000", "〔电话〕，(〔电话〕"),
        Row("拨+86 13800138000或0086-138-0013-8000", "拨〔电话〕或〔电话〕"),
        Row("一三八零零一三八〇〇〇", "〔电话〕"),
        Row("一三八〇一三八〇〇〇", "一三八〇一三八〇〇〇"),
        Row("一三八〇〇一三八〇〇〇，一三八零零一三八零零零", "〔电话〕，〔电话〕"),
        Row("证号430102 19900101 123x", "证号〔证件号〕"),
        Row("４３０１０２１９９００１０１１２３Ｘ", "〔证件号〕"),
        Row("写信到wang.jianguo@EXAMPLE.cn", "写信到〔邮箱〕"),
        Row("微信号 wangjianguo", "微信号 〔邮箱〕"),
        Row("本人在青崖县水利局工作", "本人在〔单位〕工作"),
        Row("家住澜川省青坝市青崖县石桥镇人民路12号3栋602室", "家住〔住址〕"),
        Row("家住人民路12号3栋602室", "家住〔住址〕"),
        Row("青崖县石桥镇人民路１２号", "〔住址〕"),
        Row("人民路很堵，石桥镇的路也是", "人民路很堵，石桥镇的路也是"),
        Row("建国以来，王局长", "建国以来，王局长"),
        Row("没有什么可隐去的", "没有什么可隐去的"),
        Row("", ""),
    ]

    @Test("the reporter's data are replaced everywhere, in every spelling", arguments: rows)
    func masksReporterInEverySpelling(row: Row) {
        #expect(Mask(reporters: [Self.reporter]).apply(row.text) == row.masked)
    }

    @Test("a short number within a longer one stays, because it may be there by chance")
    func keepsLongerNumbers() {
        let mask = Mask(reporters: [Reporter(phone: "0731-88881234"), Reporter(phone: "66778")])
        #expect(mask.apply("0731 88881234；88881234；(0731)8888-1234") == "〔电话〕；〔电话〕；(〔电话〕")
        #expect(mask.apply("1888812345元，第166778号，66778") == "1888812345元，第166778号，〔电话〕")
    }

    @Test("a Latin name is matched as a whole word, in any letter case")
    func masksLatinNamesAsWholeWords() {
        let mask = Mask(reporters: [Reporter(name: "Li Na")])
        #expect(mask.apply("LI NA, Li-Na, li na's, Linate, Milina") == "〔举报人〕, 〔举报人〕, 〔举报人〕's, Linate, Milina")
    }

    @Test("a value that is too short to identify anybody is not searched for")
    func ignoresShortValues() {
        let mask = Mask(reporters: [
            Reporter(name: "李", organ: "县委", phone: "110", email: "a@b", idNumber: "12", address: "县城")
        ])
        #expect(mask.isEmpty)
        #expect(mask.apply("李在县委，县城，110") == "李在县委，县城，110")
    }

    @Test("the longest of several matches is replaced")
    func masksLongestMatch() {
        let mask = Mask(reporters: [Reporter(name: "欧阳"), Reporter(name: "欧阳小明"), Reporter(organ: "欧阳小明工作室")])
        #expect(mask.apply("欧阳小明工作室的欧阳小明和欧阳") == "〔单位〕的〔举报人〕和〔举报人〕")
    }

    @Test("several numbers in one field are several numbers")
    func splitsNumbersInOneField() {
        let mask = Mask(reporters: [Reporter(phone: "13800138000，13900139000")])
        #expect(mask.apply("13900139000、13800138000") == "〔电话〕、〔电话〕")
    }

    @Test("without reporters nothing changes")
    func changesNothingWithoutReporters() {
        let mask = Mask(reporters: [])
        #expect(mask.isEmpty)
        #expect(mask.apply("王建国 13800138000") == "王建国 13800138000")
    }

    @Test("every free text of a submission is masked, the accused's names stay, and the reporters are removed")
    func masksEveryFreeText() {
        let statement = "王建国说"
        let submission = Submission(
            matterKind: "accusation", title: statement, text: statement, region: "p", reporters: [Self.reporter],
            accused: [Accused(name: "王建国", organ: statement, position: statement, level: "city")],
            allegations: [Allegation(category: "work", act: statement)],
            attachments: [Attachment(name: "王建国的材料.pdf", bytes: 1, sha256: "00")])
        let masked = Mask(reporters: submission.reporters).apply(to: submission)
        let hidden = "〔举报人〕说"
        #expect(
            masked
                == Submission(
                    matterKind: "accusation", title: hidden, text: hidden, region: "p",
                    accused: [Accused(name: "王建国", organ: hidden, position: hidden, level: "city")],
                    allegations: [Allegation(category: "work", act: hidden)],
                    attachments: [Attachment(name: "〔举报人〕的材料.pdf", bytes: 1, sha256: "00")]))
    }

    @Test("text around the tokens is kept byte for byte")
    func keepsSurroundingBytes() {
        let around = "🙂é e\u{301} \u{200B}〇-…\r\n"
        #expect(
            Mask(reporters: [Self.reporter]).apply(around + "王建国" + around) == around + "〔举报人〕" + around)
    }
}
