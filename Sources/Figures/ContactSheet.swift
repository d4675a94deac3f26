public import ImageProcessing

/// A picture of many objects: thumbnails in rows, with a few words under each.
public struct ContactSheet: Sendable {
    /// One object.
    public struct Cell: Sendable {
        public var picture: RGBImage
        /// In the thumbnail's corner, such as a rank.
        public var badge: String?
        /// Under the thumbnail; the first line is bright.
        public var caption: [String]
        /// Marks the object with a coloured frame.
        public var highlighted: Bool

        public init(picture: RGBImage, badge: String? = nil, caption: [String] = [], highlighted: Bool = false) {
            self.picture = picture
            self.badge = badge
            self.caption = caption
            self.highlighted = highlighted
        }
    }

    public var title: String
    /// Under the title, in small letters.
    public var note: String
    public var columns: Int
    /// Side of a thumbnail, pixels.
    public var thumbnail: Int

    public init(title: String, note: String = "", columns: Int = 8, thumbnail: Int = 128) {
        precondition(columns > 0 && thumbnail > 0, "[ContactSheet] expected at least one column and one pixel")
        self.title = title
        self.note = note
        self.columns = columns
        self.thumbnail = thumbnail
    }

    /// Draws the cells row by row, the first one in the upper left corner.
    public func draw(_ cells: [Cell]) -> RGBImage {
        let (margin, gap, line) = (20.0, 12.0, 15.0)
        let lines = Double(cells.map(\.caption.count).max() ?? 0)
        let columns = max(1, min(self.columns, cells.count))
        let rows = (cells.count + columns - 1) / columns
        let side = Double(thumbnail)
        let cell = (width: side + gap, height: side + gap + lines * line + 6)
        let top = margin + 26 + (note.isEmpty ? 0 : 18) + 10
        let inner = max(Double(columns) * cell.width - gap, 320)
        let canvas = Canvas(
            width: Int(inner + 2 * margin), height: Int(top + Double(rows) * cell.height + margin / 2),
            background: .night)

        canvas.text(
            canvas.fitted(title, to: inner, size: 18, bold: true), x: margin, y: margin + 16, size: 18, .nightText,
            bold: true)
        if !note.isEmpty {
            canvas.text(
                canvas.fitted(note, to: inner, size: 12), x: margin, y: margin + 38, size: 12, .nightFaint)
        }
        for (index, object) in cells.enumerated() {
            let x = margin + Double(index % columns) * cell.width
            let y = top + Double(index / columns) * cell.height
            draw(object, x: x, y: y, line: line, on: canvas)
        }
        return canvas.image()
    }

    private func draw(_ cell: Cell, x: Double, y: Double, line: Double, on canvas: Canvas) {
        let side = Double(thumbnail)
        // The longer side fills the thumbnail; the picture keeps its shape.
        let longer = max(cell.picture.width, cell.picture.height)
        let width = max(1, cell.picture.width * thumbnail / longer)
        let height = max(1, cell.picture.height * thumbnail / longer)
        let picture = cell.picture.resized(width: width, height: height)
        canvas.fill(x: x, y: y, width: side, height: side, .black)
        canvas.picture(picture, x: Int(x) + (thumbnail - width) / 2, y: Int(y) + (thumbnail - height) / 2)
        canvas.frame(
            x: x - 0.5, y: y - 0.5, width: side + 1, height: side + 1, cell.highlighted ? .accent : .nightRule,
            line: cell.highlighted ? 2 : 1)
        if let badge = cell.badge {
            let width = canvas.width(of: badge, size: 11, bold: true) + 8
            canvas.fill(x: x, y: y, width: width, height: 16, .night)
            canvas.text(badge, x: x + 4, y: y + 12, size: 11, .accent, bold: true)
        }
        for (index, text) in cell.caption.enumerated() {
            canvas.text(
                canvas.fitted(text, to: side, size: 11), x: x, y: y + side + 14 + Double(index) * line, size: 11,
                index == 0 ? .nightText : .nightFaint)
        }
    }
}
