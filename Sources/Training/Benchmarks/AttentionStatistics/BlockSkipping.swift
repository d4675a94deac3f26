package import Tensors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What skipping key blocks under one threshold saves and costs, over rows.
package struct SkippingTally: Sendable {
    var rows = 0
    /// Pairs of a query and a key, and those of them that were skipped.
    var pairs = 0
    package var skippedPairs = 0
    /// Rows whose kept sum failed the guard: a kernel computes them again without skipping.
    var fallbackRows = 0
    /// Certified bound of the error, and the error, as shares of a channel's range of values; the largest over channels.
    var boundSum = 0.0
    package var boundMaximum = 0.0
    var errorSum = 0.0
    package var errorMaximum = 0.0
    /// Rows whose error is above the bound.
    package var violations = 0
    var squaredError = 0.0
    var squaredNorm = 0.0

    static func += (a: inout SkippingTally, b: SkippingTally) {
        a.rows += b.rows
        a.pairs += b.pairs
        a.skippedPairs += b.skippedPairs
        a.fallbackRows += b.fallbackRows
        a.boundSum += b.boundSum
        a.boundMaximum = max(a.boundMaximum, b.boundMaximum)
        a.errorSum += b.errorSum
        a.errorMaximum = max(a.errorMaximum, b.errorMaximum)
        a.violations += b.violations
        a.squaredError += b.squaredError
        a.squaredNorm += b.squaredNorm
    }
}

