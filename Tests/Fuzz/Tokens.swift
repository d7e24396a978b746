/// Words that mean something to a reader.
enum Tokens {
    static func of(_ shape: Mutator.Shape) -> [[UInt8]] {
        switch shape {
        case .json: (json + numbers + texts + times).map { Array($0.utf8) } + brokenUTF8
        case .yaml: (yaml + numbers + texts + times).map { Array($0.utf8) } + brokenUTF8
        case .text: (words + numbers + texts + times).map { Array($0.utf8) } + brokenUTF8
        case .table, .row: binary + texts.map { Array($0.utf8) } + brokenUTF8
        }
    }

    /// Made once; the makers of tables and rows draw from it at every turn.
    static let ofBinary = of(.table)

    static let numbers = [
        "0", "-0", "-1", "1", "1.5", "1e400", "1e-400", "-1e5", "2147483647", "2147483648", "4294967296",
        "9223372036854775807",
        "9223372036854775808", "-9223372036854775808", "18446744073709551616", "00", "0x10", "1_000", ".inf", ".nan",
        "NaN",
    ]
    static let texts = [
        "", " ", "\0", "\t", "\r\n", "\u{FEFF}", "\u{200B}", "\u{202E}", "e\u{301}\u{301}", "𠮷", "👨‍👩‍👧", "举报",
        "一三八零零一三八零零零", "１３８", "+86 138-0013-8000",
        "张三", "w@example.com", "〔举报人〕", "\u{2028}", "ﬃ", "ß", "İ",
    ]
    static let times = [
        "2026-03-02T08:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59", "2024-02-29",
        "2023-02-29",
        "0000-01-01", "2026-03-02T24:00:00Z", "2026-03-02t08:00:00.123456789123456789z",
    ]
    static let json = [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0000", "\\ud800", "\\udc00\\ud800", "\\u", "\\/", "null", "true",
        "false", "{}", "[]",
        "\"\":", "/*", "//", "\"specversion\":\"1.0\"", "\"type\":\"bihuan.handoff.signed.v1\"",
        "\"type\":\"bihuan.report.submitted.v2\"",
        "\"source\":\"unit.u7\"", "\"id\":\"x\"", "\"subject\":\"x\"", "\"data\":{}", "\"data\":null", "\"data\":[]",
        "\"reporters\":[{\"name\":\"张三\",\"phone\":\"13800138000\"}]",
    ]
    static let yaml = [
        "{", "}", "[", "]", ",", ": ", "- ", "? ", "| ", "> ", "|+2\n", ">-\n", "&a ", "*a", "*a ", "<<: ", "!!binary ",
        "!!set ", "!<tag:x> ",
        "!!map ", "!!int ", "!x!y ", "%YAML 1.1\n", "%TAG ! x\n", "---\n", "...\n", "\"", "'", "#", "\n", "\n  ", "\t",
        "~", "null", "yes",
        "\"\\x00\"", "\"\\uD800\"", "\"\\U0010FFFF\"", "\\", "@", "`", "when:", "any_of: [", "$breach", "id: ", "2 day",
        "999999 day", "1 month",
        "from: ", "table: ", "format: ", "zone: ", "default: ", "unix-ms", "yyyyMMdd", "\u{85}",
    ]
    static let words = [
        "unit.", "source.", "person.", "office.", "office.intake", ".", "-", "Z", "T", ":", "+08:00", "amqp://",
        "amqps://", "@", "%", "%41", "%00",
        "%ff", "[::1]", ":5672", "/", "?", "&", "heartbeat=", "verify=", "verify_none", "#", ",", "day", "hour",
        "018f4c8a-0000-7000-8000-000000000000",
        "NaN", "Infinity", "-Infinity", "!",
    ]
    static let binary: [[UInt8]] =
        [
            [0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 8], [0x7F, 0xFF, 0xFF, 0xFF], [0x80, 0, 0, 0],
            [0xFF, 0xFF, 0xFF, 0xFF], [0xFF, 0xFF], [0x80, 0],
            [0x7F, 0xFF], [0xC0, 0], [0xF0, 0], [0x40, 0], [0x27, 0x0F], [0x27, 0x10], [0x7F, 0xF0, 0, 0, 0, 0, 0, 0],
            [0x80, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 20], [1, 0x61], [0, 0, 0, 6, 0],
        ] + "tbBsuUIilLfdDSxAFTV".utf8.map { [$0] }
    static let brokenUTF8: [[UInt8]] = [
        [0x80], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE4, 0xB8], [0xFF, 0xFE],
        [0xEF, 0xBB, 0xBF],
    ]
}
