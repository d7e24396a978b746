import Basics
import Casework
import Testing

@Suite("Who gets a report")
struct PolicyRoutingTests {
    private static func unit(
        _ id: String, _ kind: String, _ region: String?, _ levels: Set<String> = [], active: Bool = true
    )
        -> RoutingUnit
    {
        RoutingUnit(id: UnitID(unchecked: id), kind: kind, region: region, levels: levels, active: active)
    }

    private static let units = [
        unit("d2", "department", "p", ["city", "province"]), unit("d1", "department", "p", ["city", "province"]),
        unit("c1", "city", "p-c01", ["village", "county", "city"]), unit("c2", "city", "p-c02"),
        unit("c1-d1", "county", "p-c01-d01", ["village"]), unit("c1-d2", "county", "p-c01-d02", active: false),
        unit("s1", "stationed", "p", ["county"]), unit("superior", "superior", nil),
    ]

    struct Row: Sendable, CustomTestStringConvertible {
        let levels: Set<String>
        let region: String?
        var barred: Set<String> = []
        var returnedBy: Set<String> = []
        let rule: String
        let unit: String?
        var testDescription: String { "\(levels.sorted()) in \(region ?? "-") → \(unit ?? "nobody") by \(rule)" }
    }

    static let rows: [Row] = [
        Row(levels: ["province"], region: "p-c01", rule: "province", unit: "d1"),
        Row(levels: ["province"], region: "p-c01", returnedBy: ["d1"], rule: "province", unit: "d2"),
        Row(levels: ["village"], region: "p-c01-d01", rule: "grassroots", unit: "c1-d1"),
        Row(levels: ["village"], region: "p-c01-d02", rule: "grassroots", unit: "c1"),
        Row(levels: ["village"], region: "p-c01-d01", returnedBy: ["c1-d1"], rule: "grassroots", unit: "c1"),
        Row(levels: ["village"], region: "p-c01-d01", barred: ["c1-d1", "c1"], rule: "nobody", unit: nil),
        Row(levels: ["village"], region: nil, rule: "nobody", unit: nil),
        Row(levels: ["city"], region: "p-c01", rule: "city", unit: "c1"),
        Row(levels: ["city"], region: "p-c01", barred: ["c1"], rule: "own", unit: "d1"),
        Row(levels: ["city"], region: "p-c09", rule: "own", unit: "d1"),
        Row(levels: ["county"], region: "p", rule: "stationed", unit: "s1"),
        Row(levels: ["county"], region: "p-c09", rule: "nobody", unit: nil),
        Row(levels: ["village", "province"], region: "p-c01-d01", rule: "province", unit: "d1"),
        Row(levels: [], region: "p-c01", rule: "nobody", unit: nil),
    ]

    @Test("the first row that fits and has an admissible unit decides", arguments: rows)
    func routesByFirstFittingRow(row: Row) throws {
        let ruling = try PolicyFixture.rulebook().route(
            ReportFacts(sourceKind: "web", matterKind: "accusation", region: row.region, levels: row.levels),
            among: Self.units.shuffled(), barred: Set(row.barred.map(UnitID.init(unchecked:))),
            returnedBy: Set(row.returnedBy.map(UnitID.init(unchecked:))))
        #expect(ruling.rule.row == row.rule)
        switch ruling.decision {
        case .handoff(let unit, _): #expect(unit.rawValue == row.unit)
        case .needsReview(let reason):
            #expect(row.unit == nil)
            #expect(reason == "没有可以承办的单位")
        }
    }

    @Test("no choice of units gives a report to a barred or inactive unit, or to one that returned it")
    func neverRoutesToBarredUnit() throws {
        let rulebook = try PolicyFixture.rulebook()
        let ids = Self.units.map(\.id)
        let none: Set<UnitID> = []
        for mask in 0..<(1 << ids.count) {
            let out = Set(ids.indices.filter { mask & (1 << $0) != 0 }.map { ids[$0] })
            for level in ["village", "county", "city", "province"] {
                let facts = ReportFacts(sourceKind: "web", region: "p-c01-d01", levels: [level])
                for (barred, returned) in [(out, none), (none, out)] {
                    let ruling = rulebook.route(facts, among: Self.units, barred: barred, returnedBy: returned)
                    if case .handoff(let unit, _) = ruling.decision {
                        #expect(!out.contains(unit))
                        #expect(unit.rawValue != "c1-d2")
                    }
                }
            }
        }
    }

    @Test("the accused's place is used where the report names none")
    func fallsBackToPlaceOfAccused() throws {
        let facts = ReportFacts(sourceKind: "web", levels: ["city"], accusedRegions: ["p-c02-d05"], accusedCount: 1)
        let ruling = try PolicyFixture.rulebook().route(facts, among: Self.units)
        #expect(ruling.decision == .handoff(unit: UnitID(unchecked: "c2"), kind: "send_down"))
    }
}
