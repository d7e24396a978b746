// swift-tools-version: 6.2
import PackageDescription

// The lists of dependencies below are the architecture: an import runs downward only, from floor 5 to floor 0.
// The gate (`deploy/test`) builds with `--explicit-target-dependency-import-check error`, so an import that is not
// written here does not build.

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("ExistentialAny"),
] + (Context.environment["TEST_BIHUAN_GATE"] == nil ? [] : [.treatAllWarnings(as: .error)])

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let yaml = Target.Dependency.product(name: "Yams", package: "Yams")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "bihuan",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "bihuan", targets: ["bihuan"]),
        .library(name: "AMQP", targets: ["AMQP"]),
        .library(name: "PostgreSQL", targets: ["PostgreSQL"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML"]),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // System libraries
        .systemLibrary(name: "CRabbitMQ", pkgConfig: "librabbitmq", providers: [.apt(["librabbitmq-dev"])]),
        .systemLibrary(name: "CPostgreSQL", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),

        // Floor 0: text from outside, as it is compared and shown
        .target(name: "Text", swiftSettings: strict),

        // Floor 1: the rules, pure; and rooms that know nothing of each other
        .target(name: "Casework", dependencies: ["Text", crypto], swiftSettings: strict),
        .target(name: "AMQP", dependencies: ["CRabbitMQ"], swiftSettings: strict),
        .target(name: "PostgreSQL", dependencies: ["CPostgreSQL"], swiftSettings: strict),
        .target(name: "LocalServers", swiftSettings: strict),

        // Floor 2: what outsiders see
        .target(name: "Contract", dependencies: ["Casework", "Text", crypto], swiftSettings: strict),

        // Floor 3: the only place that holds SQL
        .target(
            name: "CaseStore", dependencies: ["Casework", "Contract", "Text", "PostgreSQL", crypto],
            resources: [.embedInCode("Migrations")], swiftSettings: strict),

        // Floor 4: the workers, and the rehearsal that watches them from outside
        .target(
            name: "Workers",
            dependencies: ["Casework", "Contract", "CaseStore", "Text", "AMQP", "PostgreSQL", crypto, logging, lifecycle, yaml],
            swiftSettings: strict),
        .target(
            name: "Demo",
            dependencies: ["Casework", "Contract", "CaseStore", "Text", "AMQP", "PostgreSQL", crypto, yaml],
            swiftSettings: strict),
        // Plays the office to a unit that is being developed, and judges what it answers
        .target(name: "Conformance", dependencies: ["Casework", "Contract", "AMQP", crypto], swiftSettings: strict),

        // Floor 5: the one command
        .executableTarget(
            name: "bihuan",
            dependencies: [
                "Casework", "Contract", "CaseStore", "Text", "AMQP", "PostgreSQL", "LocalServers", "Workers", "Demo", "Conformance",
                crypto, logging, yaml, configuration, lifecycle, argumentParser, histogram,
            ],
            resources: [.embedInCode("Resources")], swiftSettings: strict),

        // Tests. They share one pair of servers, which `TestServers` starts around them.
        .target(
            name: "TestOffice", dependencies: ["AMQP", "PostgreSQL", "Casework", "Contract", "CaseStore"],
            path: "Tests/TestOffice", swiftSettings: strict),
        .executableTarget(
            name: "TestServers", dependencies: ["TestOffice", "CaseStore", "Casework", "Contract", "Demo", "LocalServers", "PostgreSQL"],
            path: "Tests/TestServers", swiftSettings: strict),
        // A worker as a process, for tests that kill it.
        .executableTarget(
            name: "TestWorker",
            dependencies: ["Workers", "Casework", "Contract", "CaseStore", "AMQP", "PostgreSQL", crypto, logging],
            path: "Tests/TestWorker", swiftSettings: strict),
        // Gives readers of outside bytes what nobody should send.
        .executableTarget(
            name: "Fuzz",
            dependencies: [
                "AMQP", "PostgreSQL", "CRabbitMQ", "CPostgreSQL", "Casework", "Contract", "Workers", "Demo", crypto,
            ],
            path: "Tests/Fuzz", swiftSettings: strict),
        // Does one thing many times, for callgrind to count.
        .executableTarget(
            name: "Instructions", dependencies: ["Casework", "CaseStore", "Contract", "Demo", "Workers"], path: "Benchmarks/instructions",
            exclude: ["check", "thresholds.json"], swiftSettings: strict),
        .testTarget(name: "FuzzTests", dependencies: ["Fuzz"], swiftSettings: strict),
        .testTarget(name: "TextTests", dependencies: ["Text"], swiftSettings: strict),
        .testTarget(name: "CaseworkTests", dependencies: ["Casework", "Text", crypto], swiftSettings: strict),
        .testTarget(
            name: "ContractTests", dependencies: ["Contract", "Casework", "TestOffice", crypto, yaml], exclude: ["Golden"],
            swiftSettings: strict),
        .testTarget(
            name: "CaseStoreTests",
            dependencies: ["CaseStore", "TestOffice", "Casework", "Contract", "PostgreSQL", crypto, yaml], exclude: ["Golden"],
            swiftSettings: strict),
        .testTarget(name: "TidyTests", swiftSettings: strict),
        .testTarget(name: "AMQPTests", dependencies: ["AMQP", "CRabbitMQ", "LocalServers"], swiftSettings: strict),
        .testTarget(name: "PostgreSQLTests", dependencies: ["PostgreSQL"], swiftSettings: strict),
        .testTarget(name: "LocalServersTests", dependencies: ["LocalServers"], swiftSettings: strict),
        .testTarget(
            name: "WorkersTests",
            dependencies: [
                "Workers", "TestOffice", "TestWorker", "LocalServers", "Casework", "Contract", "CaseStore", "AMQP",
                "PostgreSQL", crypto, logging, yaml,
            ], swiftSettings: strict),
        .testTarget(
            name: "DemoTests",
            dependencies: ["Demo", "Casework", "Contract", "CaseStore", "AMQP", "PostgreSQL", crypto], swiftSettings: strict),
        .testTarget(
            name: "ConformanceTests",
            dependencies: ["Conformance", "bihuan", "Workers", "TestOffice", "LocalServers", "Casework", "Contract", "AMQP", crypto],
            exclude: ["Units"], swiftSettings: strict),
        .testTarget(
            name: "BihuanTests",
            dependencies: ["bihuan", "Text", "AMQP", "Casework", "Contract", "CaseStore", "Demo", "PostgreSQL", "LocalServers", logging],
            exclude: ["Golden"], swiftSettings: strict),
    ]
)
