import Foundation
import Tensors

extension OperationCase {
    static let all: [OperationCase] = products + functions + arithmetic + layout + normalization + images + losses

    static let products: [OperationCase] = [
        OperationCase(name: "linear", shapes: [[3, 5, 7], [4, 7], [4]]) {
            $0[0].linear($0[1], bias: $0[2])
        } reference: {
            Reference.linear($0[0], $0[1], $0[2])
        },
        OperationCase(name: "linear without bias", shapes: [[33, 65], [17, 65]]) {
            $0[0].linear($0[1])
        } reference: {
            Reference.linear($0[0], $0[1], nil)
        },
        OperationCase(name: "linear, GELU, residual", shapes: [[3, 5, 7], [4, 7], [4], [3, 5, 4]]) {
            $0[0].linear($0[1], bias: $0[2], activation: .gelu, residual: $0[3])
        } reference: {
            Reference.linear($0[0], $0[1], $0[2]).map(Reference.gelu) + $0[3]
        },
        OperationCase(name: "linear, residual", shapes: [[6, 8], [5, 8], [5], [6, 5]]) {
            $0[0].linear($0[1], bias: $0[2], residual: $0[3])
        } reference: {
            Reference.linear($0[0], $0[1], $0[2]) + $0[3]
        },
        OperationCase(name: "linear, ReLU", shapes: [[6, 8], [5, 8], [5]]) {
            $0[0].linear($0[1], bias: $0[2], activation: .relu)
        } reference: {
            Reference.linear($0[0], $0[1], $0[2]).map { max($0, 0) }
        },
        OperationCase(name: "matmul", shapes: [[3, 5], [5, 4]]) {
            $0[0].matmul($0[1])
        } reference: {
            Reference.matmul($0[0], $0[1])
        },
        OperationCase(name: "matmul, batched", shapes: [[2, 3, 4, 5], [2, 3, 5, 6]]) {
            $0[0].matmul($0[1])
        } reference: {
            Reference.matmul($0[0], $0[1])
        },
        OperationCase(name: "matmul AᵀB", shapes: [[2, 5, 3], [2, 5, 4]]) {
            $0[0].matmul($0[1], transposingSelf: true)
        } reference: {
            Reference.matmul(Reference.transposed($0[0]), $0[1])
        },
        OperationCase(name: "matmul ABᵀ", shapes: [[2, 3, 5], [2, 4, 5]]) {
            $0[0].matmul($0[1], transposingOther: true)
        } reference: {
            Reference.matmul($0[0], Reference.transposed($0[1]))
        },
        OperationCase(name: "matmul AᵀBᵀ", shapes: [[5, 3], [4, 5]]) {
            $0[0].matmul($0[1], transposingSelf: true, transposingOther: true)
        } reference: {
            Reference.matmul(Reference.transposed($0[0]), Reference.transposed($0[1]))
        },
        OperationCase(name: "matmul, one matrix for the batch", shapes: [[2, 3, 5], [5, 4]]) {
            $0[0].matmul($0[1])
        } reference: {
            Reference.matmul($0[0].reshape([6, 5]), $0[1]).reshape([2, 3, 4])
        },
        OperationCase(name: "attention", shapes: [[2, 7, 3, 2, 32]]) {
            $0[0].attention(heads: 2)
        } reference: {
            Reference.attention($0[0])
        },
        OperationCase(name: "attention, FlashAttention-2, one head", shapes: [[1, 19, 3, 1, 48]]) {
            $0[0].reshape([1, 19, 144]).attention(heads: 1, variant: .fa2)
        } reference: {
            Reference.attention($0[0])
        },
        OperationCase(name: "attention of the first tokens", shapes: [[2, 7, 3, 2, 16]]) {
            $0[0].attention(heads: 2, queries: 3)
        } reference: {
            let all = Reference.attention($0[0])
            return Dense([all.shape[0], 3, all.shape[2]]) { all[$0] }
        },
        OperationCase(name: "attention, naive", shapes: [[2, 5, 3, 2, 8]]) {
            $0[0].attention(heads: 2, variant: .naive)
        } reference: {
            Reference.attention($0[0])
        },
    ]

