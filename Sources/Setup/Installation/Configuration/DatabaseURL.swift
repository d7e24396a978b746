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

    /// The file that a parameter of the URL names, such as `sslkey`.
    func file(_ parameter: String) -> String? {
        guard let question = text.firstIndex(of: "?") else { return nil }
        let found = text[question...].dropFirst().split(separator: "&").last { $0.hasPrefix(parameter + "=") }
        return found?.dropFirst(parameter.count + 1).removingPercentEncoding
    }

    /// The same with other files for the certificate and its key.
    func mapFiles(_ path: (String) -> String) -> DatabaseURL {
        DatabaseURL(
            text.replacing(/([?&]ssl(?:cert|key)=)([^&]+)/) { match in
                match.1 + encoded(path(String(match.2).removingPercentEncoding ?? String(match.2)), keeping: "/{}")
            })
    }

    private var authority: Substring {
        guard let scheme = text.range(of: "://") else { return "" }
        return text[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" }
    }

    private func encoded(_ text: String, keeping kept: String = "") -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "-._~" + kept)))
            ?? text
    }
}
