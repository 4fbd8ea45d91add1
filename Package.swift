// swift-tools-version: 6.0
import PackageDescription

/// Imports are internal unless a public signature needs them, so a C type that leaks out of its room does not compile.
let strict: [SwiftSetting] = [.enableUpcomingFeature("InternalImportsByDefault"), .enableUpcomingFeature("ExistentialAny")]

/// The path of libFuzzer's library without a main, where `.ci/fuzz` builds: the rooms then count their branches for it.
let fuzzer = Context.environment["SOLSTICE_FUZZ"]
let counting: [SwiftSetting] =
    fuzzer == nil ? [] : [.unsafeFlags(["-sanitize-coverage=edge,indirect-calls,trace-cmp,inline-8bit-counters,pc-table"])]

/// A room of Swift code: strict settings, and only the imports that are listed here.
func room(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict + counting)
}

/// The tests of one room. To optimise them takes longer than it saves, but for tests that compute much themselves (`areNumeric`).
func tests(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [], resources: [Resource]? = nil, areNumeric: Bool = false
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, exclude: exclude, resources: resources,
        swiftSettings: areNumeric ? strict : strict + [.unsafeFlags(["-Onone"], .when(configuration: .release))])
}

let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

/// The fuzz harnesses: for `.ci/fuzz` an executable for each folder of them, else one test that calls them all with known inputs.
func harnesses(_ rooms: [String: [Target.Dependency]]) -> [Target] {
    let path = "Tests/Fuzz"
    guard let fuzzer else {
        let folders = rooms.keys.sorted()
        return [
            .target(name: "FuzzKit", path: "\(path)/Kit", swiftSettings: strict),
            .testTarget(
                name: "FuzzTests", dependencies: ["FuzzKit", "TestSupport"] + folders.flatMap { rooms[$0] ?? [] }, path: path,
                exclude: ["Kit", "CLibFuzzer", "Corpus"] + folders.map { "\($0)/main.swift" }, swiftSettings: strict),
        ]
    }
    let kit: [Target] = [
        .systemLibrary(name: "CLibFuzzer", path: "\(path)/CLibFuzzer"),
        .target(name: "FuzzKit", dependencies: ["CLibFuzzer"], path: "\(path)/Kit", swiftSettings: strict + [.define("FUZZING")]),
    ]
    return kit + rooms.map { room, dependencies in
        .executableTarget(
            name: "Fuzz\(room)", dependencies: ["FuzzKit"] + dependencies, path: "\(path)/\(room)", swiftSettings: strict,
            linkerSettings: [.unsafeFlags([fuzzer, "-lstdc++"])])
    }
}

let package = Package(
    name: "solstice",
    products: [
        .executable(name: "solstice", targets: ["solstice"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // C: FFmpeg's libraries, the SIMD kernels, and system calls.
        .systemLibrary(
            name: "CLibAV", pkgConfig: "libavfilter",
            providers: [
                .apt([
                    "libavdevice-dev", "libavformat-dev", "libavcodec-dev", "libavfilter-dev", "libswscale-dev", "libavutil-dev",
                ])
            ]),
        .target(name: "CFFmpeg", dependencies: ["CLibAV"]),
        .target(name: "CKernels"),
        .target(name: "CSpawn"),

        // What every room may use.
        room("Base", []),

        // The way of a frame.
        room("Imaging", ["CKernels"]),
        room("MediaIO", ["Base", "CFFmpeg", "Imaging"]),
        room("NeuralEngine", ["CKernels"]),
        room(
            "TSIT",
            ["Base", "NeuralEngine", "Imaging", .product(name: "Crypto", package: "swift-crypto")],
            resources: [.copy("Resources/Models"), .copy("Resources/SelfCheck")]),
        room("Pipeline", ["MediaIO", "Imaging", "TSIT", "NeuralEngine"]),

        // Live: the server that readers connect to, and what keeps a relay running.
        room(
            "RTSP",
            [
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        room(
            "Relay",
            [
                "Base", "Pipeline", "MediaIO", "Imaging", "TSIT", "NeuralEngine", "RTSP",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
            ]),

        // Unattended: which files come in, what is to be done with them, and who does it.
        room("Watch", ["Base", system]),
        room("Jobs", ["Base", system, .product(name: "GRDB", package: "GRDB.swift")]),
        room("Worker", ["Base", "Jobs", "Pipeline", "MediaIO", system, .product(name: "Crypto", package: "swift-crypto")]),
        room(
            "Daemon",
            [
                "Base", "CSpawn", "Watch", "Jobs", "Web", system, logging, .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Yams", package: "Yams"),
            ]),
        room(
            "Web",
            [
                "Base", "Jobs", system, logging, .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Hummingbird", package: "hummingbird"), .product(name: "NIOCore", package: "swift-nio"),
            ],
            resources: [.copy("Resources/page")]),

        .executableTarget(
            name: "solstice",
            dependencies: [
                "Base", "Web", "Daemon", "Worker", "Jobs", "Watch", "Relay", "RTSP", "Pipeline", "MediaIO", "Imaging", "TSIT", "NeuralEngine",
                .product(name: "ArgumentParser", package: "swift-argument-parser"), .product(name: "Crypto", package: "swift-crypto"), logging,
            ],
            swiftSettings: strict),

        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
        tests("ImagingTests", ["Imaging", "CKernels"], resources: [.copy("Fixtures")], areNumeric: true),
        tests("NeuralEngineTests", ["NeuralEngine", "CKernels"], areNumeric: true),
        tests("TSITTests", ["TSIT", "NeuralEngine", "Imaging"], exclude: ["Fixtures"], areNumeric: true),
        tests("MediaIOTests", ["TestSupport", "Base", "MediaIO", "Imaging", "CFFmpeg"]),
        tests("PipelineTests", ["Pipeline", "TSIT", "NeuralEngine", "Imaging", "MediaIO"]),
        tests("RTSPTests", ["TestSupport", "RTSP", .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOEmbedded", package: "swift-nio")]),
        tests("BaseTests", ["TestSupport", "Base"]),
        tests("RelayTests", ["TestSupport", "Relay", "RTSP", "Pipeline", "MediaIO", "Imaging", "TSIT"]),
        tests("WatchTests", ["TestSupport", "Base", "Watch", system]),
        tests("JobsTests", ["TestSupport", "Jobs", system, .product(name: "GRDB", package: "GRDB.swift")]),
        tests("WorkerTests", ["TestSupport", "Worker", "Jobs", "Pipeline", "MediaIO", "TSIT", system]),
        tests("DaemonTests", ["TestSupport", "Base", "Daemon", "Watch", "Jobs", "Web", system, logging]),
        tests("WebTests", ["TestSupport", "Base", "Web", "Jobs", system, logging]),
        tests("SolsticeTests", ["TestSupport", "solstice", "Pipeline", "MediaIO", "Imaging"]),
    ]
        + harnesses([
            "TSIT": ["TSIT"],
            "RTSP": ["RTSP", .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOEmbedded", package: "swift-nio")],
            "MediaIO": ["MediaIO", "CFFmpeg"],
            "Service": ["Daemon", "Web", .product(name: "Hummingbird", package: "hummingbird")],
        ]),
    swiftLanguageModes: [.v6]
)