    static let functions: [OperationCase] = [
        function("gelu", { $0.gelu() }, Reference.gelu),
        function("relu", { $0.relu() }, { max($0, 0) }),
        function("sigmoid", { $0.sigmoid() }, { 1 / (1 + Foundation.exp(-$0)) }),
        function("softplus", { $0.softplus() }, { Foundation.log(1 + Foundation.exp($0)) }),
        function("tanh", { $0.tanh() }, Foundation.tanh),
        function("exp", { $0.exp() }, Foundation.exp),
        function("log", { $0.log() }, Foundation.log, domain: { Swift.abs($0) + 0.2 }),
        function("sqrt", { $0.sqrt() }, { $0.squareRoot() }, domain: { Swift.abs($0) + 0.2 }),
        function("square", { $0.square() }, { $0 * $0 }),
        function("abs", { $0.abs() }, { Swift.abs($0) }),
        function("reciprocal", { $0.reciprocal() }, { 1 / $0 }, domain: { Swift.abs($0) + 0.3 }),
        function("logGamma", { $0.logGamma() }, { lgamma($0) }, domain: { Swift.abs($0) * 4 + 0.2 }),
        function("huber", { $0.huber() }, Reference.huber),
        function("affine", { 3 - $0 * 2 }, { 3 - $0 * 2 }),
    ]

    private static func function(
        _ name: String, _ operation: @escaping @Sendable (Tensor) -> Tensor,
        _ reference: @escaping @Sendable (Double) -> Double, domain: @escaping @Sendable (Double) -> Double = { $0 }
    ) -> OperationCase {
        OperationCase(name: name, shapes: [[5, 7]], domain: domain) {
            operation($0[0])
        } reference: {
            $0[0].map(reference)
        }
    }

    static let arithmetic: [OperationCase] = [
        OperationCase(name: "a + b", shapes: [[3, 4], [3, 4]]) {
            $0[0] + $0[1]
        } reference: {
            $0[0] + $0[1]
        },
        OperationCase(name: "a + row", shapes: [[2, 3, 4], [4]]) {
            $0[0] + $0[1]
        } reference: {
            $0[0] + $0[1]
        },
        OperationCase(name: "a − column", shapes: [[2, 3, 4], [3, 1]]) {
            $0[0] - $0[1]
        } reference: {
            $0[0] - $0[1]
        },
        OperationCase(name: "row · column", shapes: [[1, 4], [3, 1]]) {
            $0[0] * $0[1]
        } reference: {
            $0[0] * $0[1]
        },
        OperationCase(name: "middle axis", shapes: [[2, 3, 4], [2, 1, 4]]) {
            $0[0] * $0[1]
        } reference: {
            $0[0] * $0[1]
        },
        OperationCase(name: "scalar", shapes: [[2, 3], []]) {
            $0[0] * $0[1]
        } reference: {
            $0[0] * $0[1]
        },
        OperationCase(name: "a / b", shapes: [[3, 4], [1, 4]], domain: { Swift.abs($0) + 0.5 }) {
            $0[0] / $0[1]
        } reference: {
            Dense.broadcasting($0[0], $0[1], /)
        },
        OperationCase(name: "used twice", shapes: [[3, 4]]) {
            $0[0] * $0[0] + $0[0]
        } reference: {
            $0[0] * $0[0] + $0[0]
        },
        OperationCase(name: "broadcast", shapes: [[1, 4]]) {
            $0[0].broadcast(to: [2, 3, 4])
        } reference: {
            Dense.broadcasting($0[0], Dense([2, 3, 4]) { _ in 0 }, +)
        },
        OperationCase(name: "sum", shapes: [[2, 3, 4]]) {
            $0[0].sum()
        } reference: {
            $0[0].reduce([0, 1, 2]) { $0.reduce(0, +) }.reshape([])
        },
        OperationCase(name: "sum of outer axes", shapes: [[2, 3, 4, 2]]) {
            $0[0].sum(axes: [0, 2])
        } reference: {
            $0[0].reduce([0, 2]) { $0.reduce(0, +) }.reshape([3, 2])
        },
        OperationCase(name: "mean around an axis", shapes: [[2, 3, 4, 5]]) {
            $0[0].mean(axes: [0, 2, 3])
        } reference: {
            $0[0].reduce([0, 2, 3]) { $0.reduce(0, +) / 40 }.reshape([3])
        },
        OperationCase(name: "mean of an axis", shapes: [[2, 3, 4]]) {
            $0[0].mean(axes: [1], keepingAxes: true)
        } reference: {
            $0[0].reduce([1]) { $0.reduce(0, +) / 3 }
        },
        OperationCase(name: "mean of the last axes", shapes: [[2, 3, 4]]) {
            $0[0].mean(axes: [-1, -2])
        } reference: {
            $0[0].reduce([1, 2]) { $0.reduce(0, +) / 12 }.reshape([2])
        },
        OperationCase(name: "max", shapes: [[2, 3, 4]]) {
            $0[0].max(axes: [1])
        } reference: {
            $0[0].reduce([1]) { $0.max()! }.reshape([2, 4])
        },
        OperationCase(name: "max of the last axis", shapes: [[2, 3, 4]]) {
            $0[0].max(axes: [2])
        } reference: {
            $0[0].reduce([2]) { $0.max()! }.reshape([2, 3])
        },
    ]

