import Basics
import Casework
import Corpus
import Foundation
import Installation
import Testing

@Suite("The corpus of sample reports")
struct CorpusTests {
    private static let moment = Instant(microsecondsSinceEpoch: 1_772_438_400_000_000)
    private static let reports = take(2000, seed: 7)
    private static let accusations = reports.map(\.submission).filter { $0.matterKind == "accusation" }

    @Test("the same seed gives the same bytes, and another seed gives others")
    func givesSameBytesForSeed() throws {
        let first = try Self.bytes(Self.take(300, seed: 42))
        #expect(try first == Self.bytes(Self.take(300, seed: 42)))
        #expect(try first != Self.bytes(Self.take(300, seed: 43)))
    }

    @Test("a seed gives the same report in every build, not only in this process")
    func pinsReportsAcrossBuilds() throws {
        let report = try #require(Self.take(1, seed: 1).first)
        #expect(report.id == "sample-1-0")
        #expect(report.source.rawValue == "phone")
        #expect(report.submission.accused.map(\.name) == ["石佳发"])
    }

    @Test("any report can be written without those before it")
    func writesAnyReportAlone() {
        let corpus = Corpus(seed: 7, receivedAround: Self.moment)
        #expect([0, 17, 1999].map { corpus.report(at: $0) } == [0, 17, 1999].map { Self.reports[$0] })
    }

    @Test("ids are distinct and short, and every source of the office is one of the nine")
    func usesDistinctIds() {
        #expect(Set(Self.reports.map(\.id)).count == 2000)
        #expect(Self.reports.allSatisfy { $0.id.utf8.count <= 128 })
        #expect(Set(Self.reports.map(\.source)) == Set(SampleOffice.standard.sources.map(\.id)))
    }

    @Test("no placeholder is left in any text")
    func leavesNoOpenPlaces() {
        for report in Self.reports {
            let submission = report.submission
            let texts = [submission.title, submission.text] + submission.allegations.map(\.act)
            #expect(texts.allSatisfy { !$0.contains("{") && !$0.isEmpty })
        }
    }

    @Test("the kinds of matter come in realistic proportions")
    func keepsProportionsOfMatters() {
        let kinds = Dictionary(grouping: Self.reports, by: \.submission.matterKind).mapValues { $0.count * 100 / 2000 }
        #expect((63...73).contains(kinds["accusation"] ?? 0))
        #expect((14...20).contains(kinds["outside"] ?? 0))
        #expect((3...8).contains(kinds["appeal"] ?? 0))
        #expect((2...7).contains(kinds["suggestion"] ?? 0))
        #expect((3...9).contains(kinds[nil] ?? 0))
    }

    @Test("three of five reports are accusations that name somebody, a level, a place and an act")
    func makesThreeOfFiveAccusations() {
        let acceptable = Self.accusations.filter { submission in
            submission.region != nil && !submission.allegations.isEmpty
                && submission.accused.first.map { $0.level != nil && !$0.name.isEmpty } ?? false
        }
        #expect(acceptable.count >= 1200)
    }

    @Test("accusations name 1.3 accused and 1.6 allegations on average")
    func keepsAverages() {
        let count = Double(Self.accusations.count)
        let accused = Double(Self.accusations.reduce(0) { $0 + $1.accused.count }) / count
        let allegations = Double(Self.accusations.reduce(0) { $0 + $1.allegations.count }) / count
        #expect((1.22...1.40).contains(accused))
        #expect((1.50...1.72).contains(allegations))
    }

    @Test("half of the reports give names, and many of those names and numbers occur in the text")
    func givesHalfTheReportsNames() {
        let named = Self.reports.map(\.submission).filter(\.isRealName)
        #expect((900...1100).contains(named.count))
        let inText = named.filter { submission in
            submission.reporters.contains { $0.name.map(submission.text.contains) ?? false }
        }
        let phones = named.filter { submission in
            submission.reporters.contains { $0.phone.map(submission.text.contains) ?? false }
        }
        #expect(inText.count * 2 > named.count)
        #expect(phones.count * 3 > named.count)
        #expect(named.contains { submission in submission.reporters.contains { $0.idNumber != nil } })
    }

