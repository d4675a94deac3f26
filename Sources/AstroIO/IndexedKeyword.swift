/// A keyword with the numbers behind it: `CRVAL2`, `CD1_2`, `PV1_10`, `A_2_0`.
///
/// Headers have thousands of cards, and a regular expression costs some microseconds on each.
struct IndexedKeyword {
    /// What stands before the first digit, or all of it where there is no index or something else follows.
    let stem: Substring
    let first: Int?
    let second: Int?

    init(_ keyword: String) {
        let text = Substring(keyword)
        guard let start = text.utf8.firstIndex(where: Self.isDigit) else {
            (stem, first, second) = (text, nil, nil)
            return
        }
        let tail = text[start...]
        let numbers = tail.split(separator: "_", omittingEmptySubsequences: false)
        let areNumbers = numbers.allSatisfy { !$0.isEmpty && $0.utf8.count < 9 && $0.utf8.allSatisfy(Self.isDigit) }
        guard areNumbers, numbers.count <= 2 else {
            (stem, first, second) = (text, nil, nil)
            return
        }
        stem = text[..<start]
        first = Int(numbers[0])
        second = numbers.count == 2 ? Int(numbers[1]) : nil
    }

    /// Whether it has one number, below 10.
    var hasOneDigit: Bool { second == nil && first.map { $0 < 10 } ?? false }
    /// Whether it has two numbers.
    var isPair: Bool { second != nil }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
