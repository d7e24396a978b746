/// What is wrong, in words; or the line that says that nothing is.
struct TroubleList {
    /// Of what a trouble is about, so many names are shown; and so many of the texts about what could not be read.
    static let subjectsMax = 3
    static let problemsMax = 5
    /// More troubles are shown in smaller letters, so that the picture keeps its place on a wall.
    static let largeMax = 4

    let markup: Markup

    init(_ troubles: [Trouble], problems: [String], isStale: Bool, _ words: PageWords) {
        var items = Markup("")
        for trouble in troubles {
            items += """
                <li class="\(trouble.severity.rawValue)"><strong>\(words.severity(trouble.severity))</strong>\
                \(words.sentence(trouble))\(Self.subjects(of: trouble, words))</li>

                """
        }
        for problem in problems.prefix(Self.problemsMax) {
            items += "<li class=\"note\"><code>\(shownName(problem, cells: 200))</code></li>\n"
        }
        if troubles.isEmpty, problems.isEmpty {
            let text = isStale ? words("Nothing was wrong", "当时未见异常") : words("Nothing is wrong", "一切正常")
            items += "<li class=\"quiet\"><strong>✓</strong>\(text)</li>\n"
        }
        markup = "<ul class=\"\(troubles.count > Self.largeMax ? "many" : "few")\">\(items)</ul>"
    }

    private static func subjects(of trouble: Trouble, _ words: PageWords) -> Markup {
        let names = trouble.subjects.filter { !$0.isEmpty }
        if names.isEmpty { return "" }
        let shown = names.prefix(subjectsMax)
        var list: Markup = "\(words(": ", "："))"
        for (index, name) in shown.enumerated() {
            if index > 0 { list += "\(words(", ", "、"))" }
            list += "<code>\(words.subject(name, of: trouble))</code>"
        }
        let more = names.count - shown.count
        if more > 0 { list += "\(words(" and \(words.amount(more)) more", " 等 \(words.amount(names.count)) 个"))" }
        return list
    }
}