/// Exponentials of a tile's scores, summed block by block, relative to each row's true maximum M.
package struct BlockSums {
    /// Groups of each block; the first ``priorityCount`` blocks make up the priority tile.
    let blocks: [[Int]]
    let priorityCount: Int
    /// Keys of each block.
    let keyCounts: [Int]
    /// (blocks, rows): the largest score of the block.
    let maxima: [[Float]]
    /// (blocks, rows): Σ 2^(s − M)
    let sums: [Float]
    /// (blocks, rows, width): Σ 2^(s − M) v
    let products: [Float]

    package init(_ tile: ScoreTile, values: [Float], width: Int, groupsPerBlock: Int, backend: any Backend) {
        let parts = tile.blocks(priorityFirst: true, groupsPerBlock: groupsPerBlock)
        let priority = stride(from: 0, to: parts[0].count, by: groupsPerBlock).map {
            Array(parts[0][$0..<min($0 + groupsPerBlock, parts[0].count)])
        }
        blocks = priority + parts.dropFirst()
        priorityCount = priority.count
        keyCounts = blocks.map { tile.keyCount($0) }
        maxima = blocks.map { tile.maxima(over: $0) }

        let (rows, keys, size) = (tile.rows, tile.keys, groupsPerBlock * tile.groupSize)
        var weights = [Float](repeating: 0, count: blocks.count * rows * size)
        var gathered = [Float](repeating: 0, count: blocks.count * size * width)
        var sums = [Float](repeating: 0, count: blocks.count * rows)
        for (block, groups) in blocks.enumerated() {
            for (slot, group) in groups.enumerated() {
                for key in (group * tile.groupSize)..<min((group + 1) * tile.groupSize, keys) {
                    let place = slot * tile.groupSize + key - group * tile.groupSize
                    for channel in 0..<width {
                        gathered[(block * size + place) * width + channel] = values[key * width + channel]
                    }
                    for row in 0..<rows {
                        let weight = exp2f(tile.scores[row * keys + key] - tile.maxima[row])
                        weights[(block * rows + row) * size + place] = weight
                        sums[block * rows + row] += weight
                    }
                }
            }
        }
        self.sums = sums
        products = Tensor(weights, shape: [blocks.count, rows, size], on: backend)
            .matmul(Tensor(gathered, shape: [blocks.count, size, width], on: backend)).floats()
    }

    /// Each row's Σ 2^(s − M) over all keys.
    func rowSums(rows: Int) -> [Double] {
        (0..<rows).map { row in blocks.indices.reduce(0) { $0 + Double(sums[$1 * rows + row]) } }
    }

    /// Skips blocks as VSA does (BLASST's rule, arXiv 2512.12087, with a frozen maximum): after the priority tile, a block is
    /// left out for all queries of the tile if for every row its largest score lies more than −log₂ λ below the row's frozen
    /// maximum m.
    ///
    /// The certificate is c = min(n λ, e) / l with n the keys skipped, e the sum of |block| 2^(block maximum − m) over the
    /// skipped blocks and l the sum kept: each channel of the row is wrong by at most c / (1 + c) of the range of its values.
    /// - Parameters:
    ///   - frozen: m of each row.
    ///   - logThresholds: log₂ λ, falling.
    ///   - ranges: largest minus smallest value of each channel.
    /// - Returns: A tally for each threshold.
    package func skipping(_ tile: ScoreTile, frozen: [Float], logThresholds: [Double], ranges: [Float])
        -> [SkippingTally]
    {
        let (rows, width) = (tile.rows, ranges.count)
        var tallies = logThresholds.map { _ in SkippingTally() }
        // For each block the margin of the row that needs it most.
        let margins = maxima.map { maxima in (0..<rows).reduce(-Float.infinity) { max($0, maxima[$1] - frozen[$1]) } }
        let candidates = (priorityCount..<blocks.count).sorted { margins[$0] > margins[$1] }
        var kept = logThresholds.map { threshold in candidates.count { Double(margins[$0]) >= threshold } }
        kept.append(candidates.count)
        let guardSum = Double(tile.keys) * 0x1p-102

        for row in 0..<rows {
            // 2^(m − M): what turns sums relative to m into sums relative to M.
            let shift = exp2(Double(frozen[row] - tile.maxima[row]))
            var sum = 0.0
            var product = [Double](repeating: 0, count: width)
            func add(_ block: Int) {
                sum += Double(sums[block * rows + row])
                let start = (block * rows + row) * width
                for channel in 0..<width { product[channel] += Double(products[start + channel]) }
            }
            for block in 0..<priorityCount { add(block) }
            // Σ |block| 2^(block maximum − M) over the blocks from each place of `candidates` on.
            var tails = [0.0]
            var keyTails = [0]
            for block in candidates.reversed() {
                tails.append(
                    tails.last! + Double(keyCounts[block]) * exp2(Double(maxima[block][row] - tile.maxima[row])))
                keyTails.append(keyTails.last! + keyCounts[block])
            }
            var outputs: [(sum: Double, output: [Double])] = []
            var added = 0
            for count in kept {
                while added < count {
                    add(candidates[added])
                    added += 1
                }
                outputs.append((sum, product.map { $0 / sum }))
            }
            let truth = outputs.last!.output
            let norm = truth.reduce(0) { $0 + $1 * $1 }
            for (index, logThreshold) in logThresholds.enumerated() {
                let skipped = keyTails[candidates.count - kept[index]]
                tallies[index].rows += 1
                tallies[index].pairs += tile.keys
                tallies[index].squaredNorm += norm
                if outputs[index].sum / shift < guardSum {
                    tallies[index].fallbackRows += 1
                    continue
                }
                tallies[index].skippedPairs += skipped
                let missing = min(
                    Double(skipped) * exp2(logThreshold) * shift, tails[candidates.count - kept[index]])
                let certificate = missing / outputs[index].sum
                let bound = certificate / (1 + certificate)
                var error = 0.0
                for channel in 0..<width {
                    let difference = abs(outputs[index].output[channel] - truth[channel])
                    tallies[index].squaredError += difference * difference
                    error = max(error, difference / Double(max(ranges[channel], .leastNormalMagnitude)))
                }
                tallies[index].boundSum += bound
                tallies[index].boundMaximum = max(tallies[index].boundMaximum, bound)
                tallies[index].errorSum += error
                tallies[index].errorMaximum = max(tallies[index].errorMaximum, error)
                // The products are rounded to float32.
                if error > bound * (1 + 1e-5) { tallies[index].violations += 1 }
            }
        }
        return tallies
    }
}

/// Largest minus smallest value of each channel of (tokens, width) values.
func channelRanges(_ values: [Float], width: Int) -> [Float] {
    (0..<width).map { channel in
        let column = stride(from: channel, to: values.count, by: width).map { values[$0] }
        return (column.max() ?? 0) - (column.min() ?? 0)
    }
}
