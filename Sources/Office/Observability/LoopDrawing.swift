import Text

/// Draws the picture of the loop as SVG: lying for a wall, standing for a phone. The style sheet gives the letters
/// their sizes; the places here leave room for them.
struct LoopDrawing {
    private typealias Place = LoopPicture.Place

    private struct Box {
        let x, y, width, height: Int
        var middle: (x: Int, y: Int) { (x + width / 2, y + height / 2) }
    }

    private enum Anchor: String { case start, middle, end }

    private let picture: LoopPicture
    /// Half the width of a Chinese letter in the lines of a box.
    private let cellWidth: Int
    private var svg = Markup("")

    /// - Parameter summary: what the picture shows, for those who do not see it.
    static func lying(_ picture: LoopPicture, summary: String) -> Markup {
        var drawing = LoopDrawing(picture, cellWidth: 11)
        drawing.drawLying()
        return drawing.document("lying", width: 1312, height: 628, summary)
    }

    static func standing(_ picture: LoopPicture, summary: String) -> Markup {
        var drawing = LoopDrawing(picture, cellWidth: 8)
        drawing.drawStanding()
        return drawing.document("standing", width: 360, height: 974, summary)
    }

    private init(_ picture: LoopPicture, cellWidth: Int) {
        self.picture = picture
        self.cellWidth = cellWidth
    }

    private func document(_ name: String, width: Int, height: Int, _ summary: String) -> Markup {
        """
        <svg class="loop \(name)" viewBox="0 0 \(width) \(height)" role="img" aria-label="\(summary)">\
        \(svg)</svg>

        """
    }

    // MARK: Lying

    private mutating func drawLying() {
        let words = picture.words
        let boxes: KeyValuePairs<Place, Box> = [
            .sources: Box(x: 8, y: 24, width: 196, height: 136), .intake: Box(x: 356, y: 24, width: 196, height: 136),
            .routing: Box(x: 704, y: 24, width: 196, height: 136), .units: Box(x: 1052, y: 24, width: 196, height: 136),
            .postgreSQL: Box(x: 304, y: 306, width: 300, height: 126),
            .feedback: Box(x: 998, y: 306, width: 250, height: 126),
            .deadlines: Box(x: 341, y: 500, width: 226, height: 122),
        ]
        arrow([(204, 92), (356, 92)], .submit)
        arrow([(552, 92), (704, 92)], .routing)
        arrow([(900, 92), (1052, 92)], .inbox)
        arrow([(1092, 160), (1092, 306)], .acts)
        arrow([(998, 346), (802, 346), (802, 160)], .routing)
        arrow([(998, 396), (604, 396)], nil)
        arrow([(454, 160), (454, 306)], nil)
        arrow([(304, 369), (106, 369), (106, 160)], .notice)
        arrow([(390, 432), (390, 500)], nil)
        line([(1248, 369), (1296, 369)], .notice)
        arrow([(567, 561), (1296, 561), (1296, 92), (1248, 92)], .notice)

        label(picture.flows[.submit], x: 280, numberY: 76, y: 120, .submit)
        label(picture.flows[.routing], x: 628, numberY: 76, y: 120, .routing)
        label(picture.flows[.inbox], x: 976, numberY: 76, y: 120, .inbox)
        label(picture.flows[.acts], x: 1078, numberY: 212, y: 238, .acts, .end)
        label(picture.flows[.notice], x: 1282, numberY: 212, y: 238, .notice, .end)
        label(picture.answers, x: 122, numberY: 222, y: 248, .notice, .start)
        text(words("register", "登记"), x: 470, y: 240, "s", .start)
        text(words("routed again", "重新分流"), x: 818, y: 334, "s", .start)
        text(words("ledger, clocks", "台账、时限"), x: 704, y: 386, "s")
        text(dueSteps, x: 406, y: 473, "s", .start)
        text(words("reminders, warnings, escalations", "提醒、预警、升级"), x: 800, y: 549, "s")
        for (place, box) in boxes { draw(box, place) }
    }

    // MARK: Standing

    private mutating func drawStanding() {
        let words = picture.words
        func box(_ y: Int, _ height: Int) -> Box { Box(x: 56, y: y, width: 242, height: height) }
        let boxes: KeyValuePairs<Place, Box> = [
            .sources: box(14, 82), .intake: box(168, 60), .routing: box(300, 60), .units: box(432, 106),
            .feedback: box(610, 82), .postgreSQL: box(746, 82), .deadlines: box(882, 82),
        ]
        arrow([(110, 96), (110, 168)], .submit)
        arrow([(110, 228), (110, 300)], .routing)
        arrow([(110, 360), (110, 432)], .inbox)
        arrow([(110, 538), (110, 610)], .acts)
        arrow([(110, 692), (110, 746)], nil)
        arrow([(110, 828), (110, 882)], nil)
        arrow([(298, 651), (320, 651), (320, 330), (298, 330)], .routing)
        arrow([(298, 198), (346, 198), (346, 787), (298, 787)], nil)
        line([(56, 923), (26, 923), (26, 485)], .notice)
        line([(56, 787), (26, 787)], .notice)
        arrow([(26, 485), (56, 485)], .notice)
        arrow([(26, 485), (26, 55), (56, 55)], .notice)

        for (stage, y) in [(OfficeStage.submit, 128), (.routing, 260), (.inbox, 392), (.acts, 570)] {
            label(picture.flows[stage], x: 124, numberY: y, y: y + 21, stage, .start, isBeside: true)
        }
        text(words("ledger, clocks", "台账、时限"), x: 124, y: 723, "s", .start)
        text(dueSteps, x: 124, y: 859, "s", .start)
        turned(words("routed again", "重新分流"), x: 315, y: 450)
        turned(words("register", "登记"), x: 341, y: 264)
        turned(words("answers", "答复"), x: 21, y: 264)
        turned(words("reminders", "催办"), x: 21, y: 660)
        for (place, box) in boxes {
            switch place {
            case .sources: draw(box, place, more: [waiting(picture.answers, words("answers", "待收答复"))])
            case .units: draw(box, place, more: [waiting(picture.flows[.notice], words("notices", "待收通知"))])
            default: draw(box, place)
            }
        }
    }