    @Test("the payload's median is at least 1.2 KB, with a tail to about 8 KB and none near the message's limit")
    func keepsSizes() throws {
        let encoder = JSONEncoder()
        let sizes = try Self.reports.map { try encoder.encode($0.submission).count }.sorted()
        #expect(sizes[1000] >= 1200)
        #expect(sizes[1990] >= 4500)
        #expect((6500...16_000).contains(sizes[1999]))
    }

    @Test("one report in twenty repeats an earlier one word for word under its own id")
    func repeatsOneInTwenty() {
        struct Matter: Hashable {
            let text: String
            let reporters: [Reporter]
            let accused: [Accused]
        }
        var seen: Set<Matter> = []
        var repeats = 0
        for submission in Self.reports.map(\.submission) {
            let matter = Matter(text: submission.text, reporters: submission.reporters, accused: submission.accused)
            if !seen.insert(matter).inserted { repeats += 1 }
        }
        #expect((60...160).contains(repeats))
    }

    @Test("every level of accused occurs, members of the office's units, and the man from whom a clerk is recused")
    func namesAccusedOfEveryKind() {
        let accused = Self.accusations.flatMap(\.accused)
        #expect(Set(accused.compactMap(\.level)) == ["village", "township", "county", "city", "province", "central"])
        let units = Set(accused.compactMap(\.unit))
        #expect(units.count >= 5)
        #expect(units.isSubset(of: SampleOffice.standard.units.map(\.id)))
        let recusals = Set(SampleOffice.standard.persons.flatMap(\.recusedFrom))
        #expect(accused.contains { recusals.contains($0.name) })
    }

    @Test("several hundred narratives occur, and all categories are alleged")
    func variesNarratives() {
        #expect(Set(Self.reports.map(\.submission.text)).count > 1800)
        #expect(
            Set(Self.accusations.flatMap(\.allegations).compactMap(\.category)) == [
                "political", "organisation", "integrity", "masses", "work", "life", "corruption", "bribery",
                "misappropriation", "abuse_of_power", "dereliction", "favouritism", "profit_transfer", "waste",
            ])
    }

    @Test("reports arrive in the day and a half before the given moment")
    func arrivesBeforeGivenMoment() {
        let earliest = Self.moment.adding(seconds: -36 * 3600)
        #expect(
            Self.reports.allSatisfy { $0.submission.receivedAt.map { earliest < $0 && $0 <= Self.moment } ?? false })
    }

    private static func take(_ count: Int, seed: UInt64) -> [SampleReport] {
        var corpus = Corpus(seed: seed, receivedAround: moment)
        return (0..<count).map { _ in corpus.next() }
    }

    private static func bytes(_ reports: [SampleReport]) throws -> [Data] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return try reports.map { try encoder.encode($0.submission) + Data("\($0.source) \($0.id)".utf8) }
    }
}

@Suite("The sample office")
struct SampleOfficeTests {
    private let office = SampleOffice.standard

    @Test("the office has its units, nine kinds of source and a staff, with valid ids and links")
    func hasUnitsSourcesAndStaff() {
        let units = Set(office.units.map(\.id))
        #expect(units.count == office.units.count && units.count == 18)
        #expect(office.units.allSatisfy { UnitID($0.id.rawValue) != nil && $0.parent.map(units.contains) ?? true })
        #expect(Set(office.sources.map(\.kind)).count == 9)
        #expect(office.sources.allSatisfy { SourceID($0.id.rawValue) != nil && $0.unit.map(units.contains) ?? true })
        #expect(Set(office.persons.flatMap(\.roles)) == ["clerk", "leader", "supervisor", "operator"])
        #expect(office.persons.filter { !$0.recusedFrom.isEmpty }.count == 1)
    }

    @Test("a county lies within its city")
    func placesCountyInItsCity() {
        for unit in office.units where unit.kind == "county" {
            let parent = office.units.first { $0.id == unit.parent }
            #expect(unit.region.map { $0.hasPrefix((parent?.region ?? "?") + "-") } ?? false)
        }
    }
}
