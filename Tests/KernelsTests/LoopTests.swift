import Kernels
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An array of either storage type, for calls that take raw pointers.
struct StoredArray {
    let type: ElementType
    private var bytes: [UInt8]

    init(_ values: [Float], _ type: ElementType) {
        self.type = type
        bytes =
            type == .float32
            ? values.flatMap { withUnsafeBytes(of: $0, Array.init) }
            : values.flatMap { withUnsafeBytes(of: bfloat16Bits($0), Array.init) }
    }

    var values: [Float] {
        bytes.withUnsafeBytes { bytes in
            type == .float32
                ? (0..<bytes.count / 4).map { bytes.load(fromByteOffset: $0 * 4, as: Float.self) }
                : (0..<bytes.count / 2).map {
                    Float(bitPattern: UInt32(bytes.load(fromByteOffset: $0 * 2, as: UInt16.self)) << 16)
                }
        }
    }

    func read<R>(_ body: (UnsafeRawPointer) -> R) -> R { bytes.withUnsafeBytes { body($0.baseAddress!) } }

    mutating func write<R>(_ body: (UnsafeMutableRawPointer) -> R) -> R {
        bytes.withUnsafeMutableBytes { body($0.baseAddress!) }
    }
}

/// Largest difference, relative to the larger of 1 and the expected value; NaN must meet NaN, ∞ the same ∞.
func largestDifference(_ values: [Float], _ expected: [Float]) -> Float {
    zip(values, expected).map { value, expected in
        if value.isNaN || expected.isNaN { return value.isNaN == expected.isNaN ? 0 : Float.infinity }
        if value == expected { return 0 }
        return abs(value - expected) / max(1, abs(expected))
    }.max() ?? 0
}

@Suite("Loops")
struct LoopTests {
    static let vectorSets = InstructionSet.available.filter { $0 != .portable }
    static let twin = HostKernels(.portable)
    static let counts = [1, 7, 8, 15, 16, 17, 31, 64, 100, 1027]

    static func tolerance(_ type: ElementType) -> Float { type == .float32 ? 2e-6 : 8e-3 }

