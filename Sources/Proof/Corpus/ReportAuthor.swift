import Basics
import Casework
import Installation

/// Writes one report from one random source: source, reporter, accused and form.
struct ReportAuthor: Sendable {
    struct Draft: Sendable {
        var source: SourceID
        var submission: Submission
    }

    private let sources: [SampleSource]
    private let weights: [Int]
    private let insiders: [Post]
    private let year: Int

    init(office: SampleOffice, year: Int) {
        precondition(!office.sources.isEmpty, "an office needs at least one source")
        sources = office.sources
        weights = office.sources.map { Self.weights[$0.kind] ?? 5 }
        insiders = office.units.compactMap(Post.init(insiderOf:))
        self.year = year
    }

    /// Most reports come by letter, web and telephone.
    private static let weights = [
        "letter": 22, "visit": 10, "web": 26, "phone": 14, "superior": 8, "subordinate": 6, "leader": 4,
        "inspection": 5,
        "petition_bureau": 5,
    ]

    func anySource(_ random: inout SeededRandom) -> SourceID { sources[random.weighted(weights)].id }

    func write(_ random: SeededRandom) -> Draft {
        var random = random
        let source = sources[random.weighted(weights)]
        let submission =
            switch random.weighted([68, 17, 5, 4, 6]) {
            case 0: accusation(source, &random)
            case 1: matter(Matter.outside, kind: "outside", source, realNamePercent: 62, &random)
            case 2: matter(Matter.appeals, kind: "appeal", source, realNamePercent: 100, &random)
            case 3: matter(Matter.suggestions, kind: "suggestion", source, realNamePercent: 60, &random)
            default: matter(Matter.unclear, kind: nil, source, realNamePercent: 25, &random)
            }
        return Draft(source: source.id, submission: submission)
    }

    // MARK: Accusations

    private func accusation(_ source: SampleSource, _ random: inout SeededRandom) -> Submission {
        var place = self.place(&random)
        var post = self.post(&random)
        var name: String?
        if random.below(100) == 0 {
            // The accused from whom a clerk of the sample office is recused.
            post = Post.recusal
            place = self.place(inCity: 0, &random)
            name = recusalAccused
        } else if let unit = post.unit,
            let city = Geography.cities.firstIndex(where: { unit.rawValue.hasPrefix($0.unitID) })
        {
            place = self.place(inCity: city, &random)
        }
        let charges = random.pick(1 + random.weighted([56, 29, 11, 4]), of: Charge.all.filter { $0.fits(post) })
        let realName = random.chance(46)
        let identity = Identity(&random, at: place)
        var scene = Scene(
            random: random, place: place, post: post, accused: name ?? post.holder(at: place), reporter: identity,
            voice: ["visit", "phone", "inspection"].contains(source.kind) ? .recorded : .own, year: year)
        scene.topic = charges.first?.topic ?? "违纪违法"
        let accused = self.accused(&scene)
        let title = scene.random.pick(Wording.titles).written(&scene)
        let allegations = charges.map { charge in
            let amounts = scene.newAmounts()
            scene.amounts.append(amounts)
            scene.give(amounts)
            return Allegation(
                category: scene.random.chance(94) ? charge.category : nil, act: charge.act.written(&scene))
        }
        let text = Letter(source: source.kind, realName: realName).write(charges, &scene)
        return Submission(
            matterKind: "accusation", title: title, text: text, region: post.region(at: place),
            reporters: reporters(realName, identity, &scene.random), accused: accused, allegations: allegations)
    }

    /// The accused, rarely with colleagues.
    private func accused(_ scene: inout Scene) -> [Accused] {
        let post = scene.post
        let organ = post.organ(at: scene.place)
        let region = post.region(at: scene.place)
        var all = [
            Accused(
                name: scene.accused, organ: organ, position: post.title, level: post.level, region: region,
                unit: post.unit)
        ]
        for title in scene.random.pick(scene.random.weighted([76, 17, 6, 1]), of: post.colleagues) {
            var named = SeededRandom(name: organ + title)
            let name = Names.person(&named)
            all.append(
                Accused(
                    name: name, organ: organ, position: title, level: post.colleagueLevel, region: region,
                    unit: post.unit))
            scene.second += (scene.second.isEmpty ? "" : "、") + title + name
        }
        return all
    }

