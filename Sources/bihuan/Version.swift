/// What `bihuan --version` says; the one place where it stands.
enum Version {
    static let text = "0.1.0-dev"
}
