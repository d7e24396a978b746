import Basics
import Casework
import Testing

@Suite("The barrier")
struct BarrierTests {
    static func unit(_ id: String) -> UnitID { UnitID(unchecked: id) }
    static let names = UnitNames([
        (unit("d1"), "第一监督检查室"), (unit("c01"), "甲市纪委监委"), (unit("c01-d01"), "甲市东区纪委监委"), (unit("c02"), "乙市纪委监委"),
        (unit("s1"), "派驻省自然资源厅纪检监察组"), (unit("p1"), "信访局"), (unit("t1"), "同名组织处"), (unit("t2"), "同名 组织处"),
    ])
    static let kinds = OwnKind(words: ["纪委", "监委", "纪检", "监察", "监督检查室"], except: ["监委会", "劳动监察"])

    /// Organ, position, name, unit given by id; units that are barred; whether a person must be asked.
    static let places: [(String?, String?, String, String?, Set<String>, Bool)] = [
        (nil, nil, "张三", nil, [], false),
        (nil, nil, "张三", "c01", ["c01"], false),
        (nil, nil, "张三", "gone", ["gone"], false),
        ("某镇政府", "副镇长", "张三", nil, [], false),
        ("某小学", "校长", "张三", nil, [], false),
        // The name as it is, with blanks and invisible characters in it, in another form of the characters.
        ("甲市纪委监委", nil, "张三", nil, ["c01"], false),
        (" 甲市　纪委\u{200B}监委", nil, "张三", nil, ["c01"], false),
        ("甲市纪委监委", nil, "张三", "c02", ["c01", "c02"], false),
        // More around the name, and less of it.
        ("中共甲市纪委监委机关", "干部", "张三", nil, ["c01"], false),
        ("省纪委监委第一监督检查室", "副主任", "张三", nil, ["d1"], false),
        ("甲市纪委", "常委", "张三", nil, ["c01"], false),
        ("东区纪委监委", nil, "张三", nil, ["c01-d01"], false),
        // In the post, or in the name.
        ("省纪委", "第一监督检查室主任", "张三", nil, ["d1"], false),
        (nil, "甲市纪委书记", "张三", nil, ["c01"], false),
        (nil, nil, "甲市纪委监委张三", nil, ["c01"], false),
        // Two units of one name.
        ("同名组织处", nil, "张三", nil, ["t1", "t2"], false),
        // An organ that a unit supervises is not the unit; a short name counts only as a whole.
        ("省自然资源厅", "处长", "张三", nil, [], false),
        ("某区信访局", nil, "张三", nil, [], false),
        ("信访局", nil, "张三", nil, ["p1"], false),
        // An organ of this kind that is not ours, or is unknown.
        ("丁县纪委", "书记", "张三", nil, [], true),
        ("某镇政府", "纪委书记", "张三", nil, [], true),
        ("纪　委", nil, "张三", nil, [], true),
        ("丁县纪委", "书记", "张三", "c02", ["c02"], false),
        // Ordinary words that contain these names.
        ("某村", "村监委会主任", "张三", nil, [], false),
        ("市劳动监察大队", "队长", "张三", nil, [], false),
    ]

    @Test(
        "an accused's organ, post and name bar every unit they may mean; where none fits, a person decides",
        arguments: places)
    func barsUnitsByOrganPostAndName(
        organ: String?, position: String?, name: String, unit: String?, barred: Set<String>, isDoubtful: Bool
    ) {
        let accused = [
            Accused(name: name, organ: organ, position: position, unit: unit.map(Self.unit)),
            Accused(name: "李四", organ: "某局"),
        ]
        let finding = Barrier.finding(on: accused, among: Self.names, kinds: Self.kinds)
        #expect(Set(finding.roots.map(\.rawValue)) == barred)
        #expect(finding.isDoubtful == isDoubtful)
    }

