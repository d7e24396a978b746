import Basics
import Casework
import Installation

/// The place of a report: a city of the province, one of its counties, a township and a village in it.
package struct Place: Sendable {
    let cityCode: String
    let countyCode: String
    let city: String
    let county: String
    let township: String
    let village: String
}

/// The position of the accused, which determines the possible allegations.
enum Setting: Sendable {
    case village, township, county, city, province, central
    /// A member of one of the office's own handling units.
    case insider
}

/// An official post.
struct Post: Sendable {
    let setting: Setting
    /// An id of the policy's levels.
    let level: String
    let body: Phrase.Template
    let title: String
    /// The line of work, for allegations that fit only that: school, hospital, police …
    var field: Field = .general
    /// How much of the place's code belongs to the post.
    var reach: Reach = .county
    var unit: UnitID?
    var regionOverride: String?

    enum Field: Sendable {
        case general, school, hospital, police, land, works, enterprise
    }

    enum Reach: Sendable {
        case county, city, province
    }

    func organ(at place: Place) -> String { body.written(place) }

    func region(at place: Place) -> String {
        if let regionOverride { return regionOverride }
        return switch reach {
        case .county: place.countyCode
        case .city: place.cityCode
        case .province: Geography.provinceCode
        }
    }

    /// The holder of the post: the same person for the same post and place, so that some people get several reports.
    func holder(at place: Place) -> String {
        var random = SeededRandom(name: organ(at: place) + title)
        return Names.person(&random)
    }
}

extension Phrase {
    /// The name of a body, with slots for the places.
    enum Template: Sendable {
        case village, township(String), county(String), city(String), fixed(String)

        func written(_ place: Place) -> String {
            switch self {
            case .village: place.city + place.county + place.township + place.village
            case .township(let name): place.city + place.county + place.township + name
            case .county(let name): place.city + place.county + name
            case .city(let name): place.city + name
            case .fixed(let name): name
            }
        }
    }
}

extension Post {
    static let village: [Post] = [
        "党支部书记", "党支部书记", "党总支书记兼村委会主任", "村委会主任", "村委会副主任", "村会计", "村民小组长", "村监委会主任",
    ].map { Post(setting: .village, level: "village", body: .village, title: $0) }

    static let township: [Post] = [
        township("民政办公室", "主任"), township("财政所", "所长"), township("自然资源所", "负责人", .land),
        township("农业综合服务中心", "主任"), township("城建规划站", "站长", .land), township("卫生院", "院长", .hospital),
        township("中心小学", "校长", .school), township("初级中学", "校长", .school), township("派出所", "副所长", .police),
        township("水利站", "站长", .works), township("扶贫工作站", "站长"), township("人民政府", "驻村干部"),
    ]

    static let county: [Post] = [
        county("教育局", "局长", .school), county("交通运输局", "局长", .works), county("自然资源局", "局长", .land),
        county("住房和城乡建设局", "局长", .works), county("人民医院", "院长", .hospital), county("公安局", "副局长", .police),
        county("水利局", "局长", .works), county("农业农村局", "副局长"), county("民政局", "局长"), county("林业局", "局长", .land),
        county("城市建设投资公司", "董事长", .enterprise), county("第一中学", "校长", .school), county("市场监督管理局", "副局长"),
        Post(setting: .county, level: "county", body: .township("党委"), title: "书记"),
        Post(setting: .county, level: "county", body: .township("人民政府"), title: "镇长"),
        Post(setting: .county, level: "county", body: .township("党委"), title: "副书记"),
    ]

    static let city: [Post] = [
        Post(setting: .city, level: "city", body: .county("人民政府"), title: "副县长", field: .works),
        Post(setting: .city, level: "city", body: .county("委员会"), title: "常委、组织部部长"),
        Post(setting: .city, level: "city", body: .county("政协"), title: "副主席"),
        city("住房和城乡建设局", "局长", .works), city("生态环境局", "副局长"), city("自然资源和规划局", "局长", .land),
        city("城市发展投资集团有限公司", "董事长", .enterprise), city("经济技术开发区管委会", "主任", .land),
        city("第一人民医院", "院长", .hospital), city("职业技术学院", "院长", .school), city("公安局", "副局长", .police),
    ]

    /// The post whose holder one clerk of the sample office is recused from.
    static let recusal = city("住房和城乡建设局", "局长", .works)

    static let province: [Post] = [
        Post(setting: .province, level: "province", body: .city("委员会"), title: "副书记", reach: .city),
        Post(setting: .province, level: "province", body: .city("人民政府"), title: "副市长", field: .works, reach: .city),
        province("省水利厅", "副厅长", .works), province("省自然资源厅", "副厅长", .land), province("省卫生健康委员会", "副主任", .hospital),
        province("澜川理工大学", "副校长", .school), province("省能源投资集团有限公司", "总经理", .enterprise),
        province("省农村信用社联合社", "副理事长", .enterprise), province("省交通运输厅", "总工程师", .works),
    ]

    static let central: [Post] = [
        ("澜川省人民政府", "副省长"), ("中共澜川省委", "常委、秘书长"), ("澜川省人大常委会", "副主任"), ("澜川省政协", "副主席"),
    ].map { Post(setting: .central, level: "central", body: .fixed($0), title: $1, reach: .province) }

    private static func township(_ body: String, _ title: String, _ field: Field = .general) -> Post {
        Post(setting: .township, level: "township", body: .township(body), title: title, field: field)
    }

    private static func county(_ body: String, _ title: String, _ field: Field = .general) -> Post {
        Post(setting: .county, level: "county", body: .county(body), title: title, field: field)
    }

    private static func city(_ body: String, _ title: String, _ field: Field = .general) -> Post {
        Post(setting: .city, level: "city", body: .city(body), title: title, field: field, reach: .city)
    }

    private static func province(_ body: String, _ title: String, _ field: Field = .general) -> Post {
        Post(setting: .province, level: "province", body: .fixed(body), title: title, field: field, reach: .province)
    }
}
