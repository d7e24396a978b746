import Casework
import Testing

@Suite("Placeholders")
struct PlaceholderTests {
    private static let placeholders = Placeholders([
        "匿名", "无", "不详", "保密", "某某", "无名氏", "不愿透露", "N/A", "none",
        "Anonymous", "12345678",
    ])

    @Test(
        "a placeholder is recognised however it is written",
        arguments: [
            "匿名", " 匿 名 ", "（匿名）", "匿名。", "【匿名】", "無", "不詳", "不愿 透露", "無名氏", "N/A", "n/a",
            "Ｎ／Ａ".replacing("Ｎ／Ａ", with: "N / A"), "NONE", "anonymous", "",
            "　", "/", "-", "--", "……", "***", "0", "000", "00000000000", "1", "11111111", "０００", "0-0-0", "12345678",
            "1234 5678", "\u{200B}", "·",
        ])
    func recognisesPlaceholders(text: String) { #expect(Self.placeholders.contains(text)) }

    @Test(
        "a name or a contact is no placeholder",
        arguments: [
            "无双", "王匿名", "Na", "NA", "一一", "张三", "10", "13800138000", "12345",
            "不详村", "阿无", "某某村3号",
        ])
    func keepsNamesAndContacts(text: String) { #expect(!Self.placeholders.contains(text)) }

    @Test("a policy without a list still recognises the obvious placeholders")
    func needsNoListForObviousPlaceholders() {
        #expect(Placeholders([]).contains("/") && Placeholders([]).contains("000") && !Placeholders([]).contains("匿名"))
    }

    @Test("a report without placeholders is anonymous or real-name as it states")
    func keepsStatedAnonymity() {
        func stated(_ reporters: Reporter...) -> Submission {
            Submission(title: "", text: "来电人匿名反映，无其他", reporters: reporters).stated(without: Self.placeholders)
        }
        let anonymous = stated(
            Reporter(name: "匿名", phone: "无", address: "不详"),
            Reporter(name: "无名氏", phone: "000", address: "/"))
        #expect(anonymous.reporters.isEmpty && !anonymous.isRealName)
        #expect(Mask(reporters: anonymous.reporters).apply(anonymous.text) == "来电人匿名反映，无其他")
        #expect(!stated(Reporter(name: "匿名", phone: "13800138000")).isRealName)
        #expect(!stated(Reporter(name: "张三", phone: "0", address: "保密")).isRealName)
        #expect(!stated(Reporter(name: "张三", phone: " ")).isRealName)
        let named = stated(Reporter(name: "张三", phone: "13800138000", address: "不详", consent: .inside))
        #expect(named.isRealName)
        #expect(named.reporters == [Reporter(name: "张三", phone: "13800138000", consent: .inside)])
    }
}

@Suite("Names of formats")
struct MediaTypeNameTests {
    @Test(
        "type and subtype are in lower case, without parameters",
        arguments: [
            ("image/jpeg", "image/jpeg"), ("Image/JPEG", "image/jpeg"), ("text/plain; charset=utf-8", "text/plain"),
            (" image/jpeg ; name=\"张三.jpg\"", "image/jpeg"), ("application/vnd.ms-excel", "application/vnd.ms-excel"),
            ("image/svg+xml", "image/svg+xml"), ("application/x-7z-compressed", "application/x-7z-compressed"),
        ])
    func normalisesMediaTypes(text: String, name: String) { #expect(MediaTypeName.normal(text) == name) }

    @Test(
        "any other text is refused as a media type",
        arguments: [
            "", "jpeg", "image/", "/jpeg", "image/jpeg/x", "张三/jpeg", "image/张三", "image/j peg",
            "image jpeg", "-a/b", "a/" + String(repeating: "b", count: 128), ";a/b", "image/\u{FF4A}peg",
        ])
    func refusesOtherTexts(text: String) { #expect(MediaTypeName.normal(text) == nil) }
}

@Suite("The free texts of a submission")
struct FreeTextsTests {
    /// Writes the same words into every text.
    private struct Planting: TextVisitor {
        let words: String
        var places: [String] = []
        mutating func visit(_ text: inout String, at place: TextPlace, as kind: TextKind) {
            text = words
            places.append("\(place)")
        }
        mutating func visit(code: inout String?, at place: TextPlace, as kind: CodeKind) {}
    }

    @Test("after masking no text contains the reporter's name, except as the whole name of an accused")
    func hidesReporterInEveryText() {
        var planting = Planting(words: "王文山说")
        var submission = Submission(
            title: "", text: "",
            reporters: [Reporter(name: "", organ: "", phone: "", email: "", idNumber: "", address: "")],
            accused: [Accused(name: "", organ: "", position: "")], allegations: [Allegation(act: "")],
            attachments: [Attachment(name: "", bytes: 1, sha256: "")])
        submission.visitTexts(&planting)
        #expect(planting.places.count == 13)
        #expect(planting.places.contains("data.accused[0].organ") && planting.places.contains("data.text"))
        var found = Planting(words: "")
        var masked = Mask(reporters: [Reporter(name: "王文山")]).apply(to: submission)
        #expect(!"\(masked)".contains("王文山"))
        masked.visitTexts(&found)
        #expect(found.places == planting.places.filter { !$0.contains("reporters") })
    }
}