    static let layout: [OperationCase] = [
        OperationCase(name: "reshape", shapes: [[2, 3, 4]]) {
            $0[0].reshape([4, -1])
        } reference: {
            $0[0].reshape([4, 6])
        },
        OperationCase(name: "permute", shapes: [[2, 3, 4, 5]]) {
            $0[0].permute([2, 0, 3, 1])
        } reference: {
            $0[0].permute([2, 0, 3, 1])
        },
        OperationCase(name: "permute heads", shapes: [[2, 3, 4, 5]]) {
            $0[0].permute([0, 2, 1, 3])
        } reference: {
            $0[0].permute([0, 2, 1, 3])
        },
        OperationCase(name: "permute with a unit axis", shapes: [[2, 1, 4, 5]]) {
            $0[0].permute([1, 3, 0, 2])
        } reference: {
            $0[0].permute([1, 3, 0, 2])
        },
        OperationCase(name: "transpose", shapes: [[2, 3, 4]]) {
            $0[0].transpose()
        } reference: {
            Reference.transposed($0[0])
        },
        OperationCase(name: "slice", shapes: [[2, 5, 4]]) {
            $0[0].slice(axis: 1, 1..<4)
        } reference: { inputs in
            Dense([2, 3, 4]) { inputs[0][$0[0], $0[1] + 1, $0[2]] }
        },
        OperationCase(name: "slice of the last axis", shapes: [[2, 5, 4]]) {
            $0[0].slice(axis: -1, 2..<3)
        } reference: {
            inputs in
            Dense([2, 5, 1]) { inputs[0][$0[0], $0[1], 2] }
        },
        OperationCase(name: "concat", shapes: [[2, 1, 4], [2, 3, 4]]) {
            Tensor.concat([$0[0], $0[1]], axis: 1)
        } reference: { inputs in
            Dense([2, 4, 4]) { $0[1] == 0 ? inputs[0][$0[0], 0, $0[2]] : inputs[1][$0[0], $0[1] - 1, $0[2]] }
        },
        OperationCase(name: "concat of last axes", shapes: [[3, 2], [3, 4]]) {
            Tensor.concat([$0[0], $0[1]], axis: -1)
        } reference: { inputs in
            Dense([3, 6]) { $0[1] < 2 ? inputs[0][$0[0], $0[1]] : inputs[1][$0[0], $0[1] - 2] }
        },
        OperationCase(name: "gather rows", shapes: [[4, 3]]) {
            $0[0].gather(rows: Tensor(indices: [2, 0, 2], shape: [3], on: $0[0].backend))
        } reference: { inputs in
            Dense([3, 3]) { inputs[0][[2, 0, 2][$0[0]], $0[1]] }
        },
        OperationCase(name: "gather tokens", shapes: [[2, 4, 3]]) {
            $0[0].gatherTokens(Tensor(indices: [2, 0, 3, 3], shape: [2, 2], on: $0[0].backend))
        } reference: { inputs in
            Dense([2, 2, 3]) { inputs[0][$0[0], [2, 0, 3, 3][$0[0] * 2 + $0[1]], $0[2]] }
        },
        OperationCase(name: "scatter tokens", shapes: [[2, 2, 3]]) {
            $0[0].scatterTokens(Tensor(indices: [2, 0, 3, 3], shape: [2, 2], on: $0[0].backend), count: 4)
        } reference: { inputs in
            var out = Dense([2, 4, 3]) { _ in 0 }
            for i in Dense.allIndices([2, 2, 3]) { out[[i[0], [2, 0, 3, 3][i[0] * 2 + i[1]], i[2]]] += inputs[0][i] }
            return out
        },
        OperationCase(name: "patchify", shapes: [[2, 3, 4, 6]]) {
            $0[0].patchify(2)
        } reference: { inputs in
            Dense([2, 6, 12]) { i in
                let (row, column, channel) = (i[1] / 3, i[1] % 3, i[2] / 4)
                return inputs[0][i[0], channel, row * 2 + i[2] % 4 / 2, column * 2 + i[2] % 2]
            }
        },
        OperationCase(name: "unpatchify", shapes: [[2, 3, 4, 6]]) {
            $0[0].patchify(2).unpatchify(2, channels: 3, height: 4, width: 6)
        } reference: {
            $0[0]
        },
        OperationCase(name: "pixelShuffle", shapes: [[1, 8, 2, 3]]) {
            $0[0].pixelShuffle(2)
        } reference: { inputs in
            Dense([1, 2, 4, 6]) { i in
                inputs[0][0, i[1] * 4 + i[2] % 2 * 2 + i[3] % 2, i[2] / 2, i[3] / 2]
            }
        },
        OperationCase(name: "copy and cast", shapes: [[3, 4]], inBFloat16: false) {
            $0[0].copy().cast(to: .float32)
        } reference: {
            $0[0]
        },
    ]