    // MARK: Parts

    private var dueSteps: String {
        (["\(picture.dueSteps.what) \(picture.dueSteps.depth)"] + picture.dueSteps.notes).joined(separator: " · ")
    }

    private func waiting(_ flow: LoopPicture.Flow?, _ what: String) -> String {
        "\(what) \(flow?.depth ?? PageWords.unknown)"
    }

    private func severity(_ place: Place?) -> String {
        place.flatMap { picture.severities[$0] }.map { " " + $0.rawValue } ?? ""
    }

    private mutating func draw(_ box: Box, _ place: Place, more: [String] = []) {
        guard let station = picture.stations[place] else { return }
        svg += """
            <rect class="box\(severity(place))" x="\(box.x)" y="\(box.y)" width="\(box.width)" height="\(box.height)" \
            rx="10"/>
            """
        let lines = station.lines + more
        // The name and its lines stand in the middle; a line of the standing picture is lower.
        let (first, step) = box.height > 110 ? (34, 29) : (25, 22)
        let top = box.middle.y - (step * lines.count + first) / 2 + first - 8
        text(station.name, x: box.middle.x, y: top + 3, "t" + severity(place))
        for (index, line) in lines.enumerated() {
            text(line, x: box.middle.x, y: top + step * (index + 1) + 2, "l", widthMax: box.width - 20)
        }
        guard let severity = picture.severities[place] else { return }
        let isLarge = box.height > 110
        let (width, height) = isLarge ? (128, 30) : (92, 22)
        let x = box.x + box.width - width - 8
        // On the upper edge; a low box needs the room below for its name.
        let middle = box.y - (isLarge ? 0 : 6)
        svg += """
            <rect class="pill \(severity.rawValue)" x="\(x)" y="\(middle - height / 2)" width="\(width)" \
            height="\(height)" rx="\(height / 2)"/>
            """
        text(
            picture.words.severity(severity), x: x + width / 2, y: middle + (isLarge ? 7 : 5), "p " + severity.rawValue)
    }

    /// - Parameter isBeside: the words follow the number, in one line.
    private mutating func label(
        _ flow: LoopPicture.Flow?, x: Int, numberY: Int, y: Int, _ stage: OfficeStage, _ anchor: Anchor = .middle,
        isBeside: Bool = false
    ) {
        guard let flow else { return }
        let classes = "n" + severity(.flow(stage))
        if isBeside {
            svg += """
                <text class="\(classes)" x="\(x)" y="\(numberY)">\(flow.depth)\
                <tspan class="s" dx="6">\(flow.what)</tspan></text>
                """
            return text(flow.notes.joined(separator: " · "), x: x, y: y, "s", anchor)
        }
        text(flow.depth, x: x, y: numberY, classes, anchor)
        for (index, note) in ([flow.what] + flow.notes).enumerated() {
            text(note, x: x, y: y + 24 * index, "s", anchor)
        }
    }

    /// - Parameter widthMax: letters of a line are pressed together if it would be wider.
    private mutating func text(
        _ text: String, x: Int, y: Int, _ classes: String, _ anchor: Anchor = .middle, widthMax: Int? = nil
    ) {
        if text.isEmpty { return }
        svg += "<text class=\"\(classes)\" x=\"\(x)\" y=\"\(y)\" text-anchor=\"\(anchor.rawValue)\""
        if let widthMax, displayWidth(text) * cellWidth > widthMax {
            svg += " textLength=\"\(widthMax)\" lengthAdjust=\"spacingAndGlyphs\""
        }
        svg += ">\(text)</text>"
    }

    /// Reads from bottom to top.
    private mutating func turned(_ text: String, x: Int, y: Int) {
        svg += """
            <text class="s" x="\(x)" y="\(y)" transform="rotate(-90 \(x) \(y))" text-anchor="middle">\(text)</text>
            """
    }

    private mutating func line(_ points: [(x: Int, y: Int)], _ stage: OfficeStage?) {
        let places = points.map { "\($0.x),\($0.y)" }.joined(separator: " ")
        svg += "<polyline class=\"flow\(severity(stage.map { .flow($0) }))\" points=\"\(places)\"/>"
    }

    private mutating func arrow(_ points: [(x: Int, y: Int)], _ stage: OfficeStage?) {
        guard let end = points.last, let before = points.dropLast().last else { return }
        line(points, stage)
        let (dx, dy) = ((end.x - before.x).signum(), (end.y - before.y).signum())
        let (x, y) = (end.x - 12 * dx, end.y - 12 * dy)
        svg += """
            <polygon class="head\(severity(stage.map { .flow($0) }))" \
            points="\(end.x),\(end.y) \(x + 7 * dy),\(y + 7 * dx) \(x - 7 * dy),\(y - 7 * dx)"/>
            """
    }
}
