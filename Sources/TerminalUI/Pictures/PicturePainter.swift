private import CChafa
import ImageProcessing

/// Turns pictures into what a terminal shows, through libchafa.
public struct PicturePainter: Sendable, Hashable {
    public var graphics: Graphics
    public var colours: ColourDepth
    /// Size of a character in pixels; a guess that no terminal's letters are smaller than where it does not say.
    public var cell: TerminalSize.CellPixels

    public init(graphics: Graphics, colours: ColourDepth, cell: TerminalSize.CellPixels?) {
        self.graphics = graphics
        self.colours = colours
        self.cell = cell ?? .init(width: 8, height: 16)
    }

    /// Pixels of a picture that is sent; over ssh each costs about two bytes (Sixel) to five (Kitty).
    private static let longestSide = 512

    /// A picture that is ready for the screen.
    public enum Painted: Sendable, Equatable {
        /// rows × columns cells.
        case cells([Cell], columns: Int, rows: Int)
        /// An escape sequence that draws into columns × rows.
        case sequence(String, columns: Int, rows: Int)
    }

    /// The largest part of columns × rows that has the picture's shape.
    public func fit(width: Int, height: Int, columns: Int, rows: Int) -> (columns: Int, rows: Int) {
        var scale = min(
            Double(columns * cell.width) / Double(width), Double(rows * cell.height) / Double(height))
        if graphics == .sixel {
            // Sixels are text, a byte or two a pixel: larger pictures take longer than a person wants to wait.
            scale = min(scale, Double(Self.longestSide) / Double(max(width, height)))
        }
        return (
            min(max(Int((Double(width) * scale / Double(cell.width)).rounded()), 1), columns),
            min(max(Int((Double(height) * scale / Double(cell.height)).rounded()), 1), rows)
        )
    }

    /// The picture in at most columns × rows characters, in its own shape; nil without graphics or without room.
    public func paint(_ picture: RGBImage, columns: Int, rows: Int) -> Painted? {
        guard graphics != .none, columns > 0, rows > 0 else { return nil }
        let size = fit(width: picture.width, height: picture.height, columns: columns, rows: rows)
        let configuration = configuration(columns: size.columns, rows: size.rows, cell: pixels(for: picture, size))
        defer { chafa_canvas_config_unref(configuration) }
        let canvas = chafa_canvas_new(configuration)!
        defer { chafa_canvas_unref(canvas) }
        picture.samples.withUnsafeBufferPointer {
            chafa_canvas_draw_all_pixels(
                canvas, CHAFA_PIXEL_RGB8, $0.baseAddress, Int32(picture.width), Int32(picture.height),
                Int32(picture.width * 3))
        }
        switch graphics {
        case .blocks, .ascii:
            var cells: [Cell] = []
            cells.reserveCapacity(size.columns * size.rows)
            for row in 0..<size.rows {
                for column in 0..<size.columns { cells.append(self.cell(canvas, column: column, row: row)) }
            }
            return .cells(cells, columns: size.columns, rows: size.rows)
        case .kitty, .iterm, .sixel:
            let information = chafa_term_db_get_fallback_info(chafa_term_db_get_default())!
            defer { chafa_term_info_unref(information) }
            let text = chafa_canvas_print(canvas, information)!
            defer { g_string_free(text, 1) }
            return .sequence(String(cString: text.pointee.str), columns: size.columns, rows: size.rows)
        case .none: return nil
        }
    }

    /// Pixels of a character in what is sent: terminals that scale pictures themselves get no more than the picture has.
    private func pixels(
        for picture: RGBImage, _ size: (columns: Int, rows: Int)
    ) -> TerminalSize.CellPixels {
        guard graphics == .kitty || graphics == .iterm else { return cell }
        func needed(_ side: Int, _ characters: Int) -> Int {
            max((min(side, Self.longestSide) + characters - 1) / characters, 1)
        }
        return .init(
            width: min(cell.width, needed(picture.width, size.columns)),
            height: min(cell.height, needed(picture.height, size.rows)))
    }

    private func configuration(
        columns: Int, rows: Int, cell: TerminalSize.CellPixels
    ) -> OpaquePointer {
        let configuration = chafa_canvas_config_new()!
        chafa_canvas_config_set_geometry(configuration, Int32(columns), Int32(rows))
        chafa_canvas_config_set_cell_geometry(configuration, Int32(cell.width), Int32(cell.height))
        chafa_canvas_config_set_pixel_mode(configuration, pixelMode)
        chafa_canvas_config_set_canvas_mode(configuration, isPixels ? CHAFA_CANVAS_MODE_TRUECOLOR : canvasMode)
        // Its contrast enhancement would change what the stretch shows.
        chafa_canvas_config_set_preprocessing_enabled(configuration, 0)
        chafa_canvas_config_set_fg_color(configuration, 0xFFFFFF)
        chafa_canvas_config_set_bg_color(configuration, 0)
        if !isPixels {
            let symbols = chafa_symbol_map_new()
            chafa_symbol_map_add_by_tags(
                symbols, graphics == .ascii ? LENTICULAR_ASCII_SYMBOLS : LENTICULAR_BLOCK_SYMBOLS)
            chafa_canvas_config_set_symbol_map(configuration, symbols)
            chafa_symbol_map_unref(symbols)
            chafa_canvas_config_set_fg_only_enabled(configuration, graphics == .ascii ? 1 : 0)
        }
        return configuration
    }

    /// Whether the terminal draws pixels itself.
    private var isPixels: Bool { [.kitty, .iterm, .sixel].contains(graphics) }

    private var pixelMode: ChafaPixelMode {
        switch graphics {
        case .kitty: CHAFA_PIXEL_MODE_KITTY
        case .iterm: CHAFA_PIXEL_MODE_ITERM2
        case .sixel: CHAFA_PIXEL_MODE_SIXELS
        case .blocks, .ascii, .none: CHAFA_PIXEL_MODE_SYMBOLS
        }
    }

    private var canvasMode: ChafaCanvasMode {
        switch colours {
        case .trueColour: CHAFA_CANVAS_MODE_TRUECOLOR
        case .palette256: CHAFA_CANVAS_MODE_INDEXED_240
        case .palette16: CHAFA_CANVAS_MODE_INDEXED_16
        case .none: CHAFA_CANVAS_MODE_FGBG
        }
    }

    private func cell(_ canvas: OpaquePointer, column: Int, row: Int) -> Cell {
        let value = chafa_canvas_get_char_at(canvas, Int32(column), Int32(row))
        let character = Unicode.Scalar(UInt32(value)).map(Character.init) ?? " "
        var (foreground, background) = (Int32(-1), Int32(-1))
        chafa_canvas_get_raw_colors_at(canvas, Int32(column), Int32(row), &foreground, &background)
        return Cell(character, CellStyle(foreground: colour(foreground), background: colour(background)))
    }

    private func colour(_ value: Int32) -> CellColour {
        guard value >= 0 else { return .standard }
        switch colours {
        case .none: return .standard
        case .palette16, .palette256: return .palette(UInt8(truncatingIfNeeded: value))
        case .trueColour:
            return .rgb(
                UInt8(truncatingIfNeeded: value >> 16), UInt8(truncatingIfNeeded: value >> 8),
                UInt8(truncatingIfNeeded: value))
        }
    }
}