    static let normalization: [OperationCase] = [
        OperationCase(name: "layerNorm", shapes: [[3, 5, 20], [20], [20]], inBFloat16: false) {
            $0[0].layerNorm(weight: $0[1], bias: $0[2], epsilon: 1e-5)
        } reference: {
            Reference.layerNorm($0[0], $0[1], $0[2], epsilon: 1e-5)
        },
        OperationCase(name: "layerNorm without parameters", shapes: [[4, 37]]) {
            $0[0].layerNorm(weight: nil, bias: nil, epsilon: 1e-6)
        } reference: {
            Reference.layerNorm($0[0], nil, nil, epsilon: 1e-6)
        },
        OperationCase(name: "batchNorm, training", shapes: [[3, 2, 2, 3], [2], [2]], inBFloat16: false) {
            let backend = $0[0].backend
            return $0[0].batchNorm(
                weight: $0[1], bias: $0[2], runningMean: .zeros([2], on: backend),
                runningVariance: .ones([2], on: backend))
        } reference: { inputs in
            let mean = inputs[0].reduce([0, 2, 3]) { $0.reduce(0, +) / 18 }
            let centred = inputs[0] - mean
            let deviation = (centred * centred).reduce([0, 2, 3]) { ($0.reduce(0, +) / 18 + 1e-5).squareRoot() }
            return Dense.broadcasting(centred, deviation, /) * inputs[1].reshape([2, 1, 1])
                + inputs[2].reshape([2, 1, 1])
        },
        OperationCase(
            name: "batchNorm, inference", shapes: [[3, 2, 4], [2], [2], [2], [2]], domain: { Swift.abs($0) + 0.1 },
            inBFloat16: false
        ) {
            $0[0].batchNorm(weight: $0[1], bias: $0[2], mean: $0[3], variance: $0[4])
        } reference: { inputs in
            Dense([3, 2, 4]) { i in
                let c = i[1]
                return (inputs[0][i] - inputs[3][c]) / (inputs[4][c] + 1e-5).squareRoot() * inputs[1][c] + inputs[2][c]
            }
        },
        OperationCase(name: "softmax", shapes: [[3, 5, 7]]) {
            $0[0].softmax()
        } reference: {
            $0[0].rows(Reference.softmax)
        },
        OperationCase(name: "logSoftmax", shapes: [[3, 5, 7]]) {
            $0[0].logSoftmax()
        } reference: {
            $0[0].rows { Reference.softmax($0).map { Foundation.log($0) } }
        },
    ]

