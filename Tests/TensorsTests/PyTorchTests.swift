import Tensors
import Testing

/// What PyTorch computed for the same numbers (scripts/fixtures/tensors.py).
struct PyTorchTests {
    let backend = CPUBackend()

    private func expectClose(_ got: [Float], _ expected: [Float], _ tolerance: Float = 2e-6) {
        #expect(got.count == expected.count)
        for (a, b) in zip(got, expected) { #expect(abs(a - b) <= tolerance * max(1, abs(b))) }
    }

    @Test("Resizing is torch.nn.functional.interpolate with align_corners=False")
    func resizing() {
        let image = Tensor(PyTorchValues.image, shape: [1, 2, 5, 4], on: backend)
        expectClose(image.resizeBicubic(height: 8, width: 3).floats(), PyTorchValues.bicubic8x3)
        expectClose(image.resizeBicubic(height: 14, width: 14).floats(), PyTorchValues.bicubic14x14)
        expectClose(image.resize(height: 7, width: 9, mode: .bilinear).floats(), PyTorchValues.bilinear7x9)
        expectClose(image.resize(height: 7, width: 9, mode: .nearest).floats(), PyTorchValues.nearest7x9)
    }

    @Test("Losses have PyTorch's values")
    func losses() {
        let logits = Tensor(PyTorchValues.logits, shape: [3, 5], on: backend)
        let labels = Tensor(indices: [4, 0, 2], shape: [3], on: backend)
        expectClose(logits.crossEntropy(labels: labels, smoothing: 0.1).floats(), PyTorchValues.crossEntropy)
        expectClose(logits.huberLoss(.zeros([3, 5], on: backend), delta: 0.5).floats(), PyTorchValues.huber)
    }

    @Test("Three AdamW steps end where torch.optim.AdamW ends")
    func adamW() {
        let parameter = Tensor(PyTorchValues.parameter, shape: [6], on: backend)
        let (m, v) = (Tensor.zeros([6], on: backend), Tensor.zeros([6], on: backend))
        for step in 1...3 {
            backend.adamW(
                parameter: parameter, gradient: parameter.square(), firstMoment: m, secondMoment: v,
                step: AdamWStep(learningRate: 0.01, beta1: 0.9, beta2: 0.95, weightDecay: 0.05, step: step))
        }
        expectClose(parameter.floats(), PyTorchValues.parameterAfterAdamW)
    }

    @Test("Batch normalisation in training gives PyTorch's result and running statistics")
    func batchNorm() {
        let (mean, variance) = (Tensor.zeros([2], on: backend), Tensor.ones([2], on: backend))
        let result = Tensor(PyTorchValues.batch, shape: [3, 2, 2, 2], on: backend).batchNorm(
            weight: .ones([2], on: backend), bias: .zeros([2], on: backend), runningMean: mean,
            runningVariance: variance)
        expectClose(result.floats(), PyTorchValues.batchNorm)
        expectClose(mean.floats(), PyTorchValues.runningMean)
        expectClose(variance.floats(), PyTorchValues.runningVariance)
    }
}
