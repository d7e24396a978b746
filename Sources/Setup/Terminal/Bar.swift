/// Bars of Unicode blocks. A bar stands at the end of its line, since some terminals show blocks two cells wide.
package enum Bar {
    private static let eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]

    /// The bar of a value on a scale from 0 to `full`, which fills `width` cells. What is more than nothing is seen.
    package static func text(_ value: Double, of full: Double, width: Int) -> String {
        guard value > 0, full > 0, width > 0 else { return "" }
        let parts = max(1, Int((min(value / full, 1) * Double(width * 8)).rounded()))
        return String(repeating: "█", count: parts / 8) + eighths[parts % 8]
    }
}
