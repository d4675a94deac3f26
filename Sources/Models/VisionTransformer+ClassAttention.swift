import Foundation
import Kernels
public import Tensors

extension VisionTransformer {
    /// What the class token attends to in the last block: the mean of its heads' weights of the patches, row by row, which with
    /// those of class and register tokens sum to 1.
    ///
    /// - Parameter image: (1, C, H, W), normalised as in training.
    public func classAttention(of image: Tensor, _ execution: Execution = Execution()) -> [Float] {
        precondition(image.shape[0] == 1, "[classAttention] expected one image, got \(image.shape)")
        var execution = execution
        execution.order = .rows
        let patches = positioned(image, execution)
        var x = Tensor.concat(prefixTokens(batch: 1) + [patches], axis: 1)
        let layout = TokenLayout(
            leadingTokens: configuration.prefixCount, gridWidth: image.shape[3] / configuration.patchSize,
            order: .rows)
        for block in blocks.dropLast() { x = block(x, layout: layout, execution) }
        let last = blocks[blocks.count - 1]
        let qkv = x.dense(
            [last.attention.qkv.layer(norm: last.norm1)], precision: execution.precision, output: .float32
        )
        .floats()
        let (tokens, width, heads) = (x.shape[1], configuration.width, configuration.heads)
        let headWidth = width / heads
        var weights = [Float](repeating: 0, count: tokens)
        for head in 0..<heads {
            let scores = (0..<tokens).map { token in
                (0..<headWidth).reduce(Float(0)) {
                    $0 + qkv[head * headWidth + $1] * qkv[token * 3 * width + width + head * headWidth + $1]
                } / Float(headWidth).squareRoot()
            }
            let highest = scores.max() ?? 0
            let exponentials = scores.map { exp($0 - highest) }
            let sum = exponentials.reduce(0, +)
            for token in 0..<tokens { weights[token] += exponentials[token] / (sum * Float(heads)) }
        }
        return Array(weights.dropFirst(configuration.prefixCount))
    }
}
