import Basics
import Casework
import Testing

@Suite("Repeats")
struct RepeatsTests {
    private static let secret = [UInt8](repeating: 7, count: 32)
    private static let reporter = Reporter(name: "王建国", phone: "13800138000")
    private static let report = Submission(
        title: "举报张某", text: "张某贪污，公款5000元。", reporters: [reporter], accused: [Accused(name: "张某", organ: "水利局")],
        allegations: [Allegation(category: "work", act: "贪污")],
        attachments: [Attachment(name: "a.pdf", bytes: 1, sha256: "ab")])

    private static func keys(_ submission: Submission) -> RepeatKeys {
        RepeatKeys(submission: submission, secret: secret)
    }

    private static func changed(_ change: (inout Submission) -> Void) -> Submission {
        var submission = report
        change(&submission)
        return submission
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let other: Submission
        let isRepeat: Bool
        init(_ name: String, _ isRepeat: Bool, _ change: (inout Submission) -> Void) {
            testDescription = name
            other = RepeatsTests.changed(change)
            self.isRepeat = isRepeat
        }
    }

    static let rows: [Row] = [
        Row("word for word", true) { _ in },
        Row("other white space, punctuation, width and case", true) { $0.text = "张某贪污\n　公款 ５０００ 元……" },
        Row("the phone written otherwise", true) { $0.reporters[0].phone = "+86 138-0013-8000" },
        Row("the phone in numerals", true) { $0.reporters[0].phone = "幺三八零零壹叁捌零零零" },
        Row("the accused with a space and an invisible character", true) { $0.accused[0].name = "张 \u{200B}某" },
        Row("the form of a paper", true) { $0.attachments[0].mediaType = "application/pdf" },
        Row("another decimal", false) { $0.text = "张某贪污，公款50.00元。" },
        Row("another category", false) { $0.allegations[0].category = "life" },
        Row("another position", false) { $0.accused[0].position = "局长" },
        Row("another unit", false) { $0.accused[0].unit = UnitID(unchecked: "c01") },
        Row("another name of a paper", false) { $0.attachments[0].name = "b.pdf" },
        Row("another time of receipt, another region", true) { $0.region = "p-c01" },
        Row("another amount", false) { $0.text = "张某贪污，公款6000元。" },
        Row("another accused", false) { $0.accused.append(Accused(name: "李某")) },
        Row("another act", false) { $0.allegations.append(Allegation(act: "受贿")) },
        Row("another paper", false) { $0.attachments[0].sha256 = "cd" },
        Row("another reporter", false) { $0.reporters[0].name = "李建国" },
        Row("another reporter of the same name", false) { $0.reporters[0].phone = "13900139000" },
        Row("nobody gives a name", false) { $0.reporters = [] },
    ]

    @Test("only a report that adds nothing new is a repeat", arguments: rows)
    func recognisesRepeats(row: Row) {
        #expect(Self.keys(row.other).isRepeat(of: Self.keys(Self.report)) == row.isRepeat)
        #expect(Self.keys(Self.report).isRepeat(of: Self.keys(row.other)) == row.isRepeat)
    }

    @Test("an anonymous report is compared by its accused, in any order")
    func comparesAnonymousReportsByAccused() {
        let first = Self.changed {
            $0.reporters = []
            $0.accused = [Accused(name: "甲", organ: "一"), Accused(name: "乙", organ: "二")]
        }
        let second = Self.changed {
            $0.reporters = [Reporter(name: "无名")]
            $0.accused = [Accused(name: "乙", organ: "二"), Accused(name: "甲", organ: "一")]
        }
        let swapped = Self.changed {
            $0.reporters = []
            $0.accused = [Accused(name: "甲", organ: "二"), Accused(name: "乙", organ: "一")]
        }
        #expect(Self.keys(first).basis == .accused)
        #expect(Self.keys(second).isRepeat(of: Self.keys(first)))
        #expect(!Self.keys(swapped).isRepeat(of: Self.keys(first)))
    }

    @Test("a report without reporter and accused is no repeat, not even of itself")
    func findsNoRepeatWithoutParties() {
        let keys = Self.keys(Submission(title: "", text: "同样的话"))
        #expect(keys.basis == nil)
        #expect(keys.reporterKey == nil)
        #expect(keys.accusedKey == nil)
        #expect(!keys.isRepeat(of: keys))
    }

    @Test("two parts never run into one another")
    func keepsPartsApart() {
        let left = Submission(title: "甲乙", text: "丙")
        let right = Submission(title: "甲", text: "乙丙")
        #expect(Self.keys(left).textDigest != Self.keys(right).textDigest)
    }

    @Test("persons and text are keyed with the office's secret")
    func keysWithSecret() {
        let other = RepeatKeys(submission: Self.report, secret: [UInt8](repeating: 8, count: 32))
        let keys = Self.keys(Self.report)
        #expect(keys.textDigest != other.textDigest)
        #expect(keys.reporterKey != other.reporterKey)
        #expect(keys.accusedKey != other.accusedKey)
        #expect([keys.textDigest.count, keys.reporterKey?.count, keys.accusedKey?.count] == [32, 32, 32])
    }
}
