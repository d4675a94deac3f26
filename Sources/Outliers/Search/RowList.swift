/// Rows of a matrix in memory that stays where it is while the list is in use.
struct RowList {
    let base: UnsafePointer<Float>
    let width: Int
    /// Row numbers of the members, or nil for rows 0 ..< count.
    private let members: [Int]?
    let count: Int

    init(base: UnsafePointer<Float>, width: Int, count: Int) {
        self.base = base
        self.width = width
        self.count = count
        members = nil
    }

    init(base: UnsafePointer<Float>, width: Int, members: [Int]) {
        self.base = base
        self.width = width
        self.members = members
        count = members.count
    }

    /// Row number of a member.
    func row(_ position: Int) -> Int { members?[position] ?? position }

    /// The numbers of a member.
    subscript(position: Int) -> UnsafePointer<Float> { base + row(position) * width }

    func isFinite(_ position: Int) -> Bool {
        let numbers = self[position]
        // A product with 0 is 0 for every finite number, and NaN for the others.
        var sum: Float = 0
        for column in 0..<width { sum += numbers[column] * 0 }
        return sum == 0
    }
}
