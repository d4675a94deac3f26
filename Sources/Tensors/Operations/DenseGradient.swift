/// What the gradient of a dense layer needs of the forward pass.
public struct DenseActivations: Sendable {
    /// (rows, K) bfloat16: the left factor of the product.
    let operand: Tensor
    /// (2, rows): mean and 1/deviation of the norm.
    let statistics: Tensor?
    /// (rows, N) bfloat16: the product before the activation, where there is one.
    let preactivation: Tensor?
}

/// Which gradients of dense layers are wanted.
public struct DenseNeeds: Sendable {
    let x: Bool
    /// A layer's weight, bias and norm.
    let layers: [(weight: Bool, bias: Bool, norm: Bool)]
}

/// Gradients of dense layers, nil where not wanted: that of x in its type, those of parameters float32.
public struct DenseGradients {
    /// Of the parameters of one layer, in the shapes of the parameters.
    struct Layer {
        var weight: Tensor?
        var bias: Tensor?
        var normWeight: Tensor?
        var normBias: Tensor?
    }

    var x: Tensor?
    var layers: [Layer]
}

extension Tensor {
    /// Dense layers as one operation of the tape.
    func recordDense(_ layers: [DenseLayer], residual: Tensor?, _ result: Tensor) -> Tensor {
        let kept = backend.keepingDense(layers, self, residual: residual, into: result)
        let x = detached
        let constants = layers.map(\.detached)
        // A block adds what it computed from its input to that input: one gradient, found in one pass.
        let isInput = layers[0].norm != nil && isOnTape && residual?.tapePosition?.index == tapePosition?.index
        let inputs = [self] + (residual.map { isInput ? [] : [$0] } ?? []) + layers.flatMap(\.tensors)
        let residualType = isInput ? nil : residual?.dtype
        return result.recorded(from: inputs) { gradient, needs in
            var position = residualType == nil ? 1 : 2
            func next(_ tensor: Tensor?) -> Bool {
                guard tensor != nil else { return false }
                position += 1
                return needs[position - 1]
            }
            let wanted = constants.map { layer in
                let weight = next(layer.weight)
                let norm = [next(layer.norm?.weight), next(layer.norm?.bias)].contains(true)
                return (weight: weight, bias: next(layer.bias), norm: norm)
            }
            let found = x.backend.denseGradient(
                constants, x, kept: kept, gradient: gradient, adding: isInput,
                needs: DenseNeeds(x: needs[0], layers: wanted))
            var gradients: [Tensor?] = [found.x]
            if let residualType { gradients.append(needs[1] ? gradient.cast(to: residualType) : nil) }
            for (layer, of) in zip(constants, found.layers) {
                gradients.append(of.weight)
                if layer.norm != nil { gradients += [of.normWeight, of.normBias] }
                if layer.bias != nil { gradients.append(of.bias) }
            }
            return gradients
        }
    }
}

extension DenseLayer {
    /// The same layer with its parameters off the tape.
    fileprivate var detached: DenseLayer {
        DenseLayer(
            norm: norm.map { Norm(weight: $0.weight.detached, bias: $0.bias.detached, epsilon: $0.epsilon) },
            weight: weight.detached, bias: bias?.detached, activation: activation, factor: factor?.detached)
    }
}
