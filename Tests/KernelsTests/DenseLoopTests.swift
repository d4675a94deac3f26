import Kernels
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite("Loops around dense layers")
struct DenseLoopTests {
    static let twin = HostKernels(.portable)
    static let columns = [1, 7, 8, 15, 16, 17, 33, 100, 384]
    static let rows = 5

    // MARK: - Quantised rows

    private func quantize(
        _ kernels: HostKernels, _ x: StoredArray, columns: Int
    ) -> (integers: [Int8], scales: [Float]) {
        let rows = x.values.count / columns
        var integers = [Int8](repeating: 99, count: rows * columns)
        var scales = [Float](repeating: -1, count: rows)
        x.read {
            kernels.quantizeRows($0, type: x.type, into: &integers, scale: &scales, rows: rows, columns: columns)
        }
        return (integers, scales)
    }

    @Test(
        "a quantised row is within half a step of the row, and its largest number is ±127",
        arguments: InstructionSet.available)
    func quantizedRows(set: InstructionSet) {
        var random = SampleGenerator(seed: 41)
        for type in ElementType.allCases {
            for columns in Self.columns {
                let x = StoredArray(random.normals(Self.rows * columns).map { $0 * 30 }, type)
                let (integers, scales) = quantize(HostKernels(set), x, columns: columns)
                for row in 0..<Self.rows {
                    let values = x.values[(row * columns)..<((row + 1) * columns)]
                    let largest = values.map(abs).max()!
                    #expect(abs(scales[row] - largest / 127) <= 1e-6 * largest)
                    #expect(integers[(row * columns)..<((row + 1) * columns)].map { abs(Int($0)) }.max() == 127)
                    for (index, value) in values.enumerated() {
                        let back = Float(integers[row * columns + index]) * scales[row]
                        #expect(abs(back - value) <= 0.5001 * scales[row], "\(set) \(type) \(columns)")
                    }
                }
            }
        }
    }

    @Test(
        "quantised rows are those of the twin, of zeros and of what is not finite too", arguments: LoopTests.vectorSets)
    func quantizedTwins(set: InstructionSet) {
        var random = SampleGenerator(seed: 43)
        for type in ElementType.allCases {
            for columns in Self.columns {
                var values = random.normals(6 * columns)
                for index in 0..<columns { values[index] = 0 }
                values[columns] = .nan
                values[3 * columns - 1] = -.infinity
                for index in (3 * columns)..<(4 * columns) { values[index] *= 0x1p-140 }
                let x = StoredArray(values, type)
                let found = quantize(HostKernels(set), x, columns: columns)
                let expected = quantize(Self.twin, x, columns: columns)
                #expect(found.integers == expected.integers, "\(set) \(type) \(columns)")
                #expect(largestDifference(found.scales, expected.scales) == 0)
                #expect(found.scales[0] == 0 && found.integers[..<columns].allSatisfy { $0 == 0 })
                #expect(found.scales[1].isNaN && found.scales[2] == .infinity)
            }
        }
    }

    // MARK: - Epilogues

    /// What an epilogue is given besides the product.
    struct Parts {
        var rowScale, columnScale, rowOffset, columnSum, bias, factor: [Float]?
        var activation = ActivationKernel.none
        var residual: StoredArray?

