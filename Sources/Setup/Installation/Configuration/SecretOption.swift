package import Basics
import Foundation

/// An option whose value may contain a password. Every user of a machine can read the arguments of all programs,
/// so a password must come from a file or from the environment.
package struct SecretOption {
    /// The option, for example `--url`; its file option is `--url-file`.
    package let name: String
    /// The environment variable that replaces it.
    let variable: String

    package static let submitURL = SecretOption(name: "--url", variable: "BIHUAN_SUBMIT_URL")
    package static let migrateDatabase = SecretOption(name: "--database", variable: "BIHUAN_MIGRATE_DATABASE")
    package static let setupDatabase = SecretOption(name: "--admin-database", variable: "BIHUAN_SETUP_DATABASE")
    package static let checkAMQP = SecretOption(name: "--amqp", variable: "BIHUAN_CHECK_AMQP")
    package static let checkPassword = SecretOption(name: "--password", variable: "BIHUAN_CHECK_PASSWORD")
    package static let benchAMQP = SecretOption(name: "--amqp", variable: "BIHUAN_BENCH_AMQP")
    package static let benchDatabase = SecretOption(name: "--database", variable: "BIHUAN_BENCH_DATABASE")

    /// Environment variables that are no keys of bihuan.yaml but are known.
    static let variables = Set(
        [submitURL, migrateDatabase, setupDatabase, checkAMQP, checkPassword, benchAMQP, benchDatabase].map(\.variable))

    /// The value of the command line, else of the file, else of the environment.
    package func url(_ given: String?, file: String?) throws(UserError) -> String? {
        if let given {
            if SecretOption.holdsPassword(given) { throw refusal }
            return given
        }
        return try value(file: file)
    }

    package func value(file: String?) throws(UserError) -> String? {
        if let file { return try SecretFile.text(file) }
        return ProcessInfo.processInfo.environment[variable].flatMap { $0.isEmpty ? nil : $0 }
    }

    var refusal: UserError {
        UserError(
            """
            \(name) holds a password, and every user of this machine reads it in the list of processes: put it \
            into a file of mode 600 \
            and give \(name)-file FILE, or into the environment variable \(variable)
            """)
    }

    /// Whether a URL or a libpq connection string (`key=value`) contains a password.
    static func holdsPassword(_ url: String) -> Bool {
        url.contains(/:\/\/[^\/?#@]*:[^\/?#]+@/) || url.contains(/(^|[\s?&])(ssl)?password\s*=\s*[^\s&]/)
    }
}
