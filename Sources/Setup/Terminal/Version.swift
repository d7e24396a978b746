/// What `--version` prints; the only place of the version number.
package enum Version {
    package static let text = "0.1.0"
}
