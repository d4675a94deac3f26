import Foundation

/// One frame of a review: a pure function of the screen, the window and the pictures that are ready.
public struct ReviewFrame {
    public private(set) var grid: TextGrid
    /// Pictures that the terminal draws itself.
    public private(set) var placed: [PlacedPicture] = []
    /// What should be read, the most urgent first; the object on screen is the first of them.
    public private(set) var requests: [PictureRequest] = []
    /// Whether the picture of the object on screen is there (or cannot be).
    public private(set) var isComplete = true

    private let screen: ReviewScreen
    private let painter: PicturePainter
    private let lookUp: (PictureRequest) -> LoadedPicture?

    /// - Parameters:
    ///   - time: on the screen's clock.
    ///   - pictures: the pictures that are ready.
    public init(
        _ screen: ReviewScreen, size: TerminalSize, capabilities: TerminalCapabilities, time: Double,
        pictures: @escaping (PictureRequest) -> LoadedPicture?
    ) {
        self.screen = screen
        painter = PicturePainter(graphics: capabilities.graphics, colours: capabilities.colours, cell: size.cell)
        lookUp = pictures
        grid = TextGrid(columns: size.columns, rows: size.rows)
        if let layout = ReviewLayout(size, neighbours: screen.showsNeighbours) {
            drawTitle()
            if screen.mode == .help {
                drawHelp(layout)
            } else if let entry = screen.current {
                drawPicture(layout, entry)
                drawNeighbours(layout)
                drawPanel(layout, entry)
            } else {
                drawEnd(layout)
            }
            drawMessage(layout)
            drawStatus(layout, time)
        } else {
            let smallest = ReviewLayout.smallest
            grid.put("window too small", row: 0, column: 0, style: .bold)
            grid.put("\(size.columns)×\(size.rows), needs \(smallest.columns)×\(smallest.rows)", row: 1, column: 0)
            grid.put("(q quits)", row: 2, column: 0)
        }
        if !capabilities.unicode { grid.replaceNonASCII() }
    }

    // MARK: - Picture

    private func request(_ files: [String], _ area: ReviewLayout.Area, _ settings: PictureSettings) -> PictureRequest {
        PictureRequest(files: files, settings: settings, columns: area.columns, rows: area.rows, painter: painter)
    }

    private mutating func drawPicture(_ layout: ReviewLayout, _ entry: ReviewScreen.Entry) {
        let wanted = request(entry.item.files, layout.picture, screen.settings)
        requests.append(wanted)
        requests += screen.likelyNext.map { request($0.files, layout.picture, screen.settings) }
        var caption = [caption()]
        switch lookUp(wanted) {
        case nil:
            isComplete = false
            note("reading …", layout.picture)
        case .failed(let reason):
            note(reason, layout.picture)
        case .painted(let painted, let bands, let width, let height):
            place(painted, in: layout.picture)
            if let band = screen.settings.band {
                caption.insert("band " + bands[band % bands.count], at: 0)
            } else {
                caption.insert(
                    bands.count == 1 ? "band " + bands[0] : "colour of " + bands.joined(separator: ","), at: 0)
            }
            caption.append("\(width)×\(height)")
        }
        grid.put(
            caption.joined(separator: " · "), row: layout.captionRow, column: 0, style: .quiet,
            width: layout.picture.columns)
    }

    private func caption() -> String {
        let settings = screen.settings
        return "\(settings.view.rawValue) · \(settings.curve.rawValue)"
            + (settings.zoom > 1 ? " · zoom \(settings.zoom)" : "")
    }

    /// Puts a picture into the middle of an area.
    private mutating func place(_ painted: PicturePainter.Painted, in area: ReviewLayout.Area) {
        switch painted {
        case .cells(let cells, let columns, let rows):
            let (top, left) = (area.row + (area.rows - rows) / 2, area.column + (area.columns - columns) / 2)
            for row in 0..<rows {
                for column in 0..<columns {
                    grid.put(cells[row * columns + column], row: top + row, column: left + column)
                }
            }
        case .sequence(let sequence, let columns, let rows):
            placed.append(
                PlacedPicture(
                    row: area.row + (area.rows - rows) / 2, column: area.column + (area.columns - columns) / 2,
                    sequence: sequence))
        }
    }

    /// A sentence in the middle of an area.
    private mutating func note(_ text: String, _ area: ReviewLayout.Area) {
        let lines = TextWidth.wrap(TextWidth.harmless(text), area.columns - 4).prefix(area.rows)
        for (index, line) in lines.enumerated() {
            let column = area.column + (area.columns - TextWidth.of(line)) / 2
            grid.put(line, row: area.row + (area.rows - lines.count) / 2 + index, column: column, style: .quiet)
        }
    }

