/// Invented names, numbers and addresses. Any similarity is accidental.
enum Names {
    static let relations = [
        "其妻弟", "其胞弟", "其堂兄", "其侄子", "其女婿", "其表弟", "其连襟", "其外甥", "其儿子", "其战友", "其同学", "其亲家",
    ]
    static let firmWords = ["宏远", "鼎丰", "恒泰", "润禾", "金鑫", "锦程", "华岳", "众邦", "瑞和", "中岭", "广厦", "腾达", "佳源", "昌隆"]
    static let firmTrades = ["建筑工程", "市政园林", "商贸", "劳务", "置业", "农业开发", "物业服务", "路桥", "医疗器械", "信息科技", "环保", "矿业"]
    static let projects = [
        "高标准农田", "通村公路硬化", "易地扶贫搬迁安置点", "农村饮水安全", "污水管网改造", "城北新区安置房", "中心小学综合楼", "河道整治",
        "老旧小区改造", "农贸市场改建", "养老服务中心", "光伏扶贫电站", "油茶基地", "国省道改线", "高铁连接线", "文化广场", "产业园标准厂房", "山塘除险加固",
    ]

    static func person(_ random: inout SeededRandom) -> String {
        let given = random.chance(82) ? random.pick(first) + random.pick(last) : random.pick(last)
        return random.pick(surnames) + given
    }

    private static let surnames = [
        "王", "李", "张", "刘", "陈", "杨", "黄", "赵", "周", "吴", "徐", "孙", "朱", "马", "胡", "郭", "林", "何", "高", "梁", "郑", "罗",
        "宋", "谢", "唐", "韩", "曹", "许", "邓", "萧", "冯", "曾", "程", "蔡", "彭", "潘", "袁", "于", "董", "余", "苏", "叶", "吕", "魏",
        "蒋", "田", "杜", "丁", "沈", "姜", "范", "江", "傅", "钟", "卢", "汪", "戴", "崔", "任", "陆", "廖", "姚", "方", "金", "邱", "夏",
        "谭", "韦", "贾", "邹", "石", "熊", "孟", "秦", "阎", "薛", "侯", "雷", "白", "龙", "段", "郝", "孔", "邵", "史", "毛", "常", "万",
    ]
    private static let first = [
        "建", "国", "志", "文", "永", "德", "春", "小", "海", "明", "玉", "秀", "桂", "世", "光", "宗", "立", "少", "天", "振", "正", "大",
        "学", "新", "红", "冬", "爱", "友", "仁", "庆", "水", "有", "长", "四", "伯", "家", "成", "福", "景", "兆", "思", "佳", "雪", "启",
    ]
    private static let last = [
        "军", "华", "平", "林", "生", "英", "芳", "强", "兰", "清", "明", "云", "辉", "忠", "才", "良", "根", "贵", "发", "祥", "凤", "珍",
        "梅", "勇", "斌", "涛", "波", "龙", "文", "山", "松", "武", "权", "民", "富", "康", "来", "初", "安", "虎", "霞", "燕", "旺", "喜",
    ]
}

/// A reporter's identity. The numbers have the right form and belong to nobody: phone numbers are in ranges that
/// are not assigned to people, ID numbers contain a place code that does not exist.
struct Identity: Sendable {
    let name: String
    let phone: String
    let idNumber: String
    let address: String

    init(_ random: inout SeededRandom, at place: Place) {
        name = Names.person(&random)
        phone = random.pick(["161", "163", "164"]) + Identity.digits(8, &random)
        let birth = "\(random.number(1946...1999))" + Identity.twoDigits(random.number(1...12))
        let body =
            "9900" + Identity.digits(2, &random) + birth + Identity.twoDigits(random.number(1...28))
            + Identity.digits(3, &random)
        idNumber = body + Identity.checkDigit(body)
        address =
            place.city + place.county + place.township
            + (random.chance(65) ? place.village + "\(random.number(1...16))组" : "解放路\(random.number(2...460))号")
    }

    private static func digits(_ count: Int, _ random: inout SeededRandom) -> String {
        var text = ""
        for _ in 0..<count { text += String(random.below(10)) }
        return text
    }

    private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    /// The check digit of GB 11643-1999: from the remainder modulo 11 of the weighted digits.
    private static func checkDigit(_ body: String) -> String {
        let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
        let sum = zip(body.utf8, weights).reduce(0) { $0 + (Int($1.0) - 0x30) * $1.1 }
        return ["1", "0", "X", "9", "8", "7", "6", "5", "4", "3", "2"][sum % 11]
    }
}
