import Foundation

/// A libpq URL, of which Foundation reads only some: it may have several hosts.
struct DatabaseURL {
    let text: String

    init(_ text: String) { self.text = text }

    /// Whether it says who logs in.
    var hasUser: Bool { authority.contains("@") || text.contains(/[?&]user=./) }

    /// The name of the database: the path of the URL.
    var databaseName: String? {
        guard let scheme = text.range(of: "://") else { return nil }
        let path = text[scheme.upperBound...].drop { $0 != "/" && $0 != "?" }.prefix { $0 != "?" }.dropFirst()
        return path.isEmpty ? nil : String(path).removingPercentEncoding
    }

    /// The same with a user, and with a password if there is one. Another form than a URL (`host=… dbname=…`) gets
    /// them in that form.
    func with(user: String, password: String?) -> String {
        guard let scheme = text.range(of: "://") else {
            func quoted(_ value: String) -> String {
                "'" + value.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
            }
            return text + " user=\(quoted(user))" + (password.map { " password=\(quoted($0))" } ?? "")
        }
        let rest = hasUser ? text[scheme.upperBound...].drop { $0 != "@" }.dropFirst() : text[scheme.upperBound...]
        let login = encoded(user) + (password.map { ":" + encoded($0) } ?? "") + "@"
        return text[..<scheme.upperBound] + login + rest
    }

    private var authority: Substring {
        guard let scheme = text.range(of: "://") else { return "" }
        return text[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" }
    }

    private func encoded(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "-._~"))) ?? text
    }
}
