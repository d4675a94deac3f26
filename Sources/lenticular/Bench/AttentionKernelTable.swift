import Foundation
import Training

/// What the attention kernels did with real queries, keys and values, as a table.
struct AttentionKernelTable {
    let rows: [AttentionKernelStudy.Row]

    func print() {
        let table = TextTable([
            .init("products", 12), .init("algorithm", 9), .init("tokens in", 9), .init("λ", 6, right: true),
            .init("fallback", 8, right: true), .init("redone", 8, right: true), .init("skipped", 8, right: true),
            .init("error", 8, right: true), .init("worst row", 9, right: true),
            .init("certificate", 11, right: true), .init("max", 8, right: true),
            .init("channel error", 13, right: true), .init("max", 8, right: true),
            .init("GFLOP/s", 8, right: true), .init("of FA2", 6, right: true),
        ])
        Swift.print(table.head)
        for row in rows where row.layer == nil {
            let certified = [
                row.certificateMean, row.certificateMaximum, row.channelErrorMean, row.channelErrorMaximum,
            ]
            Swift.print(
                table.row(
                    [
                        row.products, row.algorithm, row.order.rawValue, row.skipThreshold.map { scientific($0) } ?? "",
                        percent(row.fallbackShare), percent(row.redoneShare), percent(row.skippedShare),
                        scientific(row.relativeError), scientific(row.errorMaximum),
                    ] + certified.map { $0.map { scientific($0) } ?? "" }
                        + [fixed(row.gigaflops, 0), fixed(row.ratioToFA2, 2)]))
        }
    }

    private func percent(_ share: Double) -> String { fixed(100 * share, 2) + " %" }

    private func scientific(_ value: Double) -> String { value == 0 ? "0" : String(format: "%.1e", value) }
}
