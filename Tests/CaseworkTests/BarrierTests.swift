import Casework
import Testing

@Suite("The barrier")
struct BarrierTests {
    static func unit(_ id: String) -> UnitID { UnitID(unchecked: id) }
    /// c01 stands above c01-d01, which stands above c01-d01-t1; c02 stands beside them.
    static func below(_ unit: UnitID) -> Set<UnitID> {
        let tree = ["c01": ["c01", "c01-d01", "c01-d01-t1"], "c01-d01": ["c01-d01", "c01-d01-t1"]]
        return Set((tree[unit.rawValue] ?? [unit.rawValue]).map { Self.unit($0) })
    }

    @Test("the accused's unit is barred, with all below it, and nothing above or beside it")
    func barredUnits() {
        func barred(_ units: String?...) -> Set<String> {
            let accused = units.map { Accused(name: "张三", unit: $0.map(Self.unit)) }
            return Set(Barrier.barredUnits(for: accused, below: Self.below).map(\.rawValue))
        }
        #expect(barred() == [])
        #expect(barred(nil) == [])
        #expect(barred("c01") == ["c01", "c01-d01", "c01-d01-t1"])
        #expect(barred("c01-d01") == ["c01-d01", "c01-d01-t1"])
        #expect(barred("c01-d01", nil, "c02") == ["c01-d01", "c01-d01-t1", "c02"])
    }

    @Test("a unit that the tree does not know below anything is still barred itself")
    func unknownSubtree() {
        #expect(Barrier.barredUnits(for: [Accused(name: "张三", unit: Self.unit("x"))]) { _ in [] } == [Self.unit("x")])
    }

    @Test("one barred case among several keeps a unit from all of them")
    func manyCases() {
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
    ]

    @Test("a person in a barred unit, recused, or accused under the same name is kept away", arguments: persons)
    func person(
        name: String, unit: String?, recusedFrom: Set<String>, accused: Set<String>, barred: Set<String>, admitted: Bool
    ) {
        let admits = Barrier.admits(
            personNamed: name, unit: unit.map(Self.unit), recusedFrom: recusedFrom, accusedNames: accused,
            to: CaseFileTests.file(barred: barred))
        #expect(admits == admitted)
    }
}
