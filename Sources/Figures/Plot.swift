public import ImageProcessing

/// A plot of curves and bars with two axes, for reports.
public struct Plot: Sendable {
    /// A curve; points that are not finite interrupt it.
    public struct Curve: Sendable {
        public var name: String
        public var x: [Double]
        public var y: [Double]
        /// Drawn thin and pale, behind the others: raw values beside their mean.
        public var isFaint: Bool

        public init(_ name: String, x: [Double], y: [Double], isFaint: Bool = false) {
            precondition(x.count == y.count, "[Curve] expected as many x as y, got \(x.count) and \(y.count)")
            self.name = name
            self.x = x
            self.y = y
            self.isFaint = isFaint
        }
    }

    /// A dashed vertical line with a few words.
    public struct Marker: Sendable {
        public var x: Double
        public var text: String

        public init(x: Double, text: String) {
            self.x = x
            self.text = text
        }
    }

    public var title: String
    public var xLabel: String
    public var yLabel: String
    public var curves: [Curve] = []
    /// Edges (n + 1) and heights (n) of the bars of a histogram.
    public var bars: (edges: [Double], heights: [Double])?
    public var markers: [Marker] = []
    public var xIsLogarithmic = false
    public var yIsLogarithmic = false
    public var width = 800
    public var height = 480

    public init(title: String, xLabel: String, yLabel: String) {
        self.title = title
        self.xLabel = xLabel
        self.yLabel = yLabel
    }

    /// A histogram of the finite values.
    public static func histogram(
        of values: [Double], bins: Int = 50, title: String, xLabel: String, yLabel: String
    ) -> Plot {
        var plot = Plot(title: title, xLabel: xLabel, yLabel: yLabel)
        let finite = values.filter(\.isFinite)
        guard let lower = finite.min(), let upper = finite.max() else { return plot }
        let width = upper > lower ? (upper - lower) / Double(bins) : 1
        var heights = [Double](repeating: 0, count: bins)
        for value in finite { heights[min(Int((value - lower) / width), bins - 1)] += 1 }
        plot.bars = ((0...bins).map { lower + Double($0) * width }, heights)
        return plot
    }

    /// Draws the plot.
    public func draw() -> RGBImage {
        let canvas = Canvas(width: width, height: height, background: .white)
        let xAxis = Axis(values: curves.flatMap(\.x) + (bars?.edges ?? []), isLogarithmic: xIsLogarithmic)
        let yAxis = Axis(
            values: curves.flatMap(\.y) + (bars?.heights ?? []), isLogarithmic: yIsLogarithmic,
            from: bars == nil ? nil : yIsLogarithmic ? 0.5 : 0)
        let yTicks = yAxis.ticks()
        let labels = yTicks.map { canvas.width(of: $0.text, size: 12) }.max() ?? 0
        let (left, top) = (44 + labels, 52.0)
        let area = (width: Double(width) - left - 24, height: Double(height) - top - 58)
        func x(_ value: Double) -> Double { left + xAxis.position(value) * area.width }
        func y(_ value: Double) -> Double { top + (1 - yAxis.position(value)) * area.height }

        canvas.text(title, x: left, y: 30, size: 16, .ink, bold: true)
        for tick in xAxis.ticks() {
            canvas.line([(x(tick.value), top), (x(tick.value), top + area.height)], .grid)
            canvas.text(tick.text, x: x(tick.value), y: top + area.height + 18, size: 12, .ink, anchor: .middle)
        }
        for tick in yTicks {
            canvas.line([(left, y(tick.value)), (left + area.width, y(tick.value))], .grid)
            canvas.text(tick.text, x: left - 7, y: y(tick.value) + 4, size: 12, .ink, anchor: .right)
        }
        canvas.clipped(x: left, y: top, width: area.width, height: area.height) {
            if let bars {
                for (index, value) in bars.heights.enumerated() where value > 0 {
                    let (start, end) = (x(bars.edges[index]), x(bars.edges[index + 1]))
                    canvas.fill(
                        x: start, y: y(value), width: max(end - start - 1, 0.5), height: top + area.height - y(value),
                        Color.series[0])
                }
            }
            for (index, curve) in curves.enumerated() {
                draw(
                    curve, color: curve.isFaint ? Color(0xB8CBD8) : Color.series[index % Color.series.count],
                    on: canvas, x, y)
            }
            for marker in markers {
                canvas.line(
                    [(x(marker.x), top), (x(marker.x), top + area.height)], Color.series[1], width: 1.5, dashed: true)
            }
        }
        for (index, marker) in markers.enumerated() {
            let fits = x(marker.x) + 6 + canvas.width(of: marker.text, size: 12) < left + area.width
            canvas.text(
                marker.text, x: x(marker.x) + (fits ? 6 : -6), y: top + 16 + 16 * Double(index), size: 12,
                Color.series[1], anchor: fits ? .left : .right)
        }
        canvas.frame(x: left, y: top, width: area.width, height: area.height, .faintInk)
        canvas.text(xLabel, x: left + area.width / 2, y: Double(height) - 14, size: 13, .ink, anchor: .middle)
        canvas.text(yLabel, x: 20, y: top + area.height / 2, size: 13, .ink, anchor: .middle, turned: true)
        legend(on: canvas, right: left + area.width - 12, top: top + 12)
        return canvas.image()
    }

    private func draw(
        _ curve: Curve, color: Color, on canvas: Canvas, _ x: (Double) -> Double, _ y: (Double) -> Double
    ) {
        var run: [(x: Double, y: Double)] = []
        for (px, py) in zip(curve.x, curve.y) {
            let point = (x: x(px), y: y(py))
            if point.x.isFinite && point.y.isFinite {
                run.append(point)
            } else {
                canvas.line(run, color, width: curve.isFaint ? 1 : 2)
                run = []
            }
        }
        canvas.line(run, color, width: curve.isFaint ? 1 : 2)
    }

    private func legend(on canvas: Canvas, right: Double, top: Double) {
        let named = curves.enumerated().filter { !$0.element.name.isEmpty }
        guard named.count > 1 else { return }
        let widest = named.map { canvas.width(of: $0.element.name, size: 12) }.max() ?? 0
        for (row, (index, curve)) in named.enumerated() {
            let y = top + 10 + 18 * Double(row)
            let color = curve.isFaint ? Color(0xB8CBD8) : Color.series[index % Color.series.count]
            canvas.line([(right - widest - 34, y), (right - widest - 10, y)], color, width: 3)
            canvas.text(curve.name, x: right - widest, y: y + 4, size: 12, .ink)
        }
    }
}
