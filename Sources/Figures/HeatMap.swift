import Foundation
public import ImageProcessing

/// A matrix as coloured cells with a number in each, such as a confusion matrix.
public struct HeatMap: Sendable {
    public var title: String
    public var xLabel: String
    public var yLabel: String
    public var columns: [String]
    public var rows: [String]
    /// Rows of cells between 0 (white) and 1 (dark).
    public var shades: [[Double]]
    /// What is written in the cells.
    public var texts: [[String]]
    /// Pixels a unit; 2 and more for print.
    public var scale = 1

    public init(
        title: String, xLabel: String, yLabel: String, columns: [String], rows: [String], shades: [[Double]],
        texts: [[String]]
    ) {
        precondition(
            shades.count == rows.count && texts.count == rows.count
                && zip(shades, texts).allSatisfy { $0.count == columns.count && $1.count == columns.count },
            "[HeatMap] expected \(rows.count) × \(columns.count) cells")
        self.title = title
        self.xLabel = xLabel
        self.yLabel = yLabel
        self.columns = columns
        self.rows = rows
        self.shades = shades
        self.texts = texts
    }

    /// A confusion matrix: shades are shares of a row, numbers are counts.
    ///
    /// - Parameter counts: rows: true classes; columns: predicted ones.
    public static func confusion(_ counts: [[Double]], names: [String], title: String) -> HeatMap {
        let shares = counts.map { row in
            let total = max(1, row.reduce(0, +))
            return row.map { $0 / total }
        }
        return HeatMap(
            title: title, xLabel: "predicted", yLabel: "true", columns: names, rows: names, shades: shares,
            texts: counts.map { $0.map { String(Int($0.rounded())) } })
    }

    /// Draws the matrix.
    public func draw() -> RGBImage {
        let measure = Canvas(width: 1, height: 1, background: .white)
        func widest(_ names: [String]) -> Double { names.map { measure.width(of: $0, size: 12) }.max() ?? 0 }
        let texts = texts
        let numbers = texts.flatMap { $0 }.map { measure.width(of: $0, size: 12) }.max() ?? 0
        let side = max(44, min(max(widest(columns) + 12, numbers + 12), 130))
        let labels = min(widest(rows), 220)
        let (left, top) = (50 + labels, 58.0)
        let height = 40.0
        let titleWidth = measure.width(of: title, size: 16, bold: true)
        let canvas = Canvas(
            width: Int(max(left + side * Double(columns.count) + 24, titleWidth + 40)),
            height: Int(top + height * Double(rows.count) + 56), scale: scale, background: .white)
        canvas.text(title, x: 20, y: 30, size: 16, .ink, bold: true)
        for (row, name) in rows.enumerated() {
            let y = top + height * Double(row)
            canvas.text(
                canvas.fitted(name, to: labels, size: 12), x: left - 8, y: y + height / 2 + 4, size: 12, .ink,
                anchor: .right)
            for column in columns.indices {
                let x = left + side * Double(column)
                let shade = min(max(shades[row][column], 0), 1)
                canvas.fill(x: x, y: y, width: side - 1, height: height - 1, Self.color(shade))
                canvas.text(
                    texts[row][column], x: x + side / 2, y: y + height / 2 + 4, size: 12,
                    shade > 0.55 ? .white : .ink, anchor: .middle)
            }
        }
        let bottom = top + height * Double(rows.count)
        for (column, name) in columns.enumerated() {
            canvas.text(
                canvas.fitted(name, to: side - 4, size: 12), x: left + side * (Double(column) + 0.5), y: bottom + 18,
                size: 12, .ink, anchor: .middle)
        }
        canvas.text(
            xLabel, x: left + side * Double(columns.count) / 2, y: bottom + 42, size: 13, .ink, anchor: .middle)
        canvas.text(
            yLabel, x: 24, y: (top + bottom) / 2, size: 13, .ink, anchor: .middle, turned: true)
        return canvas.image()
    }

    /// From white to the first colour of curves.
    private static func color(_ shade: Double) -> Color {
        let dark = Color.series[0]
        return Color(
            red: 1 + (dark.red - 1) * shade, green: 1 + (dark.green - 1) * shade, blue: 1 + (dark.blue - 1) * shade)
    }
}