    @Test("one barred case among several keeps a unit from all of them")
    func barsUnitFromAllCasesByOne() {
        let free = CaseFileTests.file(barred: [])
        let barred = CaseFileTests.file(barred: ["c01"])
        #expect(Barrier.admits(Self.unit("c01"), to: []))
        #expect(Barrier.admits(Self.unit("c01"), to: [free]))
        #expect(!Barrier.admits(Self.unit("c01"), to: [free, barred]))
        #expect(Barrier.admits(Self.unit("c02"), to: [free, barred]))
    }

    /// Name, own unit, recused from, names of the accused, barred units; whether the person is admitted.
    static let persons: [(String, String?, Set<String>, Set<String>, Set<String>, Bool)] = [
        ("李", nil, [], [], [], true),
        ("李", "d1", [], ["张三"], ["c01"], true),
        ("李", "c01", [], ["张三"], ["c01"], false),
        ("张三", nil, [], ["张三"], [], false),
        ("李", nil, ["张三"], ["张三", "王五"], [], false),
        ("李", nil, ["张三"], ["王五"], [], true),
        ("张三", "c01", ["张三"], ["张三"], ["c01"], false),
        ("沈励行", nil, [], ["沈　励行"], [], false),
        ("沈励行", nil, [], ["沈 励行"], [], false),
        ("沈励行", nil, [], ["沈励行 "], [], false),
        ("沈励行", nil, [], ["沈\u{200B}励行"], [], false),
        ("沈励行", nil, [], ["沈勵行"], [], false),
        ("沈励行", nil, [], ["沈励行同志"], [], false),
        ("沈励行", nil, [], ["副镇长沈励行"], [], false),
        ("沈励行", nil, [], ["沈立（化名），沈励行"], [], false),
        ("沈\u{3000}励行", nil, [], ["沈励行等人"], [], false),
        ("沈励行", nil, [], ["沈·励行"], [], false),
        ("沈励行", nil, [], ["沈 励 行"], [], false),
        ("沈励行", nil, [], ["沈励行（副书记）"], [], false),
        ("沈励行", nil, [], ["李四（沈励行）"], [], false),
        ("沈励行", nil, [], ["原纪委副书记沈励行"], [], false),
        ("沈励行", nil, [], ["“沈励行”"], [], false),
        ("沈励行", nil, [], ["沈励⾏"], [], false),
        ("沈励行", nil, [], ["沈\u{FE00}励行"], [], false),
        ("沈励行", nil, [], ["沈励行/李四"], [], false),
        ("沈励行", nil, [], ["李四和沈励行"], [], false),
        ("沈励行", nil, [], ["沈书记"], [], false),
        ("沈励行", nil, [], ["沈某某"], [], false),
        ("沈励行", nil, [], ["沈××"], [], false),
        ("沈励行", nil, [], ["沈XX"], [], false),
        ("欧阳励行", nil, [], ["欧阳局长"], [], false),
        ("沈励行", nil, [], ["沈励"], [], true),
        ("沈励行", nil, [], ["李书记"], [], true),
        ("沈励行", nil, [], ["某某"], [], true),
        ("王伟", nil, [], ["王伟（男）"], [], false),
        ("王伟", nil, [], ["王伟主任"], [], false),
        ("买买提·艾力", nil, [], ["买买提艾力"], [], false),
        ("王伟", nil, [], ["局长王伟"], [], false),
        ("王伟", nil, [], ["李四、王伟"], [], false),
        ("王伟", nil, [], ["王伟东"], [], true),
        ("王", nil, [], ["王伟东"], [], true),
        ("李", nil, ["张　三"], ["张三局长"], [], false),
        // A part of the name, or a name with a part left out.
        ("沈励行", nil, [], ["沈主任"], [], false),
        ("沈励行", nil, [], ["沈副书记"], [], false),
        ("沈励行", nil, [], ["副镇长沈"], [], false),
        ("沈励行", nil, [], ["老沈"], [], false),
        ("沈励行", nil, [], ["沈局"], [], false),
        ("沈励行", nil, [], ["沈总（水利局）"], [], false),
        ("沈励行", nil, [], ["姓沈的"], [], false),
        ("沈励行", nil, [], ["沈"], [], false),
        ("沈励行", nil, [], ["沈某"], [], false),
        ("沈励行", nil, [], ["沈某某同志"], [], false),
        ("沈励行", nil, [], ["副镇长沈某"], [], false),
        ("沈励行", nil, [], ["沈某行"], [], false),
        ("沈励行", nil, [], ["沈*行", "王五"], [], false),
        ("沈励行", nil, [], ["沈××"], [], false),
        ("沈励行", nil, [], ["沈XX"], [], false),
        ("沈励行", nil, [], ["沈〇行"], [], false),
        ("沈励行", nil, [], ["励行同志"], [], false),
        ("沈励行", nil, [], ["沈励行（沈老三）"], [], false),
        ("沈励行", nil, [], ["沈老三[沈励行]"], [], false),
        ("沈励行", nil, [], ["沈励行、王文山"], [], false),
        ("沈励行", nil, [], ["王文山 沈励行"], [], false),
        ("沈励行", nil, [], ["王文山和沈励行"], [], false),
        ("沈励行", nil, [], ["&#27784;励行"], [], false),
        ("欧阳小明", nil, [], ["歐陽主任"], [], false),
        ("欧阳小明", nil, [], ["欧阳某"], [], false),
        ("李", nil, ["张三、李四光"], ["李四光"], [], false),
        ("李", nil, ["张主任"], ["张三"], [], false),
        ("沈励行", nil, [], ["王主任", "王某", "老王", "某某", "某镇长", "镇长", "不详", "周某行", "立行", "王励行"], [], true),
        ("沈励行", nil, [], ["沈大明", "沈励"], [], true),
    ]

