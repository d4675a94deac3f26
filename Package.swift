// swift-tools-version: 6.2
import PackageDescription

let swift: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

// SwiftPM compiles C without optimisation in debug builds; these flags come after its own -O0, so that
// the kernels run at full speed there too.
let optimised: [CSetting] = [.unsafeFlags(["-O3", "-fno-math-errno"])]

let package = Package(
    name: "lenticular",
    products: [
        .executable(name: "lenticular", targets: ["lenticular"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        // MARK: - C libraries, each with one door
        .systemLibrary(name: "CFITSIO", pkgConfig: "cfitsio", providers: [.apt(["libcfitsio-dev"])]),
        .systemLibrary(name: "CWCSLIB", pkgConfig: "wcslib", providers: [.apt(["wcslib-dev"])]),
        .systemLibrary(name: "CLibPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
        .systemLibrary(name: "CLibJPEG", pkgConfig: "libjpeg", providers: [.apt(["libjpeg62-turbo-dev"])]),
        .systemLibrary(name: "CZLIB", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CBZip2", providers: [.apt(["libbz2-dev"])]),
        .systemLibrary(name: "CSEP", providers: [.apt(["libsep-dev"])]),
        .systemLibrary(name: "CDNNL", providers: [.apt(["libdnnl-dev"])]),
        .systemLibrary(name: "CCairo", pkgConfig: "cairo", providers: [.apt(["libcairo2-dev"])]),
        .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
        .systemLibrary(name: "CExpat", pkgConfig: "expat", providers: [.apt(["libexpat1-dev"])]),
        .systemLibrary(name: "CChafa", pkgConfig: "chafa", providers: [.apt(["libchafa-dev"])]),
        .target(name: "CTerminal"),
        .target(name: "CImageCodecs", dependencies: ["CLibPNG", "CLibJPEG"]),
        .target(name: "CKernels", cSettings: optimised, linkerSettings: [.linkedLibrary("m")]),
        .target(name: "CHNSW", cxxSettings: [.unsafeFlags(["-O3"])]),

        // MARK: - Images and tables
        .target(
            name: "AstroIO",
            dependencies: [
                "CFITSIO", "CWCSLIB", "CImageCodecs", "CZLIB", "CBZip2", "CExpat",
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: swift),
        .target(name: "ImageProcessing", dependencies: ["AstroIO", "CSEP"], swiftSettings: swift),
        .target(name: "Figures", dependencies: ["ImageProcessing", "CCairo"], swiftSettings: swift),

        // MARK: - Engine
        .target(name: "Kernels", dependencies: ["CKernels"], swiftSettings: swift),
        .target(name: "Tensors", dependencies: ["Kernels", "CKernels", "CDNNL"], swiftSettings: swift),
        .target(name: "Models", dependencies: ["Tensors", "Kernels"], swiftSettings: swift),

        // MARK: - Learning
        .target(name: "Datasets", dependencies: ["ImageProcessing", "Tensors"], swiftSettings: swift),
        .target(
            name: "Training",
            dependencies: ["Models", "Datasets", "Figures", "Inference", .product(name: "Yams", package: "Yams")],
            swiftSettings: swift),
        .target(name: "Inference", dependencies: ["Models", "Datasets"], swiftSettings: swift),
        .target(name: "Outliers", dependencies: ["Inference", "Kernels", "Tensors", "CHNSW"], swiftSettings: swift),

        // MARK: - A person in the loop
        .target(
            name: "Labeling",
            dependencies: [
                "AstroIO", .product(name: "GRDB", package: "GRDB.swift"), .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: swift),
        .target(
            name: "ActiveLearning", dependencies: ["Labeling", "Training", "Outliers", "Pipelines"],
            swiftSettings: swift),

        // MARK: - Pipelines and the tool
        .target(
            name: "Pipelines",
            dependencies: [
                "Outliers", "Inference", "Figures", "CSodium", .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: swift),
        .target(name: "TerminalUI", dependencies: ["ImageProcessing", "CChafa", "CTerminal"], swiftSettings: swift),
        .executableTarget(
            name: "lenticular",
            dependencies: [
                "ActiveLearning", "Labeling", "Pipelines", "Training", "TerminalUI",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swift),

        // MARK: - Tests
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: swift),
        .testTarget(name: "AstroIOTests", dependencies: ["AstroIO", "TestSupport"], swiftSettings: swift),
        .testTarget(
            name: "ImageProcessingTests", dependencies: ["ImageProcessing", "Figures", "TestSupport"],
            swiftSettings: swift),
        .testTarget(name: "KernelsTests", dependencies: ["Kernels", "TestSupport"], swiftSettings: swift),
        .testTarget(
            name: "TensorsTests", dependencies: ["Tensors", "TestSupport"], swiftSettings: swift),
        .testTarget(
            name: "ModelsTests", dependencies: ["Models", "TestSupport"], exclude: ["Fixtures"], swiftSettings: swift),
        .testTarget(
            name: "DatasetsTests", dependencies: ["Datasets", "ImageProcessing", "TestSupport"], swiftSettings: swift),
        .testTarget(
            name: "InferenceTests",
            dependencies: ["Inference", "Models", "ImageProcessing", "AstroIO", "Tensors", "TestSupport"],
            swiftSettings: swift),
        .testTarget(name: "TrainingTests", dependencies: ["Training", "TestSupport"], swiftSettings: swift),
        .testTarget(
            name: "PipelinesTests",
            dependencies: ["Pipelines", "Outliers", "Inference", "Datasets", "Models", "Tensors", "TestSupport"],
            swiftSettings: swift),
        .testTarget(
            name: "OutliersTests",
            dependencies: [
                "Outliers", "AstroIO", "Datasets", "ImageProcessing", "Inference", "Models", "Tensors", "TestSupport",
            ],
            swiftSettings: swift),
        .testTarget(
            name: "TerminalUITests", dependencies: ["TerminalUI", "ImageProcessing", "AstroIO"], swiftSettings: swift),
        .executableTarget(
            name: "LabelWriter", dependencies: ["Labeling"], path: "Tests/LabelWriter", swiftSettings: swift),
        .testTarget(
            name: "LabelingTests",
            dependencies: [
                "Labeling", "LabelWriter", "AstroIO", "TestSupport", .product(name: "GRDB", package: "GRDB.swift"),
            ], swiftSettings: swift),
        .testTarget(
            name: "ActiveLearningTests", dependencies: ["ActiveLearning", "Labeling", "TestSupport"],
            swiftSettings: swift),
        .testTarget(name: "ToolTests", dependencies: ["lenticular", "AstroIO"], swiftSettings: swift),
    ],
    cLanguageStandard: .gnu2x,
    cxxLanguageStandard: .cxx17
)