        func epilogue<Result>(_ product: DenseEpilogue.Product, _ body: (DenseEpilogue) -> Result) -> Result {
            func with(_ values: [Float]?, _ body: (UnsafePointer<Float>?) -> Result) -> Result {
                values.map { $0.withUnsafeBufferPointer { body($0.baseAddress) } } ?? body(nil)
            }
            return with(rowScale) { rowScale in
                with(columnScale) { columnScale in
                    with(rowOffset) { rowOffset in
                        with(columnSum) { columnSum in
                            with(bias) { bias in
                                with(factor) { factor in
                                    var epilogue = DenseEpilogue(product)
                                    (epilogue.rowScale, epilogue.columnScale) = (rowScale, columnScale)
                                    if let rowOffset, let columnSum { epilogue.offset = (rowOffset, columnSum) }
                                    (epilogue.bias, epilogue.factor, epilogue.activation) = (bias, factor, activation)
                                    guard let residual else { return body(epilogue) }
                                    return residual.read {
                                        epilogue.residual = ($0, residual.type)
                                        return body(epilogue)
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }

        /// The definition, in double precision.
        func value(_ product: Double, row: Int, column: Int, columns: Int) -> Double {
            var x = product * Double(rowScale?[row] ?? 1) * Double(columnScale?[column] ?? 1)
            x += Double(rowOffset?[row] ?? 0) * Double(columnSum?[column] ?? 0) + Double(bias?[column] ?? 0)
            switch activation {
            case .none: break
            case .gelu: x *= 0.5 * erfc(-x / 2.0.squareRoot())
            case .relu: x = max(0, x)
            }
            x *= Double(factor?[column] ?? 1)
            return x + Double(residual?.values[row * columns + column] ?? 0)
        }
    }

    /// No parts, the scales and bias of quantised factors, and all parts, with each activation and type of residual.
    static func parts(columns: Int, _ random: inout SampleGenerator) -> [Parts] {
        var result: [Parts] = []
        for activation in ActivationKernel.allCases {
            result.append(Parts(activation: activation))
            result.append(
                Parts(
                    rowScale: random.normals(rows).map { 0.01 * abs($0) },
                    columnScale: random.normals(columns).map { 0.1 * abs($0) }, rowOffset: random.normals(rows),
                    columnSum: random.normals(columns), bias: random.normals(columns), activation: activation))
            for type in ElementType.allCases {
                result.append(
                    Parts(
                        rowScale: random.normals(rows).map { 0.01 * abs($0) },
                        columnScale: random.normals(columns).map { 0.1 * abs($0) }, bias: random.normals(columns),
                        factor: random.normals(columns), activation: activation,
                        residual: StoredArray(random.normals(rows * columns), type)))
            }
        }
        return result
    }

    @Test(
        "an epilogue computes its definition, from sums of either kind", arguments: InstructionSet.available,
        [false, true])
    func epilogues(set: InstructionSet, integer: Bool) {
        var random = SampleGenerator(seed: 47)
        let kernels = HostKernels(set)
        for columns in Self.columns {
            let integers = random.normals(Self.rows * columns).map { Int32($0 * 2000) }
            let floats = random.normals(Self.rows * columns)
            for parts in Self.parts(columns: columns, &random) where !integer || parts.rowScale != nil {
                let expected = (0..<(Self.rows * columns)).map { index in
                    let product = integer ? Double(integers[index]) : Double(floats[index])
                    return Float(parts.value(product, row: index / columns, column: index % columns, columns: columns))
                }
                func run<Result>(_ body: (DenseEpilogue) -> Result) -> Result {
                    integer
                        ? integers.withUnsafeBufferPointer { parts.epilogue(.int32($0.baseAddress!), body) }
                        : floats.withUnsafeBufferPointer { parts.epilogue(.float32($0.baseAddress!), body) }
                }
                for type in ElementType.allCases {
                    var y = StoredArray(expected.map { _ in 0 }, type)
                    run { epilogue in
                        y.write { kernels.finish(epilogue, into: $0, type: type, rows: Self.rows, columns: columns) }
                    }
                    #expect(
                        largestDifference(y.values, expected) <= LoopTests.tolerance(type),
                        "\(set) \(type) \(columns) \(parts.activation)")
                }
                // Quantised: the same numbers, to half a step and what the bfloat16 form of GELU leaves.
                var values = [Float](repeating: 0, count: columns)
                var quantized = [Int8](repeating: 0, count: Self.rows * columns)
                var scales = [Float](repeating: 0, count: Self.rows)
                var offsets = scales
                run {
                    kernels.finish(
                        $0, values: &values, quantizedInto: &quantized, scale: &scales, offset: &offsets,
                        rows: Self.rows, columns: columns)
                }
                for index in expected.indices {
                    let step = scales[index / columns]
                    let back = Float(quantized[index]) * step + offsets[index / columns]
                    #expect(
                        abs(back - expected[index]) <= 0.501 * step + 2e-4, "\(set) \(columns) \(parts.activation)")
                }
            }
        }
    }

    @Test("behind an activation the steps are half as large", arguments: InstructionSet.available)
    func offsets(set: InstructionSet) {
        let columns = 384
        var random = SampleGenerator(seed: 59)
        let product = random.normals(Self.rows * columns).map { $0 * 3 }
        func scales(_ activation: ActivationKernel) -> (scales: [Float], offsets: [Float]) {
            var values = [Float](repeating: 0, count: columns)
            var quantized = [Int8](repeating: 0, count: product.count)
            var (scales, offsets) = ([Float](repeating: 0, count: Self.rows), [Float](repeating: 0, count: Self.rows))
            product.withUnsafeBufferPointer { product in
                Parts(activation: activation).epilogue(.float32(product.baseAddress!)) {
                    HostKernels(set).finish(
                        $0, values: &values, quantizedInto: &quantized, scale: &scales, offset: &offsets,
                        rows: Self.rows, columns: columns)
                }
            }
            return (scales, offsets)
        }
        let (none, relu) = (scales(.none), scales(.relu))
        #expect(none.offsets.allSatisfy { $0 == 0 } && relu.offsets.allSatisfy { $0 > 0 })
        for row in 0..<Self.rows {
            let highest = product[(row * columns)..<((row + 1) * columns)].max()!
            #expect(abs(relu.scales[row] - highest / 254) < 1e-6 * highest)
        }
    }

    @Test("a result may take the place of the sums", arguments: InstructionSet.available)
    func inPlace(set: InstructionSet) {
        let columns = 19
        var random = SampleGenerator(seed: 53)
        let product = random.normals(Self.rows * columns)
        let parts = Self.parts(columns: columns, &random).last!
        var apart = [Float](repeating: 0, count: product.count)
        var sums = product
        product.withUnsafeBufferPointer { product in
            parts.epilogue(.float32(product.baseAddress!)) {
                HostKernels(set).finish($0, into: &apart, type: .float32, rows: Self.rows, columns: columns)
            }
        }
        sums.withUnsafeMutableBufferPointer { sums in
            parts.epilogue(.float32(sums.baseAddress!)) {
                HostKernels(set).finish(
                    $0, into: sums.baseAddress!, type: .float32, rows: Self.rows, columns: columns)
            }
        }
        #expect(sums == apart)
    }
}
