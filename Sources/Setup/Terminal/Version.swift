/// What `--version` says; the one place where it stands.
package enum Version {
    package static let text = "0.1.0-dev"
}
