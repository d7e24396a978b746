/// A sentence with slots, such as `{date}，{A}将{sum}私分`: parsed once, written many times.
struct Phrase: Sendable, ExpressibleByStringLiteral {
    enum Slot: String, CaseIterable, Sendable {
        // Fixed for one report.
        case accused = "A"
        case second = "B"
        case title = "T"
        case organ = "O"
        case city = "Y"
        case county = "C"
        case township = "W"
        case village = "V"
        case kin, boss, company = "co", project = "proj"
        /// 我, or 来电人 in an operator's words.
        case me
        /// 我们, or 群众 in an operator's words.
        case we
        /// 我 in 我村, or 该 in an operator's words.
        case our
        case reporter = "R", phone, idNumber = "idno", address
        case topic
        // Drawn again each time.
        case date, day, year, count = "n", area = "mu", other = "who"
        case small, sum, big
    }

    private enum Part: Sendable {
        case text(String)
        case slot(Slot)
    }

    private let parts: [Part]

    init(stringLiteral text: String) { self.init(text) }

    /// Parses the text. A slot with an unknown name stays as text; a test looks for braces.
    init(_ text: String) {
        var parts: [Part] = []
        var rest = Substring(text)
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            if open > rest.startIndex { parts.append(.text(String(rest[..<open]))) }
            if let slot = Slot(rawValue: String(rest[rest.index(after: open)..<close])) {
                parts.append(.slot(slot))
            } else {
                parts.append(.text(String(rest[open...close])))
            }
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty { parts.append(.text(String(rest))) }
        self.parts = parts
    }

    func write(into text: inout String, _ scene: inout Scene) {
        for part in parts {
            switch part {
            case .text(let fixed): text += fixed
            case .slot(let slot): text += scene.fill(slot)
            }
        }
    }

    func written(_ scene: inout Scene) -> String {
        var text = ""
        write(into: &text, &scene)
        return text
    }
}
