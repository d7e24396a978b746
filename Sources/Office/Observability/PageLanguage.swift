/// The language of a page.
public enum PageLanguage: String, CaseIterable, Sendable {
    case english = "en"
    case chinese = "zh"

    /// The parameter `lang` of the query decides; without it, what the browser prefers.
    /// - Parameter languages: the header `Accept-Language`.
    public static func choose(query: [String: String], languages: String) -> PageLanguage {
        if let asked = query["lang"].flatMap({ spoken($0[...]) }) { return asked }
        var best: (language: PageLanguage, weight: Double)?
        // A header is short; what comes after is not worth its reading.
        for range in languages.prefix(1_000).split(separator: ",").prefix(50) {
            let parts = range.split(separator: ";").map { $0.filter { $0 != " " } }
            guard let tag = parts.first, let language = tag == "*" ? .english : spoken(tag[...]) else { continue }
            let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
            if weight > best?.weight ?? 0 { best = (language, weight) }
        }
        return best?.language ?? .english
    }

    /// `zh-CN` is Chinese.
    private static func spoken(_ tag: Substring) -> PageLanguage? {
        tag.split(separator: "-").first.flatMap { PageLanguage(rawValue: $0.lowercased()) }
    }

    /// The value of `lang`.
    var tag: String {
        switch self {
        case .english: "en"
        case .chinese: "zh-CN"
        }
    }

    var other: PageLanguage { self == .english ? .chinese : .english }

    /// In its own words.
    var name: String {
        switch self {
        case .english: "English"
        case .chinese: "中文"
        }
    }
}