    @Test("conversion rounds to nearest even and keeps special values", arguments: InstructionSet.available)
    func conversion(set: InstructionSet) {
        var random = SampleGenerator(seed: 3)
        var values = random.normals(1000) + [0, -0.0, .infinity, -.infinity, .nan, .greatestFiniteMagnitude, 0x1p-140]
        values += [1 + 0x1p-8, 1 + 3 * 0x1p-8, Float(bitPattern: 0x7F80_0001), Float(bitPattern: 0x7FFF_FFFF)]
        values += (0..<200).map { _ in Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &random)) }
        let source = StoredArray(values, .float32)
        var narrow = StoredArray(values.map { _ in 0 }, .bfloat16)
        var wide = StoredArray(values.map { _ in 0 }, .float32)
        source.read { x in
            narrow.write { HostKernels(set).convert(x, .float32, into: $0, .bfloat16, count: values.count) }
        }
        narrow.read { x in
            wide.write { HostKernels(set).convert(x, .bfloat16, into: $0, .float32, count: values.count) }
        }
        // The instruction of AVX-512 BF16 takes subnormal numbers for 0.
        #expect(largestDifference(narrow.values, values.map(roundedToBFloat16)) < Float.leastNormalMagnitude)
        #expect(largestDifference(wide.values, narrow.values) == 0)
    }

    @Test("functions of one variable agree with libm", arguments: vectorSets, UnaryKernel.allCases)
    func unary(set: InstructionSet, function: UnaryKernel) {
        var random = SampleGenerator(seed: 5)
        let special: [Float] = [
            0, -0.0, .infinity, -.infinity, .nan, 1e-30, -1e-30, 88.5, -88.5, 103, -103, 0x1p-140, 3e38,
        ]
        for type in ElementType.allCases {
            for count in Self.counts {
                let x = StoredArray((random.normals(count).map { $0 * 3 } + special).map(roundedToBFloat16), type)
                let dy = StoredArray(random.normals(count + special.count).map(roundedToBFloat16), type)
                func value(_ kernels: HostKernels) -> [Float] {
                    var y = x
                    x.read { x in
                        y.write { kernels.unary(function, x, into: $0, type: type, count: count + special.count) }
                    }
                    return y.values
                }
                func slope(_ kernels: HostKernels) -> [Float] {
                    var dx = x
                    x.read { x in
                        dy.read { dy in
                            dx.write {
                                kernels.unaryGradient(
                                    function, x, gradient: dy, into: $0, type: type, count: count)
                            }
                        }
                    }
                    return Array(dx.values[..<count])
                }
                let tolerance = Self.tolerance(type)
                #expect(largestDifference(value(HostKernels(set)), value(Self.twin)) <= tolerance, "\(type) \(count)")
                #expect(
                    largestDifference(slope(HostKernels(set)), slope(Self.twin)) <= 2 * tolerance,
                    "gradient \(type) \(count)")
            }
        }
    }

    @Test("derivatives agree with differences of the functions", arguments: UnaryKernel.allCases)
    func slopes(function: UnaryKernel) {
        let points: [Float] = [0.3, 0.7, 1.4, 2.2, 3.1]
        let step: Float = 1e-2
        func values(_ x: [Float]) -> [Float] {
            var y = StoredArray(x, .float32)
            StoredArray(x, .float32).read { x in
                y.write { HostKernels().unary(function, x, into: $0, type: .float32, count: points.count) }
            }
            return y.values
        }
        let above = values(points.map { $0 + step })
        let below = values(points.map { $0 - step })
        var dx = StoredArray(points, .float32)
        let ones = StoredArray(points.map { _ in 1 }, .float32)
        StoredArray(points, .float32).read { x in
            ones.read { dy in
                dx.write {
                    HostKernels().unaryGradient(
                        function, x, gradient: dy, into: $0, type: .float32, count: points.count)
                }
            }
        }
        for (index, slope) in dx.values.enumerated() {
            let difference = (above[index] - below[index]) / (2 * step)
            #expect(abs(slope - difference) < 2e-3 * max(1, abs(slope)), "at \(points[index])")
        }
    }

    @Test("functions of two variables broadcast by strides", arguments: vectorSets, BinaryKernel.allCases)
    func binary(set: InstructionSet, function: BinaryKernel) {
        var random = SampleGenerator(seed: 11)
        for type in ElementType.allCases {
            for (rows, columns) in [(1, 1), (3, 17), (5, 64), (2, 100)] {
                for strides in [(columns, 1, columns, 1), (columns, 1, 0, 1), (columns, 1, 1, 0), (0, 0, columns, 1)] {
                    let a = StoredArray(random.normals(rows * columns).map(roundedToBFloat16), type)
                    let b = StoredArray(random.normals(rows * columns).map(roundedToBFloat16), type)
                    func value(_ kernels: HostKernels) -> [Float] {
                        var y = StoredArray([Float](repeating: 0, count: rows * columns), type)
                        a.read { a in
                            b.read { b in
                                y.write {
                                    kernels.binary(
                                        function, BinaryOperand(a, rowStride: strides.0, columnStride: strides.1),
                                        BinaryOperand(b, rowStride: strides.2, columnStride: strides.3), into: $0,
                                        type: type, rows: rows, columns: columns)
                                }
                            }
                        }
                        return y.values
                    }
                    #expect(largestDifference(value(HostKernels(set)), value(Self.twin)) <= Self.tolerance(type) / 10)
                }
            }
        }
    }

    @Test("reductions agree with their twin", arguments: vectorSets, RowReduction.allCases)
    func reductions(set: InstructionSet, reduction: RowReduction) {
        var random = SampleGenerator(seed: 13)
        for type in ElementType.allCases {
            for columns in [0] + Self.counts + [20_000] {
                let values = random.normals(3 * columns).map { roundedToBFloat16($0 + 0.5) }
                let x = StoredArray(values + [0], type)
                func value(_ kernels: HostKernels) -> [Float] {
                    var y = [Float](repeating: .nan, count: 3)
                    x.read { kernels.reduceRows(reduction, $0, type: type, rows: 3, columns: columns, into: &y) }
                    return y
                }
                #expect(largestDifference(value(HostKernels(set)), value(Self.twin)) <= 1e-6, "\(columns)")
            }
        }
        let x = StoredArray([Float](repeating: 1, count: 40) + [.nan] + [Float](repeating: 2, count: 40), .float32)
        var y: [Float] = [0]
        x.read { HostKernels(set).reduceRows(reduction, $0, type: .float32, rows: 1, columns: 81, into: &y) }
        #expect(y[0].isNaN)
    }

    @Test("columns are summed onto what is there", arguments: vectorSets)
    func columnSums(set: InstructionSet) {
        var random = SampleGenerator(seed: 17)
        for type in ElementType.allCases {
            for columns in Self.counts {
                let x = StoredArray(random.normals(9 * columns), type)
                let start = random.normals(columns)
                func value(_ kernels: HostKernels) -> [Float] {
                    var y = start
                    x.read { kernels.addColumns($0, type: type, rows: 9, columns: columns, into: &y) }
                    return y
                }
                #expect(largestDifference(value(HostKernels(set)), value(Self.twin)) <= 2e-6)
            }
        }
        let values = random.normals(100_003)
        let exact = values.reduce(0.0) { $0 + Double($1) * Double($1) }
        #expect(abs(HostKernels(set).sumOfSquares(values, count: values.count) / exact - 1) < 1e-6)
    }

    @Test("layer norm and its gradient agree with their twins", arguments: vectorSets, [false, true])
    func layerNorm(set: InstructionSet, residual: Bool) {
        var random = SampleGenerator(seed: 19)
        for type in ElementType.allCases {
            for columns in [1, 5, 16, 33, 192, 385] {
                let rows = 3
                let x = StoredArray(random.normals(rows * columns).map { $0 + 10 }, type)
                let r = StoredArray(random.normals(rows * columns), type)
                let dy = StoredArray(random.normals(rows * columns), type)
                let (weight, bias) = (random.normals(columns), random.normals(columns))
                func value(_ kernels: HostKernels) -> [[Float]] {
                    var (sum, y, dx) = (x, x, x)
                    var mean = [Float](repeating: 0, count: rows)
                    var deviation = mean
                    var (weightGradient, biasGradient) = (weight, bias)
                    x.read { x in
                        r.read { r in
                            sum.write { sum in
                                y.write {
                                    kernels.layerNorm(
                                        x, residual: residual ? r : nil, weight: weight, bias: bias, epsilon: 1e-6,
                                        sum: sum, into: $0, mean: &mean, inverseDeviation: &deviation, type: type,
                                        rows: rows, columns: columns)
                                }
                            }
                        }
                    }
                    sum.read { x in
                        dy.read { dy in
                            dx.write {
                                kernels.layerNormGradient(
                                    x, gradient: dy, weight: weight, mean: mean, inverseDeviation: deviation, into: $0,
                                    weightGradient: &weightGradient, biasGradient: &biasGradient, type: type,
                                    rows: rows, columns: columns)
                            }
                        }
                    }
                    // A row of one value has no deviation: what its gradient rounds to has no meaning.
                    return [sum.values, y.values, mean]
                        + (columns > 1 ? [dx.values, weightGradient, biasGradient] : [])
                }
                for (index, pair) in zip(value(HostKernels(set)), value(Self.twin)).enumerated() {
                    #expect(
                        largestDifference(pair.0, pair.1) <= 20 * Self.tolerance(type), "\(type) \(columns) \(index)")
                }
            }
        }
    }

    @Test("bias and GELU agree with their twins", arguments: vectorSets, [false, true])
    func biasGELU(set: InstructionSet, withBias: Bool) {
        var random = SampleGenerator(seed: 23)
        for type in ElementType.allCases {
            for columns in Self.counts {
                let x = StoredArray(random.normals(4 * columns).map { $0 * 2 }, type)
                let dy = StoredArray(random.normals(4 * columns), type)
                let bias = random.normals(columns)
                func value(_ kernels: HostKernels) -> [[Float]] {
                    var (y, dx, biasGradient) = (x, x, bias)
                    bias.withUnsafeBufferPointer { bias in
                        let bias = withBias ? bias.baseAddress : nil
                        x.read { x in
                            y.write { kernels.biasGELU(x, bias: bias, into: $0, type: type, rows: 4, columns: columns) }
                            dy.read { dy in
                                dx.write {
                                    kernels.biasGELUGradient(
                                        x, bias: bias, gradient: dy, into: $0, biasGradient: &biasGradient, type: type,
                                        rows: 4, columns: columns)
                                }
                            }
                        }
                    }
                    return [y.values, dx.values, biasGradient]
                }
                for (a, b) in zip(value(HostKernels(set)), value(Self.twin)) {
                    #expect(largestDifference(a, b) <= 2 * Self.tolerance(type))
                }
            }
        }
    }

    @Test("exact GELU is within 1e-6 of x Φ(x)", arguments: InstructionSet.available)
    func exactGELU(set: InstructionSet) {
        let x = stride(from: Float(-12), to: 12, by: 0.0037).map { $0 }
        let count = x.count
        var y = StoredArray(x, .float32)
        StoredArray(x, .float32).read { x in
            y.write { HostKernels(set).unary(.gelu, x, into: $0, type: .float32, count: count) }
        }
        for (x, y) in zip(x, y.values) {
            let exact = Double(x) * 0.5 * erfc(-Double(x) / 2.0.squareRoot())
            #expect(abs(Double(y) - exact) < 1e-6 + 1e-7 * abs(exact))
        }
    }

    @Test("softmax and its gradient agree with their twins", arguments: vectorSets, [false, true])
    func softmax(set: InstructionSet, logarithmic: Bool) {
        var random = SampleGenerator(seed: 29)
        for type in ElementType.allCases {
            for columns in Self.counts {
                let x = StoredArray(random.normals(3 * columns).map { $0 * 5 }, type)
                let dy = StoredArray(random.normals(3 * columns), type)
                func value(_ kernels: HostKernels) -> [[Float]] {
                    var (y, dx) = (x, x)
                    x.read { x in
                        y.write {
                            kernels.softmaxRows(
                                x, logarithmic: logarithmic, into: $0, type: type, rows: 3, columns: columns)
                        }
                    }
                    y.read { y in
                        dy.read { dy in
                            dx.write {
                                kernels.softmaxRowsGradient(
                                    y, gradient: dy, logarithmic: logarithmic, into: $0, type: type, rows: 3,
                                    columns: columns)
                            }
                        }
                    }
                    return [y.values, dx.values]
                }
                for (a, b) in zip(value(HostKernels(set)), value(Self.twin)) {
                    #expect(largestDifference(a, b) <= 3 * Self.tolerance(type), "\(columns)")
                }
            }
        }
    }

    @Test("products of rows agree with their twin", arguments: vectorSets)
    func dotRows(set: InstructionSet) {
        var random = SampleGenerator(seed: 41)
        for type in ElementType.allCases {
            for columns in Self.counts {
                let (a, b) = (
                    StoredArray(random.normals(3 * (columns + 5)), type), StoredArray(random.normals(3 * columns), type)
                )
                func value(_ kernels: HostKernels) -> [Float] {
                    var y = [Float](repeating: .nan, count: 3)
                    a.read { a in
                        b.read { b in
                            kernels.dotRows(
                                a, stride: columns + 5, b, stride: columns, type: type, rows: 3, columns: columns,
                                into: &y)
                        }
                    }
                    return y
                }
                #expect(largestDifference(value(HostKernels(set)), value(Self.twin)) < 2e-5, "\(columns)")
            }
        }
    }

    @Test("probabilities and their gradients agree with their twin and are zero in the padding", arguments: vectorSets)
    func attentionGradientScores(set: InstructionSet) {
        var random = SampleGenerator(seed: 43)
        for (queries, keys, size) in [(1, 1, 16), (16, 16, 16), (17, 30, 32), (65, 65, 80)] {
            let (s, dp) = (random.normals(size * size).map { 3 * $0 }, random.normals(size * size))
            let (sums, dots) = (random.normals(queries).map { 4 + $0 }, random.normals(queries))
            func value(_ kernels: HostKernels) -> (p: [Float], ds: [Float]) {
                var (p, ds) = (
                    [UInt16](repeating: 0xFFFF, count: size * size), [UInt16](repeating: 0xFFFF, count: size * size)
                )
                kernels.attentionGradientScores(
                    s, dp, logSumExp: sums, oDot: dots, scale: 0.3, intoP: &p, ds: &ds, queries: queries, keys: keys,
                    size: size)
                func floats(_ x: [UInt16]) -> [Float] { x.map { Float(bitPattern: UInt32($0) << 16) } }
                return (floats(p), floats(ds))
            }
            let (found, expected) = (value(HostKernels(set)), value(Self.twin))
            // Both round to 8 bits; the exponentials before that differ by 1e-6.
            #expect(zip(found.p, expected.p).allSatisfy { abs($0 - $1) <= 8e-3 * abs($1) })
            #expect(zip(found.ds, expected.ds).allSatisfy { abs($0 - $1) <= 8e-3 * abs($1) + 1e-9 })
            for i in 0..<size {
                for j in 0..<size where i >= queries || j >= keys {
                    #expect(found.p[i * size + j] == 0 && found.ds[i * size + j] == 0)
                }
            }
        }
    }

    @Test("AdamW agrees with its twin", arguments: vectorSets)
    func adamW(set: InstructionSet) {
        var random = SampleGenerator(seed: 31)
        let numbers = AdamWNumbers(
            learningRate: 1e-2, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.05, biasCorrection1: 0.1,
            biasCorrection2: 0.05, gradientScale: 0.5)
        for count in Self.counts {
            let gradient = random.normals(count)
            let start = (random.normals(count), random.normals(count), random.normals(count).map { $0 * $0 })
            func value(_ kernels: HostKernels) -> [[Float]] {
                var (parameter, first, second) = start
                kernels.adamW(
                    parameter: &parameter, gradient: gradient, firstMoment: &first, secondMoment: &second, numbers,
                    count: count)
                return [parameter, first, second]
            }
            for (a, b) in zip(value(HostKernels(set)), value(Self.twin)) { #expect(largestDifference(a, b) <= 2e-6) }
        }
    }

    @Test(
        "patches come in the order of a convolution's weights", arguments: InstructionSet.available,
        ElementType.allCases)
    func patchify(set: InstructionSet, type: ElementType) {
        let (count, channels, height, width, patch) = (2, 3, 6, 9, 3)
        let images = (0..<count * channels * height * width).map { Float($0 % 251) }
        var tokens = StoredArray(images, type)
        StoredArray(images, .float32).read { images in
            tokens.write {
                HostKernels(set).patchify(
                    images, .float32, into: $0, type, count: count, channels: channels, height: height, width: width,
                    patch: patch)
            }
        }
        var index = 0
        for b in 0..<count {
            for gy in 0..<height / patch {
                for gx in 0..<width / patch {
                    for c in 0..<channels {
                        for y in 0..<patch {
                            for x in 0..<patch {
                                let pixel =
                                    ((b * channels + c) * height + gy * patch + y) * width + gx * patch + x
                                #expect(tokens.values[index] == images[pixel])
                                index += 1
                            }
                        }
                    }
                }
            }
        }
    }
}
