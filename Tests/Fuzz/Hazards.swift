/// Inputs that have brought other readers down.
enum Hazards {
    static let yaml: [[UInt8]] =
        yamlTexts.map { Array($0.utf8) } + [
            Array("name: \u{0}x\n".utf8), [0xFF, 0xFE, 0x61, 0], Array("a: ".utf8) + [0xED, 0xA0, 0x80],
        ]

    private static let mebibyte = 1 << 20

    private static var yamlTexts: [String] {
        let bomb = (1...9).map {
            "l\($0): &l\($0) [\(Array(repeating: "*l\($0 - 1)", count: 9).joined(separator: ", "))]"
        }
        func times(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }
        return [
            "l0: &l0 lol\n" + bomb.joined(separator: "\n"),
            "fields: &a { text: x, id: *a }\n",
            "fields:\n  text: { table: &t { a: b }, from: x }\n  id: { from: y, table: *t }\n",
            "base: &b { text: x }\nfields:\n  <<: *b\n  id: y\n",
            "fields: !!set { text, id }\nsource: !<tag:yaml.org,2002:int> 7\n",
            "name: a\nname: b\n", "fields: { text: x, text: y }\n", "? [a, [b]]\n: x\n? [a, [b]]\n: y\n",
            "? { ? { a: b } : c } : d\n",
            "# c\u{85}\u{85}" + times("? ", 2_000) + "a", "%YAML 1.2\n%TAG ! tag:x,2000:\n---\na: !y z\n",
            "---\na: 1\n---\nb: 2\n", "a: |\n" + times("  x\n", 50_000), "\u{FEFF}name: a\n",
            times("[", 100_000), times("[", 900) + times("]", 900), times("- ", 100_000) + "a", times("? ", 900) + "a",
            times("{a: ", 100_000),
            times("{", 400) + times("}: a", 400), times("[[], ", 500), "a: " + times("\"x\\", 20_000),
            "a: !" + times("x", 100_000) + " y",
            "name: " + times("长", mebibyte / 3 - 8), times("k", 500_000) + ": x\n",
            "returns: [" + times("a,", mebibyte / 2 - 16) + "]",
            "returns:\n" + times("- \n", mebibyte / 3 - 16), (0..<19_000).map { "k\($0): 1\n" }.joined(),
            times("a: {", 300) + times("}", 300),
            "fields: {" + (0..<9_500).map { "k\($0): 1, " }.joined() + "}", times("#", mebibyte), times("'", 100_000),
            times("\n", mebibyte),
            "a: >\n" + times("\n", 500_000), times("!a ", 100_000), times(", ", 200_000), times("a: b: ", 50_000),
            times("%x\n", 100_000), times("\t", 100_000),
            "title: \"" + times("\\x41", 200_000) + "\"", "title: 'x\n" + times(" \n", 300_000) + "'",
            "name: {" + (0..<19_000).map { "k\($0)," }.joined() + "}", times("&a ", 50_000), times("--- a\n", 100_000),
        ]
    }

    static let json: [[UInt8]] = {
        func times(_ text: String, _ count: Int) -> [UInt8] { Array(String(repeating: text, count: count).utf8) }
        let head =
            #"""
            {"specversion":"1.0","id":"x","source":"unit.u7","type":"bihuan.handoff.signed.v1","subject":"x",\#
            "time":"2026-03-02T08:00:00Z","data":
            """#
        func message(_ data: [UInt8]) -> [UInt8] { Array(head.utf8) + data + Array("}".utf8) }
        return [
            times("[", 100_000), times("{\"a\":", 30_000), message(times("[", 31)),
            message(Array("{\"digest\":\"".utf8) + times("\\u0041", 30_000) + Array("\"}".utf8)),
            message(times("9", 200_000)), message(Array("0.".utf8) + times("0", 100_000) + Array("1".utf8)),
            message(Array("1e".utf8) + times("9", 10_000)),
            message(Array("[".utf8) + times("0,", 100_000) + Array("0]".utf8)),
            message(Array("[".utf8) + times("{},", 60_000) + Array("{}]".utf8)),
            message(
                Array("{".utf8) + (0..<15_000).flatMap { Array("\"k\($0)\":0,".utf8) }
                    + Array("\"digest\":\"\"}".utf8)),
            message(Array("{".utf8) + times("\"digest\":\"a\",", 15_000) + Array("\"digest\":\"b\"}".utf8)),
            times(" ", 262_144), times("\\", 1000),
            Array("\"".utf8) + times("e\u{301}", 80_000), [0xEF, 0xBB, 0xBF] + Array("{}".utf8), [0x7B, 0, 0x7D, 0],
            Array("\"\\ud800\"".utf8),
        ]
    }()

    static let tables: [[UInt8]] = [
        [0, 0, 0, 0, 0], [0, 0xFF, 0xFF, 0xFF, 0xFF], [1, 0x20, 0, 0, 0, 0, 0], [1, 0xFF, 0xFF, 0, 0],
        [1, 0xFF, 0xFF, 0xFF, 0xFF],
        TableBytes.deep("F", 20_000), TableBytes.deep("A", 26_000), TableBytes.deep("A", 15), TableBytes.deep("F", 16),
        TableBytes.deep("F", 17),
        // Many small values: each takes a byte on the wire, and far more once read.
        [0] + big(UInt32(7 + 131_000)) + [1, 0x61, UInt8(ascii: "A")] + big(UInt32(131_000))
            + [UInt8](repeating: UInt8(ascii: "V"), count: 131_000),
        [0] + big(UInt32(2 * 65_000)) + [UInt8](repeating: 0, count: 0)
            + (0..<65_000).flatMap { _ in [0, UInt8(ascii: "V")] as [UInt8] },
    ]
}
