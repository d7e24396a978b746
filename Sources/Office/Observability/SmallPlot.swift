/// An hour of one measure as a line.
struct SmallPlot {
    /// The drawing's own units: ten seconds across; the height is enough for what a screen shows.
    private static let width = 360
    private static let height = 200
    /// Points further apart are not joined: nobody knows what was between them.
    private static let gapSecondsMax = 180.0

    let measure: OfficeHistory.Measure
    /// The lines: runs of neighbours, from left to right; y is 0 at the top.
    private(set) var runs: [[(x: Int, y: Int)]] = []
    /// The highest value; `nil` if none is known.
    private(set) var highest: Double?

    init(_ measure: OfficeHistory.Measure, _ history: OfficeHistory, now: Double) {
        self.measure = measure
        let since = now - OfficeHistory.secondsMax
        let shown = history.points.filter { $0.time >= since && $0.time <= now }
        highest = shown.compactMap { $0.values[measure] }.max()
        let scale = Double(Self.height) / Swift.max(highest ?? 0, 1)
        var last: Double?
        for point in shown {
            guard let value = point.values[measure] else {
                last = nil
                continue
            }
            if last.map({ point.time - $0 > Self.gapSecondsMax }) ?? true { runs.append([]) }
            last = point.time
            let x = Int((point.time - since) / OfficeHistory.secondsMax * Double(Self.width))
            runs[runs.count - 1].append((x, Self.height - Int(clamped: (value * scale).rounded())))
        }
    }

    /// - Parameter current: the value now, in words.
    func figure(current: String, _ words: PageWords) -> Markup {
        let name = words.measure(measure)
        let most = highest.map { words.amount($0) } ?? PageWords.unknown
        let (width, height) = (Self.width, Self.height)
        var lines = Markup("")
        for run in runs {
            // A point of its own is a line without a length, which its round ends show.
            var points = ""
            for (x, y) in run.count == 1 ? run + run : run { points += "\(x),\(y) " }
            lines += "<polyline points=\"\(points)\"/>"
        }
        let label = words(
            "\(name), the last hour: now \(current), at most \(most)", "\(name)，最近一小时：当前 \(current)，最高 \(most)")
        return """
            <figure><figcaption><span>\(name)</span><b>\(current)</b></figcaption>\
            <svg viewBox="0 -6 \(width) \(height + 12)" preserveAspectRatio="none" role="img" aria-label="\(label)">\
            <path class="grid" d="M0 0H\(width)V\(height)H0ZM\(width / 2) 0V\(height)"/>\
            \(lines)</svg>\
            <div class="axis"><span>\(words("−60 min", "−60 分"))</span><span>\(words("max", "最高")) \(most)</span>\
            <span>\(words("now", "现在"))</span></div></figure>

            """
    }
}
