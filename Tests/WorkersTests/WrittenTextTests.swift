import AMQP
import Basics
import CaseStore
import Casework
import Contract
import Crypto
import Foundation
import Testing
import TestOffice

@testable import Workers

@Suite(
    "Written text, through the workers",
    .enabled(if: TestServers.announced != nil, "needs the servers that deploy/test starts"))
struct WrittenTextTests {
    @Test("a reporter's name and numbers in any spelling are in no table, no answer and no handoff")
    func hidesReporterInEverySpelling() throws {
        let office = try OfficeUnderTest()
        try office.startAll()
        let (source, city) = (try office.source(), try office.unit("c01"))
        let spellings = [
            "欧阳不平", "歐陽不平", "欧·阳·不·平", "欧\u{2066}阳\u{2069}不平", "欧\u{34F}阳不\u{180E}平", "欧阳不\u{FE00}平\u{E0100}",
            "欧　阳⋅不･平",
            "壹叁捌壹贰叁肆伍陆柒捌", "幺三八幺二三四五六七八", "①③⑧①②③④⑤⑥⑦⑧", "𝟏𝟑𝟖𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖",
        ]
        var submission = Sample.accusation(
            "我是" + spellings.joined(separator: "；又作") + "。反映张三贪污公款。",
            reporters: [Reporter(name: "欧阳不平同志", phone: "13812345678")])
        submission.title = "歐陽不平反映"
        submission.region = "13812345678"
        submission.accused[0].organ = "欧阳 不平所在的镇政府"
        submission.attachments = [
            Attachment(
                name: "欧*阳*不*平.jpg", mediaType: "image/jpeg; name=\"欧阳不平.jpg\"", bytes: 1,
                sha256: String(repeating: "a", count: 64))
        ]
        submission.accused.append(Accused(name: "李四（举报人欧阳不平之兄）", level: "township", region: "p-c01"))
        try source.submit(submission)
        #expect(try source.receive().type == MessageType.reportAccepted.rawValue)
        let body = String(decoding: try city.next(city.inbox).body, as: UTF8.self)
        for spelling in spellings + ["欧阳 不平", "欧*阳*不*平"] {
            #expect(!body.contains(spelling), "\(spelling)")
            #expect(try office.places(of: Array(spelling.utf8)).isEmpty, "\(spelling)")
        }
        #expect(body.contains("〔举报人〕") && body.contains("〔电话〕") && body.contains("李四（举报人〔举报人〕之兄）"))
        #expect(body.contains(#""mediaType":"image\/jpeg""#) || body.contains(#""mediaType":"image/jpeg""#))
        #expect(try office.count("SELECT count(*) FROM report WHERE region IS NULL") == 1)
        try office.close()
    }

    @Test("an invalid media type is refused by name")
    func refusesMediaTypeByName() throws {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        let source = try office.source()
        var submission = Submission.new()
        submission.attachments = [
            Attachment(name: "a", mediaType: "张三的照片", bytes: 1, sha256: String(repeating: "a", count: 64))
        ]
        try source.submit(submission)
        #expect(try source.receive().problem == "bad_value")
        #expect(try office.count("SELECT count(*) FROM report") == 0)
        try office.close()
    }

    @Test("a word of breach with separated characters keeps a web report from being refused")
    func splitWordOfBreachPreventsRefusal() throws {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        let web = try office.source("web")
        for word in ["受贿", "受　贿", "受\u{200B}贿", "受\u{A0}贿", "受·贿", "⾏贿", "受賄", "受*贿", "受，贿", "貪污"] {
            try web.submit(Submission(title: "学校食堂", text: "学校食堂采购，校长多次\(word),家长要求处理"))
            let answer = try web.receive()
            #expect(answer.data["state"] as? String == "needs_review", "\(word)")
            #expect(answer.data["rule"] as? String == "cn-discipline@1/scope-breach-unnamed", "\(word)")
        }
        try web.submit(Submission(title: "学校食堂", text: "学校食堂采购，家长要求处理"))
        #expect(try web.receive().data["state"] as? String == "not_accepted")
        try office.close()
    }

