public import ImageProcessing

/// Distributions beside each other: a row each, with a box between two quantiles, a line at the median and whiskers to two
/// outer quantiles.
public struct BoxPlot: Sendable {
    /// One distribution.
    public struct Box: Sendable {
        public var name: String
        /// Ends of the whiskers, such as the 1st and 99th percentile.
        public var whiskers: ClosedRange<Double>
        /// Ends of the box, such as the 10th and 90th percentile.
        public var box: ClosedRange<Double>
        public var median: Double
        /// Which colour of ``Color/series`` it has.
        public var color: Int

        public init(
            _ name: String, whiskers: ClosedRange<Double>, box: ClosedRange<Double>, median: Double, color: Int = 0
        ) {
            self.name = name
            self.whiskers = whiskers
            self.box = box
            self.median = median
            self.color = color
        }
    }

    public var title: String
    public var xLabel: String
    public var boxes: [Box]
    /// Dashed vertical lines.
    public var markers: [Double] = []
    public var width = 800
    /// Pixels a unit of width; 2 and more for print.
    public var scale = 1

    public init(title: String, xLabel: String, boxes: [Box]) {
        self.title = title
        self.xLabel = xLabel
        self.boxes = boxes
    }

    /// Draws the plot, as high as its boxes need.
    public func draw() -> RGBImage {
        let rowHeight = 34.0
        let (top, bottom) = (52.0, 58.0)
        let areaHeight = rowHeight * Double(boxes.count) + 8
        let canvas = Canvas(width: width, height: Int(top + areaHeight + bottom), scale: scale, background: .white)
        let left = 28 + (boxes.map { canvas.width(of: $0.name, size: 12) }.max() ?? 0)
        let areaWidth = Double(width) - left - 24
        let axis = Axis(values: boxes.flatMap { [$0.whiskers.lowerBound, $0.whiskers.upperBound] } + markers)
        func x(_ value: Double) -> Double { left + axis.position(value) * areaWidth }

        canvas.text(title, x: 20, y: 30, size: 16, .ink, bold: true)
        for tick in axis.ticks(8) {
            canvas.line([(x(tick.value), top), (x(tick.value), top + areaHeight)], .grid)
            canvas.text(tick.text, x: x(tick.value), y: top + areaHeight + 18, size: 12, .ink, anchor: .middle)
        }
        for marker in markers {
            canvas.line([(x(marker), top), (x(marker), top + areaHeight)], .faintInk, dashed: true)
        }
        for (row, box) in boxes.enumerated() {
            let middle = top + 4 + rowHeight * (Double(row) + 0.5)
            let color = Color.series[box.color % Color.series.count]
            canvas.text(box.name, x: left - 8, y: middle + 4, size: 12, .ink, anchor: .right)
            canvas.line(
                [(x(box.whiskers.lowerBound), middle), (x(box.whiskers.upperBound), middle)], color, width: 1.5)
            for end in [box.whiskers.lowerBound, box.whiskers.upperBound] {
                canvas.line([(x(end), middle - 5), (x(end), middle + 5)], color, width: 1.5)
            }
            let (start, end) = (x(box.box.lowerBound), x(box.box.upperBound))
            canvas.fill(x: start, y: middle - 8, width: max(end - start, 2), height: 16, color)
            canvas.line([(x(box.median), middle - 8), (x(box.median), middle + 8)], .white, width: 2.5)
        }
        canvas.frame(x: left, y: top, width: areaWidth, height: areaHeight, .faintInk)
        canvas.text(
            xLabel, x: left + areaWidth / 2, y: top + areaHeight + bottom - 14, size: 13, .ink, anchor: .middle)
        return canvas.image()
    }
}
