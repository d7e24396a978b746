public import Basics
import Casework

/// A sample installation: one provincial office with its units, sources and staff, all invented.
///
/// `bihuan-lab demo`, the benchmark and the tests set up their servers from it, and `Corpus` writes reports that
/// fit it.
public struct SampleOffice: Sendable {
    public let units: [SampleUnit]
    public let sources: [SampleSource]
    public let persons: [SamplePerson]

    public init(units: [SampleUnit], sources: [SampleSource], persons: [SamplePerson]) {
        self.units = units
        self.sources = sources
        self.persons = persons
    }

    /// Four departments, two stationed organs, six cities, four counties, the superior and the case office; nine
    /// sources, one of each kind; four persons, one of them recused.
    public static let standard = SampleOffice(units: standardUnits, sources: standardSources, persons: standardPersons)
}

/// A unit of the sample office (承办单位).
public struct SampleUnit: Sendable, Hashable {
    public let id: UnitID
    public let name: String
    /// `department`, `stationed`, `city`, `county`, `superior` or `case_office`.
    public let kind: String
    /// The place it is responsible for: `p` is the province, `p-c01` a city, `p-c01-d01` a county. Nil for the
    /// case office, which has no place.
    public let region: String?
    public let parent: UnitID?
    /// The levels of cadres it may act on, lowest first: ids of the policy's vocabulary.
    public let levels: [String]

    public init(
        id: UnitID, name: String, kind: String, region: String? = nil, parent: UnitID? = nil, levels: [String] = []
    ) {
        self.id = id
        self.name = name
        self.kind = kind
        self.region = region
        self.parent = parent
        self.levels = levels
    }
}

/// A source of the sample office (来源), one for each of the nine kinds.
public struct SampleSource: Sendable, Hashable {
    public let id: SourceID
    public let name: String
    /// `letter`, `visit`, `web`, `phone`, `superior`, `subordinate`, `leader`, `inspection` or `petition_bureau`.
    public let kind: String
    /// The unit that sends under this source, if a unit also reports.
    public let unit: UnitID?

    public init(id: SourceID, name: String, kind: String, unit: UnitID? = nil) {
        self.id = id
        self.name = name
        self.kind = kind
        self.unit = unit
    }
}

/// A person on the staff of the sample office.
public struct SamplePerson: Sendable, Hashable {
    public let id: PersonID
    public let name: String
    public let unit: UnitID?
    /// `clerk`, `leader`, `supervisor`, `operator`.
    public let roles: [String]
    /// The names of accused whose reports this person must not see or handle (回避).
    public let recusedFrom: [String]

    public init(id: PersonID, name: String, unit: UnitID? = nil, roles: [String], recusedFrom: [String] = []) {
        self.id = id
        self.name = name
        self.unit = unit
        self.roles = roles
        self.recusedFrom = recusedFrom
    }
}

/// The accused from whom one clerk of the sample office is recused; the corpus writes some reports about him.
package let recusalAccused = "程望山"

private func unit(
    _ id: String, _ name: String, _ kind: String, _ region: String?, parent: String? = nil, _ levels: [String]
) -> SampleUnit {
    SampleUnit(
        id: UnitID(unchecked: id), name: name, kind: kind, region: region, parent: parent.map(UnitID.init(unchecked:)),
        levels: levels)
}

private let standardUnits: [SampleUnit] =
    [
        unit("d1", "第一监督检查室", "department", "p", ["city", "province"]),
        unit("d2", "第二监督检查室", "department", "p", ["city", "province"]),
        unit("d3", "第三监督检查室", "department", "p", ["city", "province"]),
        unit("d4", "第四审查调查室", "department", "p", []),
        unit("s1", "派驻省自然资源厅纪检监察组", "stationed", "p", ["county"]),
        unit("s2", "派驻省卫生健康委员会纪检监察组", "stationed", "p", ["county"]),
    ]
    + Geography.cities.prefix(6).map {
        unit($0.unitID, $0.name + "纪委监委", "city", $0.code, ["village", "township", "county", "city"])
    }
    + [("c01", 0, 0), ("c01", 0, 1), ("c02", 1, 0), ("c03", 2, 0)].map { parent, city, county in
        let place = Geography.cities[city].counties[county]
        return unit(
            place.unitID, place.name + "纪委监委", "county", place.code, parent: parent, ["village", "township", "county"])
    }
    + [
        unit("superior", "上级纪委信访室", "superior", nil, ["central"]),
        unit("case-office", "案件监督管理室", "case_office", nil, []),
    ]

private let standardSources: [SampleSource] = [
    ("letter", "来信", "letter", nil),
    ("visit", "来访接待室", "visit", nil),
    ("web", "网络举报平台", "web", nil),
    ("phone", "举报电话", "phone", nil),
    ("superior-organ", "上级转送交办", "superior", nil),
    ("subordinate", "下级报送", "subordinate", "c01"),
    ("leader-mail", "领导自收件", "leader", nil),
    ("inspection", "巡视巡察移送", "inspection", nil),
    ("petition-bureau", "信访局移送", "petition_bureau", nil),
].map { id, name, kind, unit in
    SampleSource(id: SourceID(unchecked: id), name: name, kind: kind, unit: unit.map(UnitID.init(unchecked:)))
}

private let standardPersons: [SamplePerson] = [
    SamplePerson(id: PersonID(unchecked: "clerk"), name: "林书婷", roles: ["clerk"]),
    SamplePerson(id: PersonID(unchecked: "clerk-2"), name: "程晓禾", roles: ["clerk"], recusedFrom: [recusalAccused]),
    SamplePerson(id: PersonID(unchecked: "leader"), name: "贺正明", roles: ["leader"]),
    SamplePerson(id: PersonID(unchecked: "supervisor"), name: "沈励行", roles: ["supervisor"]),
    SamplePerson(id: PersonID(unchecked: "operator"), name: "骆维安", roles: ["operator"]),
]