    private mutating func drawNeighbours(_ layout: ReviewLayout) {
        guard let strip = layout.neighbours else { return }
        guard let known = screen.neighbours else {
            note("looking for neighbours …", strip)
            return
        }
        // As many as their names have room.
        let neighbours = known.prefix(max(strip.columns / 11, 2))
        guard !neighbours.isEmpty else {
            note("no neighbours are known: the run has no embeddings of this object", strip)
            return
        }
        let width = strip.columns / neighbours.count
        for (index, neighbour) in neighbours.enumerated() {
            let area = ReviewLayout.Area(
                row: strip.row, column: strip.column + index * width, columns: width - 1, rows: strip.rows - 1)
            let wanted = request(neighbour.files, area, PictureSettings())
            // After the object on screen, before those that come next.
            requests.insert(wanted, at: min(1 + index, requests.count))
            switch lookUp(wanted) {
            case .painted(let painted, _, _, _): place(painted, in: area)
            case .failed: note("no picture", area)
            case nil: note("…", area)
            }
            grid.put(neighbour.id, row: area.row + area.rows, column: area.column, style: .quiet, width: area.columns)
        }
    }

    // MARK: - Panel

    private mutating func drawPanel(_ layout: ReviewLayout, _ entry: ReviewScreen.Entry) {
        let panel = layout.panel
        var row = panel.row
        let end = panel.row + panel.rows
        func line(_ text: String, _ style: CellStyle = .plain) {
            guard row < end else { return }
            grid.put(text, row: row, column: panel.column, style: style, width: panel.columns)
            row += 1
        }
        let item = entry.item
        line(item.id, .bold)
        if let reason = item.reason { line(reason, .quiet) }
        if let ra = item.ra, let dec = item.dec, ra.isFinite, dec.isFinite {
            line(SkyText.hours(ra) + " " + SkyText.degrees(dec))
            line(String(format: "%.6f %+.6f deg", ra, dec), .quiet)
        } else {
            line("no position on the sky", .quiet)
        }
        row += 1
        for question in screen.asked(entry) { line("\(question): \(entry.answers[question]!)", .good) }
        line(screen.question.name + "?", .accent)
        for answer in screen.question.answers {
            guard row < end else { break }
            drawAnswer(answer, entry, panel, row)
            row += 1
        }
        if entry.isArtefact { line("flagged as an artefact", .warning) }
        if entry.isSkipped { line("skipped", .quiet) }
        if let comment = entry.comment {
            for text in TextWidth.wrap("“\(TextWidth.harmless(comment))”", panel.columns).prefix(2) { line(text) }
        }
        row += 1
        let name = min(panel.columns / 2, item.metadata.map { TextWidth.of($0.name) }.max() ?? 0)
        for field in item.metadata where row < end {
            grid.put(field.name, row: row, column: panel.column, style: .quiet, width: name)
            grid.put(field.value, row: row, column: panel.column + name + 1, width: panel.columns - name - 1)
            row += 1
        }
    }

    /// `[1] smooth  ██████░░░ 63 %`, with a mark at the answer that was given.
    private mutating func drawAnswer(
        _ answer: ReviewQuestion.Answer, _ entry: ReviewScreen.Entry, _ panel: ReviewLayout.Area, _ row: Int
    ) {
        let isGiven = entry.answers[screen.question.name] == answer.name
        let prediction = entry.item.predictions[screen.question.name]?.first { $0.answer == answer.name }
        let bar = prediction == nil ? 0 : panel.columns >= 40 ? 14 : panel.columns >= 30 ? 11 : 9
        grid.put(isGiven ? "▸" : " ", row: row, column: panel.column, style: .good)
        grid.put(String(answer.key), row: row, column: panel.column + 1, style: .accent)
        grid.put(
            answer.name, row: row, column: panel.column + 3, style: isGiven ? .good : .plain,
            width: panel.columns - 3 - (bar > 0 ? bar + 1 : 0))
        guard let prediction, prediction.probability.isFinite else { return }
        let share = min(max(prediction.probability, 0), 1)
        let filled = Int((share * Double(bar - 5)).rounded())
        let text =
            String(repeating: "█", count: filled) + String(repeating: "░", count: bar - 5 - filled)
            + String(format: "%4.0f%%", share * 100)
        grid.put(text, row: row, column: panel.column + panel.columns - bar, style: .quiet)
    }

    // MARK: - Around it

    private mutating func drawTitle() {
        grid.fill(row: 0, style: .bar)
        let right = "? help  q quit "
        let end = grid.columns - right.count
        grid.put(
            " lenticular review · \(screen.task) · \(screen.labeller)", row: 0, column: 0, style: .bar, width: end - 1)
        grid.put(right, row: 0, column: end, style: .bar)
    }

