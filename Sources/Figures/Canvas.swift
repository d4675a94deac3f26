internal import CCairo
import ImageProcessing

/// A surface to draw on; coordinates are in units of `scale` pixels from the upper left corner.
final class Canvas {
    enum Anchor {
        case left, middle, right
    }

    /// In units.
    let width: Int
    let height: Int
    /// Pixels a unit.
    let scale: Int
    private let surface: OpaquePointer
    private let context: OpaquePointer

    init(width: Int, height: Int, scale: Int = 1, background: Color) {
        precondition(
            width > 0 && height > 0 && scale > 0 && width * scale < 32768 && height * scale < 32768,
            "[Canvas] impossible size \(width) × \(height) at \(scale) pixels a unit")
        self.width = width
        self.height = height
        self.scale = scale
        surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, Int32(width * scale), Int32(height * scale))
        context = cairo_create(surface)
        cairo_scale(context, Double(scale), Double(scale))
        fill(x: 0, y: 0, width: Double(width), height: Double(height), background)
    }

    deinit {
        cairo_destroy(context)
        cairo_surface_destroy(surface)
    }

    func fill(x: Double, y: Double, width: Double, height: Double, _ color: Color) {
        use(color)
        cairo_rectangle(context, x, y, width, height)
        cairo_fill(context)
    }

    func frame(x: Double, y: Double, width: Double, height: Double, _ color: Color, line: Double = 1) {
        use(color)
        cairo_set_line_width(context, line)
        cairo_rectangle(context, x, y, width, height)
        cairo_stroke(context)
    }

    func line(_ points: [(x: Double, y: Double)], _ color: Color, width: Double = 1, dashed: Bool = false) {
        guard let first = points.first else { return }
        use(color)
        cairo_set_line_width(context, width)
        cairo_set_line_join(context, CAIRO_LINE_JOIN_ROUND)
        let dashes = [5.0, 4.0]
        cairo_set_dash(context, dashes, dashed ? 2 : 0, 0)
        cairo_move_to(context, first.x, first.y)
        for point in points.dropFirst() { cairo_line_to(context, point.x, point.y) }
        cairo_stroke(context)
        cairo_set_dash(context, nil, 0, 0)
    }

    /// A filled circle.
    func dot(x: Double, y: Double, radius: Double, _ color: Color) {
        use(color)
        cairo_new_sub_path(context)
        cairo_arc(context, x, y, radius, 0, 2 * Double.pi)
        cairo_fill(context)
    }

    /// Draws only inside a rectangle.
    func clipped(x: Double, y: Double, width: Double, height: Double, _ body: () -> Void) {
        cairo_save(context)
        cairo_rectangle(context, x, y, width, height)
        cairo_clip(context)
        body()
        cairo_restore(context)
    }

    /// Text with its base line at `y`.
    func text(
        _ text: String, x: Double, y: Double, size: Double, _ color: Color, bold: Bool = false,
        anchor: Anchor = .left, turned: Bool = false
    ) {
        use(color)
        select(size: size, bold: bold)
        let width = measure(text)
        let shift = anchor == .left ? 0 : anchor == .middle ? -width / 2 : -width
        cairo_save(context)
        cairo_translate(context, x, y)
        if turned { cairo_rotate(context, -Double.pi / 2) }
        cairo_move_to(context, shift, 0)
        cairo_show_text(context, Self.clean(text))
        cairo_restore(context)
    }

    /// Width of a text, pixels.
    func width(of text: String, size: Double, bold: Bool = false) -> Double {
        select(size: size, bold: bold)
        return measure(text)
    }

    /// The text, with its middle left out where it is wider than `limit` pixels.
    func fitted(_ text: String, to limit: Double, size: Double, bold: Bool = false) -> String {
        guard width(of: text, size: size, bold: bold) > limit else { return text }
        var kept = text.count - 1
        while kept > 1 {
            let shorter = text.prefix((kept + 1) / 2) + "…" + text.suffix(kept / 2)
            if width(of: String(shorter), size: size, bold: bold) <= limit { return String(shorter) }
            kept -= 1
        }
        return "…"
    }

    /// Draws a picture in its own size; the canvas has a pixel a unit.
    func picture(_ picture: RGBImage, x: Int, y: Int) {
        precondition(scale == 1, "[picture] expected a canvas of a pixel a unit, got \(scale)")
        cairo_surface_flush(surface)
        let stride = Int(cairo_image_surface_get_stride(surface))
        let target = UnsafeMutableRawPointer(cairo_image_surface_get_data(surface)!)
        for row in 0..<picture.height where (0..<height).contains(y + row) {
            let line = (target + (y + row) * stride).assumingMemoryBound(to: UInt32.self)
            for column in 0..<picture.width where (0..<width).contains(x + column) {
                let index = 3 * (row * picture.width + column)
                line[x + column] =
                    UInt32(picture.samples[index]) << 16 | UInt32(picture.samples[index + 1]) << 8
                    | UInt32(picture.samples[index + 2])
            }
        }
        cairo_surface_mark_dirty(surface)
    }

    /// What was drawn.
    func image() -> RGBImage {
        cairo_surface_flush(surface)
        let stride = Int(cairo_image_surface_get_stride(surface))
        let source = UnsafeRawPointer(cairo_image_surface_get_data(surface)!)
        let (width, height) = (width * scale, height * scale)
        var samples = [UInt8](repeating: 0, count: width * height * 3)
        for row in 0..<height {
            let line = (source + row * stride).assumingMemoryBound(to: UInt32.self)
            for column in 0..<width {
                let index = 3 * (row * width + column)
                samples[index] = UInt8(line[column] >> 16 & 255)
                samples[index + 1] = UInt8(line[column] >> 8 & 255)
                samples[index + 2] = UInt8(line[column] & 255)
            }
        }
        return RGBImage(width: width, height: height, samples: samples)
    }

    private func use(_ color: Color) {
        cairo_set_source_rgb(context, color.red, color.green, color.blue)
    }

    private func select(size: Double, bold: Bool) {
        cairo_select_font_face(
            context, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL, bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL)
        cairo_set_font_size(context, size)
    }

    private func measure(_ text: String) -> Double {
        var extents = cairo_text_extents_t()
        cairo_text_extents(context, Self.clean(text), &extents)
        return extents.x_advance
    }

    /// File names come from strangers: control characters are drawn as a box of their own.
    private static func clean(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? "\u{FFFD}" : Character($0) })
    }
}