    @Test("the same text in other characters is a repeat; another amount, private-use name or village is not")
    func recognisesRepeatInOtherCharacters() throws {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        let source = try office.source()
        func state(_ text: String, accused: String) throws -> String? {
            try source.submit(
                Submission(
                    title: "", text: text, accused: [Accused(name: accused)],
                    allegations: [Allegation(category: "corruption", act: "虚报冒领")]))
            return try source.receive().data["state"] as? String
        }
        let firsts = [
            ("周某平收受现金3.5万元", "周某平"), ("周某平收受现金35万元", "周某平"), ("周某平收受现金3,5万元", "周某平"), ("反映该人冒领", "张\u{E863}"),
            ("反映该人冒领", "张\u{E864}"),
            ("反映⼤桥村周某平", "周某平"), ("反映⼩桥村周某平", "周某平"), ("反映王文山行贿", "王文山"), ("反映李某虚报", "李某"),
        ]
        for (text, accused) in firsts { #expect(try state(text, accused: accused) == "registered", "\(text)") }
        let repeats = [
            ("周某平收受现金３．５万元。", "周 某平"), ("反映大桥村周某平", "周某平"), ("反映王⽂⼭⾏贿", "王⽂⼭"), ("反映\u{F9E1}某虚报", "\u{F9E1}某"),
            ("反映 王\u{200B}文山，行贿", "王·文山"),
        ]
        for (text, accused) in repeats { #expect(try state(text, accused: accused) == "linked_as_repeat", "\(text)") }
        try office.close()
    }

    @Test("placeholders are no name and no contact: the report is anonymous, and nothing in it is masked")
    func treatsPlaceholdersAsAnonymous() throws {
        let office = try OfficeUnderTest()
        try office.start(.intake)
        let phone = try office.source()
        let reporters = [
            Reporter(name: "匿名", phone: "无", address: "无"), Reporter(name: "匿名", phone: "0", address: "不详"),
            Reporter(name: "匿名", phone: ""),
            Reporter(name: "匿名", phone: "00000000000", address: "/"), Reporter(name: "Anonymous", email: "N/A"),
            Reporter(name: "張三", phone: "保密"),
            Reporter(name: "无名氏", phone: "13800138000"), Reporter(name: "（不愿透露）", phone: "--", address: "……"),
        ]
        for (index, reporter) in reporters.enumerated() {
            try phone.submit(Sample.accusation("来电人匿名反映，保密，无其他：张某平贪污。第\(index)次", reporters: [reporter]))
            #expect(try phone.receive().type == MessageType.reportAccepted.rawValue)
        }
        try phone.submit(
            Sample.accusation("有名的", reporters: [Reporter(name: "李诉", phone: "13800138000", address: "不详")]))
        _ = try phone.receive()
        #expect(try office.count("SELECT count(*) FROM report WHERE real_name") == 1)
        #expect(
            try office.count("SELECT count(*) FROM report_text WHERE body LIKE '来电人匿名反映，保密，无其他：%'") == reporters.count)
        try office.close()
    }

    @Test("a directory that is read again without a change keeps its edition")
    func keepsEdition() throws {
        let office = try OfficeUnderTest()
        let database = try office.database()
        let first = try OfficeDirectory.read(database)
        #expect(try OfficeDirectory.read(database, unless: first).edition == first.edition)
        try office.change("UPDATE source SET kind = 'web' WHERE id = 'letter'")
        let changed = try OfficeDirectory.read(database, unless: first)
        #expect(
            changed.edition != first.edition
                && changed.sources.values.contains { $0.id.rawValue == "letter" && $0.kind == "web" })
        try office.close()
    }
}

@Suite("Reports prepared before their transaction")
struct PreparedReportTests {
    private static let vaultKey = VaultKey(Curve25519.KeyAgreement.PrivateKey())

    private static let directory = OfficeDirectory(
        units: SmallOffice.units, closure: [], sources: SmallOffice.sources, persons: [])

    private func office(
        _ directory: OfficeDirectory = directory, policy: (String) -> String = { $0 }
    ) throws -> OfficeContext {
        let moment = Instant(microsecondsSinceEpoch: 1_772_438_400_000_000)
        return OfficeContext(
            worker: .intake, directory: directory,
            rulebook: try Rulebook(try PolicyFile.read(policy(try OfficeUnderTest.policyText()), named: "policy")),
            vault: Vault(recipient: Self.vaultKey.recipient), boxes: try BoxKeys([:]),
            digestKey: try DigestKey(keyBytes: Array(repeating: 8, count: 32)), now: moment, wall: moment)
    }

    private func prepared(_ submission: Submission) throws -> PreparedReport {
        return try PreparedReport(
            submission, from: try #require(SmallOffice.sources.first { $0.id.rawValue == "letter" }), body: [1, 2, 3],
            sealing: Sealing(mailKey: SealingKey(Curve25519.KeyAgreement.PrivateKey().publicKey)), in: try office())
    }

    @Test("a report is masked, keyed and sealed beforehand, except a matter only for a superior")
    func preparesAllButSealedMatters() throws {
        let readable = try prepared(Sample.accusation("王五说", reporters: [Reporter(name: "王五", phone: "13800138000")]))
        guard case .readable(let done) = readable.decision else { return #expect(Bool(false), "\(readable.decision)") }
        #expect(done.content.text == "〔举报人〕说" && done.content.reporters.isEmpty && done.repeatKey != nil)
        #expect(try Self.vaultKey.open(done.original, of: readable.id) == [1, 2, 3])
        guard case .sealed = try prepared(Sample.accusation(level: "central")).decision else {
            return #expect(Bool(false), "not sealed")
        }
    }

    @Test("a preparation is not used when the directory or the policy has changed since")
    func ignoresOutdatedPreparation() throws {
        let report = try prepared(Sample.accusation())
        #expect(report.holds(in: try office()))
        let readAgain = OfficeDirectory(
            units: SmallOffice.units, closure: [], sources: SmallOffice.sources, persons: [])
        #expect(!report.holds(in: try office(readAgain)))
        #expect(!report.holds(in: try office { $0.replacing("\nversion: 1\n", with: "\nversion: 2\n") }))
    }
}
