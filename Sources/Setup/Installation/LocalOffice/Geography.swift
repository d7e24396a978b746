/// The invented province of the sample office: 13 cities, 65 counties, each with townships and villages.
package enum Geography {
    package struct City {
        /// `p-c01`
        package let code: String
        package let name: String
        package let counties: [County]

        package init(code: String, name: String, counties: [County]) {
            self.code = code
            self.name = name
            self.counties = counties
        }

        /// The id of the unit for this city, if the office has one: `c01`.
        package var unitID: String { String(code.dropFirst(2)) }
    }

    package struct County {
        /// `p-c01-d02`
        package let code: String
        package let name: String

        package init(code: String, name: String) {
            self.code = code
            self.name = name
        }

        package var unitID: String { String(code.dropFirst(2)) }
    }

    package static let province = "澜川省"
    package static let provinceCode = "p"

    package static let cities: [City] = cityNames.enumerated().map { city, name in
        let code = "p-c" + twoDigits(city + 1)
        let counties = (0..<countiesPerCity).map { county in
            County(code: code + "-d" + twoDigits(county + 1), name: countyNames[city * countiesPerCity + county])
        }
        return City(code: code, name: name + "市", counties: counties)
    }

    package static let townships = [
        "柳塘镇", "石桥镇", "东皋镇", "竹溪乡", "白马渡镇", "青枫镇", "荷塘镇", "龙湾乡", "高岭镇", "双井镇", "南泉镇", "梅子坪乡",
        "大樟镇", "清河口镇", "太和街道", "新民街道", "花石乡", "枣林镇", "北湖街道", "金坑镇", "沙洲镇", "凤形乡", "古塘镇", "望城坡镇",
    ]

    package static let villages = [
        "上坝村", "新塘村", "杨家湾村", "石门村", "红旗村", "月亮塘村", "罗家冲村", "大屋场村", "向阳村", "柏树下村", "双河村", "泉水村",
        "团结村", "马家岭村", "长坡村", "樟木村", "东风村", "彭家老屋村", "青石村", "油铺街村", "田心村", "禾场村", "枫树坳村", "水口村",
        "金鸡村", "谢家垅村", "桐子坡村", "合兴村", "永丰村", "塘尾村", "洪山村", "鹅公塘村", "丰收村", "牌楼村", "桥头村", "南冲村",
    ]

    private static let countiesPerCity = 5

    private static let cityNames = [
        "云澜", "青坝", "沅泽", "泊宁", "崖口", "榆桥", "银岭", "苍渡", "禾阳", "桂浦", "霞川", "定溪", "汀南",
    ]

    private static let countyNames = [
        "云栖区", "望澜县", "澄江县", "岭东县", "安渡区", "坝前区", "青崖县", "牧坪县", "三汊县", "金垌县", "沅口区", "泽湖县",
        "芷塘县", "临洲县", "柳营县", "泊头湾区", "宁圩县", "西樵岭县", "鹿角县", "雁洲县", "崖前区", "茶岭县", "石鼓坪县", "大砚县",
        "凉水县", "榆东区", "桥坪县", "黄连县", "双坳县", "麻溪县", "银坑区", "岭北县", "赤石坡县", "月山县", "铜梁口县", "苍山前区",
        "渡头县", "瓦屋县", "雾溪县", "乌石县", "禾丰区", "阳坡县", "谷仓县", "稻田县", "清潭县", "桂坪区", "浦口湾县", "木樨县",
        "莲塘坳县", "沙坪县", "霞浦湾区", "川岩县", "红岩口县", "彩坡县", "晚渡县", "定安桥区", "溪口县", "磐石县", "鼓楼坳县", "静水县",
        "汀洲区", "南屏山县", "芦荻县", "鹭湾县", "浅滩县",
    ]

    private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
