import Basics
import Casework
import Foundation
import Testing

@Suite("Identifiers")
struct IdentifierTests {
    static let uuid = "0195a5f2-6c00-7abc-8def-0123456789ab"

    @Test(
        "an id is read in its canonical form of either case, and written in lower case",
        arguments: [uuid, uuid.uppercased()])
    func readsUUID(text: String) throws { #expect(try #require(ReportID(text)).description == Self.uuid) }

    @Test(
        "any other text is refused as a UUID",
        arguments: [
            "", "0195a5f26c007abc8def0123456789ab", "{0195a5f2-6c00-7abc-8def-0123456789ab}",
            "0195a5f2-6c00-7abc-8def-0123456789a",
            "0195a5f2-6c00-7abc-8def-0123456789abc", "0195a5f2-6c00-7abc-8def-0123456789ag",
            "0195a5f26-c00-7abc-8def-0123456789ab",
            " 0195a5f2-6c00-7abc-8def-0123456789a", "0195a5f2-6c00-7abc-8def-0123456789a\u{0}",
            "0195a5f2_6c00_7abc_8def_0123456789ab",
        ])
    func refusesMalformedUUID(text: String) {
        #expect(ReportID(text) == nil)
        #expect(HandoffID(text) == nil)
    }

    @Test(
        "a name has 1 to 40 small letters, digits and hyphens",
        arguments: ["a", "d1", "c01-d01", "-", "0", String(repeating: "z", count: 40)])
    func readsNames(text: String) {
        #expect(UnitID(text)?.rawValue == text)
        #expect(SourceID(text)?.rawValue == text)
        #expect(PersonID(text)?.rawValue == text)
    }

    @Test(
        "a text that could widen a right or a routing key is refused as a name",
        arguments: [
            "", String(repeating: "z", count: 41), "D1", "d.1", "d 1", "d1\n", "d*", "d#", "d_1", "é", "单位", "d1|d2",
            "^", "a\u{0}",
        ])
    func refusesUnsafeNames(text: String) {
        #expect(UnitID(text) == nil)
        #expect(SourceID(text) == nil)
        #expect(PersonID(text) == nil)
    }

    @Test("ids in JSON are strings, and are validated when they are read")
    func validatesIdentifiersInJSON() throws {
        let id = try #require(ReportID(Self.uuid))
        #expect(String(decoding: try JSONEncoder().encode([id]), as: UTF8.self) == "[\"\(Self.uuid)\"]")
        #expect(try JSONDecoder().decode([ReportID].self, from: Data("[\"\(Self.uuid)\"]".utf8)) == [id])
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([ReportID].self, from: Data(#"["1"]"#.utf8)) }
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([UnitID].self, from: Data(#"["D 1"]"#.utf8)) }
    }

    @Test("ids are ordered by their bytes, as the database orders them")
    func ordersLikeDatabase() throws {
        let texts = [
            "00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-0000000000ff",
            "7fffffff-0000-0000-0000-000000000000",
            "80000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
        ]
        let ids = try texts.map { try #require(ReportID($0)) }
        #expect(ids.reversed().sorted() == ids)
        #expect(!(ids[0] < ids[0]))
    }

    @Test("a fresh id is a UUIDv7 whose first 48 bits are the milliseconds, and no two are the same")
    func makesDistinctVersion7UUIDs() {
        let instant = Instant(microsecondsSinceEpoch: 0x0195_A5F2_6C00 * 1000 + 999)
        let ids = Set((0..<1000).map { _ in HandoffID.make(at: instant) })
        #expect(ids.count == 1000)
        #expect(ids.allSatisfy { $0.description.hasPrefix("0195a5f2-6c00-7") })
        #expect(ids.allSatisfy { "89ab".contains($0.description.dropFirst(19).prefix(1)) })
        #expect(HandoffID.make(at: Instant(microsecondsSinceEpoch: -1)).description.hasPrefix("00000000-0000-7"))
    }
}