    private mutating func drawMessage(_ layout: ReviewLayout) {
        switch screen.mode {
        case .comment(let line): prompt("comment: ", line, layout)
        case .search(let line): prompt("find: ", line, layout)
        case .answering, .help: break
        }
        guard let message = screen.message else { return }
        let lines = TextWidth.wrap(TextWidth.harmless(message.text), grid.columns - 2).prefix(3)
        let isEditing = screen.mode != .answering && screen.mode != .help
        let last = layout.messageRow - (isEditing ? 1 : 0)
        for (index, line) in lines.enumerated() {
            let row = last - lines.count + 1 + index
            grid.fill(row: row, style: .plain)
            grid.put(line, row: row, column: 1, style: message.isError ? .warning : .plain)
        }
    }

    /// The line that is being written, with its cursor in sight.
    private mutating func prompt(_ name: String, _ line: LineEditor, _ layout: ReviewLayout) {
        grid.fill(row: layout.messageRow, style: .plain)
        let start = grid.put(name, row: layout.messageRow, column: 1, style: .accent)
        let room = grid.columns - start - 2
        var first = 0
        while TextWidth.of(String(line.text[first..<line.cursor])) > room { first += 1 }
        var column = start
        for index in first...line.text.count {
            let character = index < line.text.count ? line.text[index] : " "
            guard column + TextWidth.of(character) <= grid.columns - 1 else { break }
            column = grid.put(
                String(character), row: layout.messageRow, column: column,
                style: index == line.cursor ? CellStyle(inverse: true) : .plain)
        }
    }

    private mutating func drawStatus(_ layout: ReviewLayout, _ time: Double) {
        var parts: [String] = []
        if let progress = screen.progress { parts.append("\(progress.done) of \(progress.total) done") }
        parts.append("\(screen.saved) saved")
        if let rate = screen.rate(at: time) { parts.append(String(format: "%.0f/min", rate)) }
        if screen.compared > 0 {
            let share = 100 * Double(screen.agreed) / Double(screen.compared)
            parts.append("model agrees \(screen.agreed)/\(screen.compared)" + String(format: " (%.0f%%)", share))
        }
        grid.fill(row: layout.statusRow, style: .bar)
        grid.put(" " + parts.joined(separator: " · "), row: layout.statusRow, column: 0, style: .bar)
    }

    private mutating func drawEnd(_ layout: ReviewLayout) {
        var area = layout.picture
        area.columns = grid.columns
        note(
            screen.entries.isEmpty
                ? "Nothing is in the queue for you. q quits, / finds an object by its name."
                : "Nothing is left in the queue for you. ← goes back, u undoes, q quits.", area)
    }

    private mutating func drawHelp(_ layout: ReviewLayout) {
        let keys = [
            ("answer keys", "store the answer; the next question or object follows"),
            ("u", "undo the latest decision"), ("s", "skip the object"), ("x", "it is an artefact"),
            ("c", "comment (Enter saves, Esc leaves)"), ("← →", "back and forward"),
            ("/", "find an object by the beginning of its name"), ("b", "colour, then each band"),
            ("t", "stretch: asinh, linear, log, histogram"), ("+ -", "zoom"),
            ("v", "view: " + screen.views.map(\.rawValue).joined(separator: ", ")),
            ("n", "the nearest neighbours"), ("Esc", "begin the object's questions anew"),
            ("^L ^Z", "draw the window again; suspend"), ("q ^C", "quit; every answer is already saved"),
        ]
        for (index, (key, meaning)) in keys.enumerated() where 1 + index < layout.messageRow {
            grid.put(key, row: 1 + index, column: 2, style: .accent)
            grid.put(meaning, row: 1 + index, column: 15)
        }
    }
}

extension ReviewScreen {
    /// The questions before the one on screen that were answered, in the order of the tree.
    func asked(_ entry: Entry) -> [String] {
        var path: [String] = []
        var next: ReviewQuestion? = allQuestions.first
        while let asking = next, asking.name != question.name, let given = entry.answers[asking.name],
            path.count < allQuestions.questions.count
        {
            path.append(asking.name)
            next = asking.answers.first { $0.name == given }?.next.flatMap { allQuestions[$0] }
        }
        return next?.name == question.name ? path : []
    }
}

extension TextGrid {
    /// Letters in place of what a terminal without UTF-8 cannot show.
    mutating func replaceNonASCII() {
        let letters: [Character: Character] = [
            "█": "#", "░": ".", "·": "|", "…": "~", "▸": ">", "←": "<", "→": ">", "×": "x", "–": "-", "“": "\"",
            "”": "\"",
        ]
        for row in 0..<rows {
            for column in 0..<columns {
                var cell = self[row, column]
                if let text = cell.text, text.isASCII { continue }
                cell.text = cell.text.map { letters[$0] ?? "?" } ?? " "
                put(cell, row: row, column: column)
            }
        }
    }
}
