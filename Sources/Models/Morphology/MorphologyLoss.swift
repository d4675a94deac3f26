public import Tensors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension MorphologyTarget {
    /// The mean loss of logits: cross-entropy of classes; logistic loss of the labels that are known; for a tree the negative
    /// log likelihood of the votes under a Dirichlet-multinomial distribution (Walmsley et al. 2022, arXiv 2102.08414,
    /// section 4.1), summed over the questions, without the multinomial coefficient.
    ///
    /// - Parameters:
    ///   - logits: (B, ``outputCount``).
    ///   - labels: B × ``labelWidth`` numbers.
    ///   - smoothing: of classes.
    public func loss(_ logits: Tensor, _ labels: [Float], smoothing: Float = 0) -> Tensor {
        let batch = logits.shape[0]
        precondition(
            labels.count == batch * labelWidth && logits.shape == [batch, outputCount],
            "[morphology loss] expected \(batch) × \(outputCount) logits and \(labelWidth) labels each, got \(logits.shape) and \(labels.count)"
        )
        let backend = logits.backend
        switch self {
        case .classes:
            let classes = Tensor(indices: labels.map { Int32($0) }, shape: [batch], on: backend)
            return logits.crossEntropy(labels: classes, smoothing: smoothing)
        case .labels(let names):
            let known = Tensor(labels.map { $0.isNaN ? 0 : 1 }, shape: [batch, names.count], on: backend)
            let values = Tensor(labels.map { $0.isNaN ? 0 : $0 }, shape: [batch, names.count], on: backend)
            return logits.binaryCrossEntropy(values, mask: known)
        case .tree(let tree):
            let votes = Tensor(labels, shape: [batch, tree.answerCount], on: backend)
            var total: Tensor?
            for (question, range) in tree.answerRanges.enumerated() {
                let scatter = logits.slice(axis: 1, (tree.answerCount + question)..<(tree.answerCount + question + 1))
                let fractions = logits.slice(axis: 1, range).softmax()
                let loss = (fractions * VoteScatter.concentration(scatter) + VoteScatter.floor)
                    .dirichletMultinomial(counts: votes.slice(axis: 1, range))
                total = total.map { $0 + loss } ?? loss
            }
            return total!
        }
    }
}

/// How a logit says by how much votes scatter about the expected fractions: the sum of a question's concentrations.
enum VoteScatter {
    /// Added to every concentration, so that none is 0.
    static let floor: Float = 1e-3
    private static let scale: Float = 10
    private static let least: Float = 0.5

    static func concentration(_ logit: Tensor) -> Tensor { logit.softplus().affine(scale: scale, offset: least) }

    static func concentration(_ logit: Double) -> Double {
        // softplus without overflow.
        Double(least) + Double(scale) * (max(logit, 0) + log1p(exp(-abs(logit))))
    }
}