    static let images: [OperationCase] = [
        OperationCase(name: "conv2d", shapes: [[2, 3, 6, 7], [4, 3, 3, 3], [4]]) {
            $0[0].conv2d($0[1], bias: $0[2], padding: 1)
        } reference: {
            Reference.conv2d($0[0], $0[1], $0[2], stride: 1, padding: 1)
        },
        OperationCase(name: "conv2d, stride 2", shapes: [[2, 3, 8, 7], [5, 3, 3, 2]]) {
            $0[0].conv2d($0[1], stride: 2, padding: 1)
        } reference: {
            Reference.conv2d($0[0], $0[1], nil, stride: 2, padding: 1)
        },
        OperationCase(name: "conv2d, patches", shapes: [[2, 3, 8, 8], [6, 3, 4, 4], [6]]) {
            $0[0].conv2d($0[1], bias: $0[2], stride: 4)
        } reference: {
            Reference.conv2d($0[0], $0[1], $0[2], stride: 4, padding: 0)
        },
        OperationCase(name: "conv2d with ReLU, twice", shapes: [[2, 3, 6, 5], [16, 3, 3, 3], [16], [4, 16, 3, 3]]) {
            $0[0].conv2d($0[1], bias: $0[2], padding: 1, activation: .relu).conv2d($0[3], padding: 1)
        } reference: {
            let inner = Reference.conv2d($0[0], $0[1], $0[2], stride: 1, padding: 1).map { max($0, 0) }
            return Reference.conv2d(inner, $0[3], nil, stride: 1, padding: 1)
        },
        OperationCase(name: "conv2d with GELU", shapes: [[1, 2, 4, 4], [3, 2, 3, 3]]) {
            $0[0].conv2d($0[1], padding: 1, activation: .gelu)
        } reference: {
            Reference.conv2d($0[0], $0[1], nil, stride: 1, padding: 1).map {
                $0 * 0.5 * (1 + Foundation.erf($0 / 2.0.squareRoot()))
            }
        },
        OperationCase(name: "convTransposed2d", shapes: [[2, 3, 4, 5], [3, 4, 3, 3], [4]]) {
            $0[0].convTransposed2d($0[1], bias: $0[2], stride: 2, padding: 1, outputPadding: 1)
        } reference: {
            Reference.convTransposed2d($0[0], $0[1], $0[2], stride: 2, padding: 1, outputPadding: 1)
        },
        OperationCase(name: "convTransposed2d, stride 1", shapes: [[1, 2, 4, 5], [2, 3, 2, 2]]) {
            $0[0].convTransposed2d($0[1])
        } reference: {
            Reference.convTransposed2d($0[0], $0[1], nil, stride: 1, padding: 0, outputPadding: 0)
        },
        OperationCase(name: "maxPool2d", shapes: [[2, 3, 6, 7]]) {
            $0[0].maxPool2d(3, stride: 2, padding: 1)
        } reference: {
            Reference.pool($0[0], window: 3, stride: 2, padding: 1) { $0.max()! }
        },
        OperationCase(name: "averagePool2d", shapes: [[2, 3, 6, 7]]) {
            $0[0].averagePool2d(3, stride: 2, padding: 1)
        } reference: {
            Reference.pool($0[0], window: 3, stride: 2, padding: 1) { $0.reduce(0, +) / Double($0.count) }
        },
        OperationCase(name: "maxPool2d, quads", shapes: [[2, 3, 6, 7]]) {
            $0[0].maxPool2d(2)
        } reference: {
            Reference.pool($0[0], window: 2, stride: 2, padding: 0) { $0.max()! }
        },
        OperationCase(name: "averagePool2d, quads", shapes: [[2, 3, 5, 8]]) {
            $0[0].averagePool2d(2)
        } reference: {
            Reference.pool($0[0], window: 2, stride: 2, padding: 0) { $0.reduce(0, +) / Double($0.count) }
        },
        OperationCase(name: "globalAveragePool", shapes: [[2, 3, 4, 5]]) {
            $0[0].globalAveragePool()
        } reference: {
            $0[0].reduce([2, 3]) { $0.reduce(0, +) / 20 }.reshape([2, 3])
        },
        OperationCase(name: "upsample, nearest", shapes: [[2, 3, 4]]) {
            $0[0].upsample(2)
        } reference: { inputs in
            Dense([2, 6, 8]) { inputs[0][$0[0], $0[1] / 2, $0[2] / 2] }
        },
        OperationCase(name: "resize, nearest, by 3 and by 1", shapes: [[2, 2, 3, 4]]) {
            $0[0].resize(height: 9, width: 4, mode: .nearest)
        } reference: { inputs in
            Dense([2, 2, 9, 4]) { inputs[0][$0[0], $0[1], $0[2] / 3, $0[3]] }
        },
        OperationCase(name: "resize, nearest, by 1 and by 3", shapes: [[2, 2, 3, 4]]) {
            $0[0].resize(height: 3, width: 12, mode: .nearest)
        } reference: { inputs in
            Dense([2, 2, 3, 12]) { inputs[0][$0[0], $0[1], $0[2], $0[3] / 3] }
        },
        OperationCase(name: "resize, bilinear", shapes: [[2, 3, 4]]) {
            $0[0].resize(height: 7, width: 3, mode: .bilinear)
        } reference: {
            Reference.resize($0[0], height: 7, width: 3, cubic: false)
        },
        OperationCase(name: "resize, bicubic", shapes: [[1, 2, 5, 4]]) {
            $0[0].resizeBicubic(height: 8, width: 3)
        } reference: {
            Reference.resize($0[0], height: 8, width: 3, cubic: true)
        },
    ]

