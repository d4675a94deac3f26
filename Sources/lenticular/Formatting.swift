import Foundation

/// A number with a fixed number of decimals.
func fixed(_ value: some BinaryFloatingPoint, _ decimals: Int) -> String {
    let text = String(format: "%.\(decimals)f", Double(value))
    // No minus before zero.
    return text.hasPrefix("-") && !text.contains { ("1"..."9").contains($0) } ? String(text.dropFirst()) : text
}

/// A number with five significant digits.
func significant(_ value: some BinaryFloatingPoint) -> String {
    String(format: "%.5g", Double(value))
}
