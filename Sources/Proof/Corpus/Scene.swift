/// The content of one report: its place, people, firm and project, and a random source for sums and dates.
package struct Scene: Sendable {
    var random: SeededRandom
    let place: Place
    let post: Post
    let accused: String
    /// A colleague who is also accused.
    var second = ""
    let reporter: Identity
    let voice: Voice
    var topic = ""
    /// The amounts of each allegation, so that its act and its text have the same sum and area.
    var amounts: [Amounts] = []
    private var given: Amounts?
    private let kin: String
    private let boss: String
    private let company: String
    private let project: String
    private let thisYear: Int

    struct Amounts: Sendable {
        fileprivate var sum: String?
        fileprivate var big: String?
        fileprivate var area: String?
    }

    /// The writer of the text: the reporter, or an officer who records it.
    enum Voice: Sendable {
        case own, recorded
    }

    init(random: SeededRandom, place: Place, post: Post, accused: String, reporter: Identity, voice: Voice, year: Int) {
        var random = random
        self.place = place
        self.post = post
        self.accused = accused
        self.reporter = reporter
        self.voice = voice
        kin = random.pick(Names.relations) + Names.person(&random)
        boss = Names.person(&random)
        company = place.city + random.pick(Names.firmWords) + random.pick(Names.firmTrades) + "有限公司"
        project = random.pick(Names.projects)
        thisYear = year
        self.random = random
    }

    mutating func fill(_ slot: Phrase.Slot) -> String {
        switch slot {
        case .accused: accused
        case .second: second
        case .title: post.title
        case .organ: post.organ(at: place)
        case .city: place.city
        case .county: place.county
        case .township: place.township
        case .village: place.village
        case .kin: kin
        case .boss: boss
        case .company: company
        case .project: project
        case .me: voice == .own ? "我" : "反映人"
        case .we: voice == .own ? "我们" : "群众"
        case .our: voice == .own ? "我" : "该"
        case .reporter: reporter.name
        case .phone: reporter.phone
        case .idNumber: reporter.idNumber
        case .address: reporter.address
        case .topic: topic
        case .date: "\(year())年\(random.number(1...12))月"
        case .day: "\(year())年\(random.number(1...12))月\(random.number(1...28))日"
        case .year: "\(year())年"
        case .count: "\(random.number(2...48))"
        case .area: take(\.area) ?? "\(random.number(6...320))"
        case .other: Names.person(&random)
        case .small: "\(random.number(3...95) * 100)元"
        case .sum: take(\.sum) ?? "\(random.number(1...86)).\(random.number(1...9))万元"
        case .big: take(\.big) ?? "\(random.number(2...98) * 100)万元"
        }
    }

    mutating func newAmounts() -> Amounts {
        give(nil)
        return Amounts(sum: fill(.sum), big: fill(.big), area: fill(.area))
    }

    /// Sets the next sum, the next large sum and the next area.
    mutating func give(_ amounts: Amounts?) { given = amounts }

    private mutating func take(_ amount: WritableKeyPath<Amounts, String?>) -> String? {
        let value = given?[keyPath: amount]
        given?[keyPath: amount] = nil
        return value
    }

    /// The year in which a long story begins.
    var firstYear: Int { thisYear - 3 }

    private mutating func year() -> Int { thisYear - random.number(1...4) }
}
