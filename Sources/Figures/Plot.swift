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
        /// Which colour of ``Color/series`` it has; that of its place among the curves when nil. Curves that belong together
        /// share one and differ in dashes.
        public var color: Int?
        public var isDashed = false
        /// Marks its points, where they are few.
        public var hasPoints = false

        public init(
            _ name: String, x: [Double], y: [Double], isFaint: Bool = false, color: Int? = nil, isDashed: Bool = false,
            hasPoints: Bool = false
        ) {
            precondition(x.count == y.count, "[Curve] expected as many x as y, got \(x.count) and \(y.count)")
            self.color = color
            self.isDashed = isDashed
            self.hasPoints = hasPoints
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

    /// Where the legend stands: in a corner of the area, or to the right of it.
    public enum LegendPlace: Sendable {
        case upperLeft, upperRight, lowerLeft, lowerRight, outside
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
    /// Ends of an axis; it holds all values when nil.
    public var xRange: ClosedRange<Double>?
    public var yRange: ClosedRange<Double>?
    /// Where numbers stand along the x axis; at round numbers when nil.
    public var xTicks: [Double]?
    public var legendPlace = LegendPlace.upperRight
    public var width = 800
    public var height = 480
    /// Pixels a unit of width and height; 2 and more for print.
    public var scale = 1

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
        let canvas = Canvas(width: width, height: height, scale: scale, background: .white)
        let xAxis =
            xRange.map { Axis($0, isLogarithmic: xIsLogarithmic) }
            ?? Axis(values: curves.flatMap(\.x) + (bars?.edges ?? []), isLogarithmic: xIsLogarithmic)
        let yAxis =
            yRange.map { Axis($0, isLogarithmic: yIsLogarithmic) }
            ?? Axis(
                values: curves.flatMap(\.y) + (bars?.heights ?? []), isLogarithmic: yIsLogarithmic,
                from: bars == nil ? nil : yIsLogarithmic ? 0.5 : 0)
        let yTicks = yAxis.ticks()
        let labels = yTicks.map { canvas.width(of: $0.text, size: 12) }.max() ?? 0
        let (left, top) = (44 + labels, 52.0)
        let legend = legendPlace == .outside ? legendSize(on: canvas).width : 0
        let area = (width: Double(width) - left - 24 - legend, height: Double(height) - top - 58)
        func x(_ value: Double) -> Double { left + xAxis.position(value) * area.width }
        func y(_ value: Double) -> Double { top + (1 - yAxis.position(value)) * area.height }

        canvas.text(title, x: left, y: 30, size: 16, .ink, bold: true)
        for tick in xTicks.map({ $0.map { (value: $0, text: Axis.text($0)) } }) ?? xAxis.ticks() {
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
            for (index, curve) in curves.enumerated() { draw(curve, color: color(of: index), on: canvas, x, y) }
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
        drawLegend(on: canvas, x: left..<(left + area.width), y: top..<(top + area.height))
        return canvas.image()
    }

    private func color(of index: Int) -> Color {
        curves[index].isFaint ? Color.paleSeries : Color.series[(curves[index].color ?? index) % Color.series.count]
    }

    private func draw(
        _ curve: Curve, color: Color, on canvas: Canvas, _ x: (Double) -> Double, _ y: (Double) -> Double
    ) {
        var run: [(x: Double, y: Double)] = []
        func finish() {
            canvas.line(run, color, width: curve.isFaint ? 1 : 2, dashed: curve.isDashed)
            if curve.hasPoints { for point in run { canvas.dot(x: point.x, y: point.y, radius: 3.5, color) } }
            run = []
        }
        for (px, py) in zip(curve.x, curve.y) {
            let point = (x: x(px), y: y(py))
            if point.x.isFinite && point.y.isFinite { run.append(point) } else { finish() }
        }
        finish()
    }

    private var namedCurves: [Int] { curves.indices.filter { !curves[$0].name.isEmpty } }

    private func legendSize(on canvas: Canvas) -> (width: Double, height: Double) {
        let widest = namedCurves.map { canvas.width(of: curves[$0].name, size: 12) }.max() ?? 0
        return (widest + 50, 18 * Double(namedCurves.count) + 8)
    }

    /// Samples and names of the curves, on a ground that hides what lies behind.
    private func drawLegend(on canvas: Canvas, x: Range<Double>, y: Range<Double>) {
        guard namedCurves.count > 1 else { return }
        let size = legendSize(on: canvas)
        let left =
            switch legendPlace {
            case .upperLeft, .lowerLeft: x.lowerBound + 8
            case .upperRight, .lowerRight: x.upperBound - size.width - 8
            case .outside: x.upperBound + 12
            }
        let isLow = [.lowerLeft, .lowerRight].contains(legendPlace)
        let top = isLow ? y.upperBound - size.height - 8 : y.lowerBound + (legendPlace == .outside ? 0 : 8)
        if legendPlace != .outside {
            canvas.fill(x: left, y: top, width: size.width, height: size.height, .white)
            canvas.frame(x: left, y: top, width: size.width, height: size.height, .grid)
        }
        for (row, index) in namedCurves.enumerated() {
            let middle = top + 13 + 18 * Double(row)
            canvas.line(
                [(left + 8, middle), (left + 36, middle)], color(of: index), width: 2.5, dashed: curves[index].isDashed)
            if curves[index].hasPoints { canvas.dot(x: left + 22, y: middle, radius: 3.5, color(of: index)) }
            canvas.text(curves[index].name, x: left + 44, y: middle + 4, size: 12, .ink)
        }
    }
}
