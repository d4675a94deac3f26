import Foundation

/// A number with a fixed number of decimals.
func fixed(_ value: some BinaryFloatingPoint, _ decimals: Int) -> String {
    String(format: "%.\(decimals)f", Double(value))
}
