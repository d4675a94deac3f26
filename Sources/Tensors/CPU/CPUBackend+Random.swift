extension CPUBackend {
    public func random(_ distribution: RandomDistribution, key: UInt64, stream: UInt64, into out: Tensor) {
        profiler.measure(.random) {
            var numbers = RandomNumbers(seed: key, stream: stream)
            let (p, count) = (floats(out), out.count)
            switch distribution {
            case .uniform(let low, let high):
                for i in 0..<count { p[i] = numbers.uniform(low, high) }
            case .normal(let mean, let deviation):
                for i in 0..<count { p[i] = mean + deviation * numbers.normal() }
            case .truncatedNormal(let mean, let deviation):
                for i in 0..<count { p[i] = mean + deviation * numbers.truncatedNormal() }
            case .dropout(let keep):
                let scale = 1 / keep
                for i in 0..<count { p[i] = numbers.uniform() < keep ? scale : 0 }
            }
        }
    }
}