    static let losses: [OperationCase] = [
        OperationCase(name: "meanSquaredError", shapes: [[4, 3], [4, 3]]) {
            $0[0].meanSquaredError($0[1])
        } reference: {
            mean(($0[0] - $0[1]).map { $0 * $0 })
        },
        OperationCase(
            name: "meanSquaredError, masked", shapes: [[4, 3], [4, 3], [4, 1]], inBFloat16: false, differentiated: 2
        ) {
            $0[0].meanSquaredError($0[1], mask: $0[2].square())
        } reference: {
            weightedMean(($0[0] - $0[1]).map { $0 * $0 }, $0[2].map { $0 * $0 })
        },
        OperationCase(name: "meanAbsoluteError", shapes: [[4, 3], [4, 3]]) {
            $0[0].meanAbsoluteError($0[1])
        } reference: {
            mean(($0[0] - $0[1]).map { Swift.abs($0) })
        },
        OperationCase(name: "huberLoss", shapes: [[4, 3], [4, 3]]) {
            $0[0].huberLoss($0[1], delta: 0.7)
        } reference: {
            mean(($0[0] - $0[1]).map { Reference.huber($0 / 0.7) * 0.49 })
        },
        OperationCase(name: "gaussianNegativeLogLikelihood", shapes: [[4, 3], [4, 3], [4, 3]]) {
            $0[0].gaussianNegativeLogLikelihood($0[1], logVariance: $0[2])
        } reference: { inputs in
            mean(
                Dense([4, 3]) { i in
                    let d = inputs[0][i] - inputs[1][i]
                    return 0.5 * (inputs[2][i] + d * d / Foundation.exp(inputs[2][i]))
                })
        },
        OperationCase(
            name: "maskedPatchError", shapes: [[2, 4, 6], [2, 4, 6]], inBFloat16: false, differentiated: 1
        ) {
            let mask = Tensor([1, 0, 0, 1, 0, 0, 1, 0] as [Float], shape: [2, 4], on: $0[0].backend)
            return $0[0].maskedPatchError($0[1], mask: mask, normalizing: true)
        } reference: { inputs in
            let target = inputs[1].rows { row in
                let mean = row.reduce(0, +) / 6
                let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 5
                return row.map { ($0 - mean) / (variance + 1e-6).squareRoot() }
            }
            let mask = Dense([2, 4, 1], [1, 0, 0, 1, 0, 0, 1, 0])
            return weightedMean((inputs[0] - target).map { $0 * $0 }, mask)
        },
        OperationCase(name: "crossEntropy, smoothed", shapes: [[3, 4]]) {
            $0[0].crossEntropy(labels: Tensor(indices: [1, 3, 0], shape: [3], on: $0[0].backend), smoothing: 0.1)
        } reference: { inputs in
            let logarithms = inputs[0].rows { Reference.softmax($0).map { Foundation.log($0) } }
            let target = Dense([3, 4]) { ([1, 3, 0][$0[0]] == $0[1] ? 0.9 : 0) + 0.1 / 4 }
            return Dense([], [-(logarithms * target).values.reduce(0, +) / 3])
        },
        OperationCase(name: "crossEntropy with probabilities", shapes: [[3, 4]]) {
            $0[0].crossEntropy(
                probabilities: Tensor([Float](repeating: 0.25, count: 12), shape: [3, 4], on: $0[0].backend))
        } reference: {
            let logarithms = $0[0].rows { Reference.softmax($0).map { Foundation.log($0) } }
            return Dense([], [-logarithms.values.reduce(0, +) / 12])
        },
        OperationCase(name: "binaryCrossEntropy", shapes: [[4, 3], [4, 3]]) {
            $0[0].binaryCrossEntropy($0[1])
        } reference: { inputs in
            mean(Dense([4, 3]) { Foundation.log(1 + Foundation.exp(inputs[0][$0])) - inputs[0][$0] * inputs[1][$0] })
        },
        OperationCase(
            name: "dirichletMultinomial", shapes: [[4, 3]], domain: { Swift.abs($0) + 0.5 }, inBFloat16: false
        ) {
            $0[0].dirichletMultinomial(
                counts: Tensor([3, 0, 1, 0, 0, 0, 5, 5, 0, 1, 1, 1] as [Float], shape: [4, 3], on: $0[0].backend))
        } reference: { inputs in
            let counts: [Double] = [3, 0, 1, 0, 0, 0, 5, 5, 0, 1, 1, 1]
            let alpha = inputs[0].values
            let rows = (0..<4).map { row -> Double in
                let range = (row * 3)..<(row * 3 + 3)
                let (a, n) = (alpha[range].reduce(0, +), counts[range].reduce(0, +))
                return lgamma(a) - lgamma(a + n)
                    + range.reduce(0) { $0 + lgamma(alpha[$1] + counts[$1]) - lgamma(alpha[$1]) }
            }
            return Dense([], [-rows.reduce(0, +) / 4])
        },
    ]

    private static func mean(_ x: Dense) -> Dense { Dense([], [x.values.reduce(0, +) / Double(x.values.count)]) }

    private static func weightedMean(_ x: Dense, _ weights: Dense) -> Dense {
        let full = Dense.broadcasting(x, weights) { $1 }
        return Dense([], [(x * full).values.reduce(0, +) / full.values.reduce(0, +)])
    }
}
