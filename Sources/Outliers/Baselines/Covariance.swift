import Tensors

/// The covariance matrix of rows, as a product that is computed from them block by block.
struct Covariance {
    private let vectors: VectorSet
    private let rows: [Int]
    private let mean: [Float]
    private let block: Int
    private let backend: CPUBackend

    init(_ vectors: VectorSet, rows: [Int], mean: [Float], block: Int, backend: CPUBackend) {
        self.vectors = vectors
        self.rows = rows
        self.mean = mean
        self.block = block
        self.backend = backend
    }

    /// The product with each of `count` directions, (count, width); sums over blocks are float64.
    func applied(to directions: [Double], count: Int) -> [Double] {
        let width = vectors.width
        let factor = Tensor(directions.map(Float.init), shape: [count, width], on: backend)
        var sums = [Double](repeating: 0, count: count * width)
        for start in stride(from: 0, to: rows.count, by: block) {
            let part = rows[start..<min(start + block, rows.count)]
            let values = [Float](unsafeUninitializedCapacity: part.count * width) { buffer, initialized in
                for (place, row) in part.enumerated() {
                    vectors.withRows(row..<row + 1) {
                        for i in 0..<width { buffer[place * width + i] = $0[i] - mean[i] }
                    }
                }
                initialized = part.count * width
            }
            let tensor = Tensor(values, shape: [part.count, width], on: backend)
            let product = tensor.linear(factor).matmul(tensor, transposingSelf: true).floats()
            for i in sums.indices { sums[i] += Double(product[i]) }
        }
        return sums.map { $0 / Double(rows.count - 1) }
    }
}
