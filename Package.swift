// swift-tools-version: 6.2
import PackageDescription

// The rooms below are the architecture: imports go downward only, as the lists of dependencies show.
// The gate (`deploy/test`) builds with `--explicit-target-dependency-import-check error`, so an import that is not
// listed here does not build.

let strict: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("ExistentialAny"),
    ] + (Context.environment["TEST_BIHUAN_GATE"] == nil ? [] : [.treatAllWarnings(as: .error)])

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let yaml = Target.Dependency.product(name: "Yams", package: "Yams")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let metrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// A room: its folder in `Sources`, its dependencies, and its embedded resources.
func room(_ path: String, _ dependencies: [Target.Dependency] = [], carries resources: String? = nil) -> Target {
    .target(
        name: String(path.split(separator: "/").last!), dependencies: dependencies, path: "Sources/" + path,
        resources: resources.map { [.embedInCode($0)] } ?? [], swiftSettings: strict)
}

let package = Package(
    name: "bihuan",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "bihuan", targets: ["bihuan"]),
        .executable(name: "bihuan-lab", targets: ["bihuan-lab"]),
        .library(name: "AMQP", targets: ["AMQP"]),
        .library(name: "PostgreSQL", targets: ["PostgreSQL"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML"]),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Ground: nothing of the domain
        .systemLibrary(
            name: "CRabbitMQ", path: "Sources/Ground/CRabbitMQ", pkgConfig: "librabbitmq",
            providers: [.apt(["librabbitmq-dev"])]),
        .systemLibrary(
            name: "CPostgreSQL", path: "Sources/Ground/CPostgreSQL", pkgConfig: "libpq",
            providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CProcess", path: "Sources/Ground/CProcess"),
        room("Ground/Text"),
        room("Ground/Basics", ["Text"]),
        room("Ground/AMQP", ["CRabbitMQ"]),
        room("Ground/PostgreSQL", ["CPostgreSQL"]),
        room("Ground/LocalServers"),

        // Rules: values in, decisions out
        room("Rules/Casework", ["Basics", "Text", crypto]),

        // Wire: what other systems see
        room("Wire/Contract", ["Casework", "Basics", "Text", crypto]),
        room("Wire/BrokerTopology", ["Contract", "Casework", "Basics", crypto]),

        // Store: the only SQL
        room(
            "Store/CaseStore", ["Casework", "Contract", "Basics", "Text", "PostgreSQL", crypto], carries: "Migrations"),
        room("Store/AuditStore", ["CaseStore", "Casework", "Contract", "Basics", "PostgreSQL"]),

        // Office: the workers, and what they show of themselves
        room(
            "Office/Observability",
            ["Contract", "Casework", "Basics", "Text", metrics, hummingbird, hummingbirdCore, logging, lifecycle]),
        room(
            "Office/Workers",
            [
                "Observability", "CaseStore", "Contract", "BrokerTopology", "Casework", "Basics", "Text", "AMQP",
                "PostgreSQL", crypto, logging, lifecycle, yaml,
            ]),

        // Outside: uses only the contract
        room("Outside/PartyClient", ["Contract", "BrokerTopology", "Casework", "Basics", "AMQP", crypto]),
        room(
            "Outside/Submitting",
            ["PartyClient", "Contract", "BrokerTopology", "Casework", "Basics", "Text", "AMQP", crypto, yaml]),
        room("Outside/Conformance", ["Contract", "BrokerTopology", "Casework", "Basics", "AMQP", crypto]),

        // Setup: an installation on a machine, and the terminal in front of it
        room(
            "Setup/Terminal",
            [
                "CProcess", "Basics", "Text", "AMQP", "PostgreSQL", "LocalServers", logging, unixSignals,
                argumentParser,
            ]),
        room(
            "Setup/Installation",
            [
                "Terminal", "Observability", "Workers", "Submitting", "AuditStore", "CaseStore", "Contract",
                "BrokerTopology", "Casework", "Basics", "Text", "AMQP", "PostgreSQL", "LocalServers", crypto, logging,
                yaml, configuration,
                systemPackage, lifecycle, argumentParser,
            ], carries: "Resources"),

        // Proof: checks from outside
        room("Proof/Corpus", ["Submitting", "Installation", "Casework", "Basics", crypto]),
        room(
            "Proof/SimulatedUnits",
            ["Corpus", "PartyClient", "Contract", "BrokerTopology", "Casework", "Basics", "AMQP", crypto]),
        room(
            "Proof/Witness",
            [
                "Installation", "PartyClient", "AuditStore", "CaseStore", "Contract", "BrokerTopology", "Casework",
                "Basics", "Text", "AMQP", "PostgreSQL", crypto,
            ]),
        room(
            "Proof/Rehearsal",
            [
                "Witness", "SimulatedUnits", "Corpus", "Submitting", "PartyClient", "Installation", "Terminal",
                "AuditStore", "CaseStore", "Contract",
                "BrokerTopology", "Casework", "Basics", "Text", "AMQP", "PostgreSQL", "LocalServers", crypto,
                argumentParser,
            ]),
        room(
            "Proof/Bench",
            [
                "Rehearsal", "Witness", "SimulatedUnits", "Corpus", "Submitting", "PartyClient", "Installation",
                "Terminal", "Workers", "AuditStore", "CaseStore",
                "Contract", "BrokerTopology", "Casework", "Basics", "AMQP", "PostgreSQL", "LocalServers", crypto,
                histogram,
            ]),
        room(
            "Proof/Chaos",
            [
                "Rehearsal", "Witness", "SimulatedUnits", "Corpus", "Submitting", "PartyClient", "Installation",
                "Terminal", "Workers", "AuditStore", "CaseStore",
                "Contract", "BrokerTopology", "Casework", "Basics", "Text", "AMQP", "PostgreSQL", "LocalServers",
                crypto,
            ]),

        // Command: the operator's command, and the one that tests an office
        .executableTarget(
            name: "bihuan",
            dependencies: [
                "Installation", "Terminal", "Submitting", "PartyClient", "Conformance", "Workers", "Observability",
                "AuditStore", "CaseStore", "Contract", "BrokerTopology",
                "Casework", "Basics", "Text", "AMQP", "PostgreSQL", "LocalServers", crypto, logging, yaml,
                configuration, lifecycle, argumentParser,
            ],
            path: "Sources/Command/bihuan", swiftSettings: strict),
        .executableTarget(
            name: "bihuan-lab",
            dependencies: [
                "Bench", "Chaos", "Rehearsal", "Witness", "SimulatedUnits", "Corpus", "Submitting", "PartyClient",
                "Installation", "Terminal", "CaseStore",
                "Contract", "Casework", "Basics", "AMQP", "PostgreSQL", "LocalServers", argumentParser,
            ],
            path: "Sources/Command/bihuan-lab", swiftSettings: strict),

        // Tests. They share one pair of servers, which `TestServers` starts.
        .target(
            name: "TestOffice",
            dependencies: [
                "PartyClient", "AMQP", "PostgreSQL", "Basics", "BrokerTopology", "Casework", "Contract", "CaseStore",
            ],
            path: "Tests/TestOffice", swiftSettings: strict),
        .executableTarget(
            name: "TestServers",
            dependencies: [
                "TestOffice", "Installation", "CaseStore", "Casework", "Contract", "BrokerTopology", "Basics",
                "LocalServers", "PostgreSQL",
            ], path: "Tests/TestServers", swiftSettings: strict),
        // A worker process, for tests that kill it.
        .executableTarget(
            name: "TestWorker",
            dependencies: [
                "Workers", "Basics", "BrokerTopology", "Casework", "Contract", "CaseStore", "AMQP", "PostgreSQL",
                crypto, logging,
            ], path: "Tests/TestWorker", swiftSettings: strict),
        // Gives bad input to the readers of bytes from outside.
        .executableTarget(
            name: "Fuzz",
            dependencies: [
                "AMQP", "PostgreSQL", "CRabbitMQ", "CPostgreSQL", "Basics", "Casework", "Contract", "BrokerTopology",
                "Workers", "Submitting", "PartyClient", "Corpus",
                "Installation", "Witness", crypto,
            ],
            path: "Tests/Fuzz", swiftSettings: strict),
        // Does one thing many times, so that callgrind can count it.
        .executableTarget(
            name: "Instructions",
            dependencies: ["Basics", "Casework", "CaseStore", "Contract", "Corpus", "Installation", "Workers"],
            path: "Benchmarks/instructions", exclude: ["check", "thresholds.json"], swiftSettings: strict),
        .testTarget(name: "FuzzTests", dependencies: ["Fuzz"], swiftSettings: strict),
        .testTarget(name: "TextTests", dependencies: ["Text"], swiftSettings: strict),
        .testTarget(
            name: "CaseworkTests", dependencies: ["Casework", "Basics", "Text", crypto], swiftSettings: strict),
        .testTarget(
            name: "ContractTests",
            dependencies: ["Contract", "BrokerTopology", "Casework", "Basics", "TestOffice", crypto, yaml],
            exclude: ["Golden"], swiftSettings: strict),
        .testTarget(
            name: "CaseStoreTests",
            dependencies: [
                "CaseStore", "AuditStore", "TestOffice", "Casework", "Basics", "Contract", "PostgreSQL", crypto, yaml,
            ], exclude: ["Golden"], swiftSettings: strict),
        .testTarget(name: "TidyTests", swiftSettings: strict),
        .testTarget(
            name: "AMQPTests", dependencies: ["AMQP", "CRabbitMQ", "LocalServers", "Basics"], swiftSettings: strict),
        .testTarget(name: "PostgreSQLTests", dependencies: ["PostgreSQL"], swiftSettings: strict),
        .testTarget(name: "LocalServersTests", dependencies: ["LocalServers"], swiftSettings: strict),
        .testTarget(
            name: "WorkersTests",
            dependencies: [
                "Workers", "Observability", "Terminal", "bihuan", "TestOffice", "TestWorker", "LocalServers", "Basics",
                "BrokerTopology", "Casework", "Contract", "CaseStore", "AuditStore", "AMQP", "PostgreSQL", crypto,
                logging,
                yaml,
            ], swiftSettings: strict),
        .testTarget(
            name: "DemoTests",
            dependencies: [
                "TestOffice", "Submitting", "PartyClient", "Corpus", "SimulatedUnits", "Witness", "Installation",
                "Basics",
                "BrokerTopology", "Casework", "Contract",
                "CaseStore", "AuditStore", "AMQP", "PostgreSQL", crypto, yaml,
            ], swiftSettings: strict),
        .testTarget(
            name: "ConformanceTests",
            dependencies: [
                "Conformance", "bihuan", "Workers", "TestOffice", "LocalServers", "Basics", "BrokerTopology",
                "Casework", "Contract", "AMQP", crypto,
            ], exclude: ["Units"], swiftSettings: strict),
        .testTarget(
            name: "BihuanTests",
            dependencies: [
                "TestOffice", "bihuan", "bihuan-lab", "Terminal", "Installation", "Observability", "Rehearsal", "Bench",
                "Chaos", "Submitting",
                "PartyClient", "Corpus", "Witness", "SimulatedUnits", "Text",
                "AMQP", "Basics", "BrokerTopology", "Casework", "Contract", "CaseStore", "AuditStore", "PostgreSQL",
                "LocalServers", "Observability", crypto, logging, argumentParser,
            ],
            exclude: ["Golden"], swiftSettings: strict),
    ]
)