    private func post(_ random: inout SeededRandom) -> Post {
        switch random.weighted([28, 18, 25, 15, 8, 2, insiders.isEmpty ? 0 : 4]) {
        case 0: random.pick(Post.village)
        case 1: random.pick(Post.township)
        case 2: random.pick(Post.county)
        case 3: random.pick(Post.city)
        case 4: random.pick(Post.province)
        case 5: random.pick(Post.central)
        default: random.pick(insiders)
        }
    }

    // MARK: Everything else

    private func matter(
        _ matters: [Matter], kind: String?, _ source: SampleSource, realNamePercent: Int, _ random: inout SeededRandom
    ) -> Submission {
        let place = self.place(&random)
        let post = random.pick(Post.township)
        let realName = random.chance(realNamePercent)
        let identity = Identity(&random, at: place)
        let matter = random.pick(matters)
        var scene = Scene(
            random: random, place: place, post: post, accused: "", reporter: identity,
            voice: ["visit", "phone"].contains(source.kind) ? .recorded : .own, year: year)
        let title = matter.title.written(&scene)
        let text = Letter(source: source.kind, realName: realName).write(matter, isRequest: kind == "outside", &scene)
        return Submission(
            matterKind: kind, title: title, text: text, region: kind == nil ? nil : place.countyCode,
            reporters: reporters(realName, identity, &scene.random))
    }

    // MARK: People and places

    private func reporters(_ realName: Bool, _ identity: Identity, _ random: inout SeededRandom) -> [Reporter] {
        guard realName else { return [] }
        return [
            Reporter(
                name: identity.name, phone: identity.phone, idNumber: random.chance(55) ? identity.idNumber : nil,
                address: random.chance(70) ? identity.address : nil,
                consent: random.pick([nil, nil, .inside, .inside, .handler]))
        ]
    }

    /// 95 % of the reports are about the six cities that have units in the sample office.
    private func place(_ random: inout SeededRandom) -> Place {
        place(inCity: random.chance(95) ? random.below(6) : random.number(6...Geography.cities.count - 1), &random)
    }

    private func place(inCity index: Int, _ random: inout SeededRandom) -> Place {
        let city = Geography.cities[index]
        let county = random.pick(city.counties)
        return Place(
            cityCode: city.code, countyCode: county.code, city: city.name, county: county.name,
            township: random.pick(Geography.townships), village: random.pick(Geography.villages))
    }
}

extension Post {
    /// A member of a handling unit; `nil` for units that do not investigate.
    fileprivate init?(insiderOf unit: SampleUnit) {
        guard let region = unit.region else { return nil }
        let (level, title, prefix) =
            switch unit.kind {
            case "county": ("county", "副书记", "")
            case "city": ("city", "第三纪检监察室主任", "")
            case "department", "stationed": ("province", "副主任", "省纪委监委")
            default: ("", "", "")
            }
        guard !level.isEmpty else { return nil }
        self.init(
            setting: .insider, level: level, body: .fixed(prefix + unit.name), title: title, reach: .province,
            unit: unit.id, regionOverride: region)
    }

    fileprivate var colleagues: [String] {
        switch setting {
        case .village: ["村会计", "村委会副主任", "村民小组长", "妇联主席", "村文书"].filter { $0 != title }
        case .insider: ["四级调研员", "一级主任科员", "办案人员"]
        default: ["办公室主任", "财务负责人", "分管副职", "工会主席"]
        }
    }

    /// The level of a head's colleagues, one step below the head's.
    fileprivate var colleagueLevel: String {
        switch setting {
        case .village, .insider: level
        case .township: "township"
        case .county: "township"
        case .city: "county"
        case .province: "city"
        case .central: "province"
        }
    }
}