    @Test("a person who is in a barred unit, recused, or accused under the same name is kept away", arguments: persons)
    func keepsBarredPersonsAway(
        name: String, unit: String?, recusedFrom: Set<String>, accused: Set<String>, barred: Set<String>, admitted: Bool
    ) {
        let admits = Barrier.admits(
            personNamed: name, unit: unit.map(Self.unit), recusedFrom: recusedFrom,
            content: Submission(title: "", text: "", accused: accused.map { Accused(name: $0) }),
            to: CaseFileTests.file(barred: barred))
        #expect(admits == admitted)
    }

    @Test("a person mentioned anywhere in a report is kept away, and so is anyone with a stake in that person")
    func keepsMentionedPersonsAway() {
        func isFree(_ name: String, recusedFrom: Set<String> = [], _ text: String, accused: String = "某某") -> Bool {
            let reports = [
                Submission(title: text, text: "", accused: [Accused(name: accused)]),
                Submission(title: "", text: text, accused: [Accused(name: accused)]),
                Submission(
                    title: "", text: "", accused: [Accused(name: accused)], allegations: [Allegation(act: text)]),
                Submission(title: "", text: "", accused: [Accused(name: accused, position: text)]),
            ]
            let answers = Set(reports.map { Barrier.isFree(personNamed: name, recusedFrom: recusedFrom, of: $0) })
            #expect(answers.count == 1, "\(text)")
            return answers.contains(true)
        }
        for spelling in ["沈励行", "沈　励行", "沈勵行同志", "沈*励*行", "沈\u{E000}励行", "沈\u{E34}励行"] {
            #expect(!isFree("沈励行", "镇里的\(spelling)收了钱"), "\(spelling)")
            #expect(!isFree("李四光", recusedFrom: ["沈励行"], "镇里的\(spelling)收了钱"), "\(spelling)")
        }
        #expect(isFree("沈励行", "沈励的行为"))
        #expect(!isFree("王伟", "找王伟说过") && isFree("王伟", "他姓王，伟大"))
        #expect(isFree("王伟", "找王伟东说过", accused: "王伟东"))
    }
}
