/// Finds many patterns in a folded text in one pass (Aho and Corasick, 1975). The time depends on the length of the
/// text and the number of matches, not on the patterns.
public struct TextFinder: Sendable {
    /// A node is a prefix of patterns; 0 is the empty one. The children of a node are adjacent, in the order of their
    /// symbols.
    private var symbolOf: [Int32] = [0]
    private var firstChild: [Int32] = []
    /// The longest other prefix that is a suffix of this one.
    private var fallback: [Int32] = [0]
    /// The pattern equal to this prefix; -1 if none.
    private var patternOf: [Int32] = []
    /// The nearest node on the `fallback` path, this one included, that is a pattern; 0 if none.
    private var finding: [Int32] = []
    private var fromRoot: [Int32] = []

    /// The characters of the patterns, numbered from 1, in pages of 256 up to the last one needed.
    private var symbolPage: [Int32]
    private var symbols = [Int32](repeating: 0, count: 256)
    private var symbolCount: Int32 = 1

    private let lengths: [Int]

    /// - Parameter patterns: folded; of equal patterns the first is found, empty ones never.
    public init(_ patterns: [[UInt32]]) {
        lengths = patterns.map(\.count)
        let last = patterns.reduce(0) { max($0, $1.max() ?? 0) }
        symbolPage = [Int32](repeating: 0, count: Int(last >> 8) + 1)
        for pattern in patterns { for scalar in pattern { number(scalar) } }
        let written = patterns.map { $0.map { symbol($0) } }
        let order = written.indices.filter { !written[$0].isEmpty }.sorted { left, right in
            if written[left].lexicographicallyPrecedes(written[right]) { return true }
            return written[left] == written[right] && left < right
        }
        grow(written, order)
        link()
    }

    public var isEmpty: Bool { symbolOf.count == 1 }

    /// Calls `found` with each pattern and its range of units, in the order of their ends, the longest first.
    /// - Parameter found: returns true to receive the shorter patterns with the same end too.
    public func scan(_ text: FoldedText, _ found: (_ pattern: Int, _ range: Range<Int>) -> Bool) {
        if isEmpty { return }
        var node = 0
        for (index, unit) in text.units.enumerated() {
            node = step(from: node, by: symbol(unit.scalar))
            var ending = Int(finding[node])
            while ending != 0 {
                let pattern = Int(patternOf[ending])
                guard found(pattern, index + 1 - lengths[pattern]..<index + 1) else { break }
                ending = Int(finding[Int(fallback[ending])])
            }
        }
    }

    // MARK: The automaton

    @inline(__always) private func symbol(_ scalar: UInt32) -> Int32 {
        let page = Int(scalar >> 8)
        return page < symbolPage.count ? symbols[Int(symbolPage[page]) + Int(scalar & 0xFF)] : 0
    }

    private func step(from start: Int, by symbol: Int32) -> Int {
        // The character occurs in no pattern.
        if symbol == 0 { return 0 }
        var node = start
        while node != 0 {
            if let child = child(of: node, symbol) { return child }
            node = Int(fallback[node])
        }
        return Int(fromRoot[Int(symbol)])
    }

    private func child(of node: Int, _ symbol: Int32) -> Int? {
        var (low, high) = (Int(firstChild[node]), Int(firstChild[node + 1]))
        while low < high {
            let middle = (low + high) / 2
            if symbolOf[middle] == symbol { return middle }
            if symbolOf[middle] < symbol { low = middle + 1 } else { high = middle }
        }
        return nil
    }

    private mutating func number(_ scalar: UInt32) {
        let page = Int(scalar >> 8)
        if symbolPage[page] == 0 {
            symbolPage[page] = Int32(symbols.count)
            symbols += repeatElement(0, count: 256)
        }
        let place = Int(symbolPage[page]) + Int(scalar & 0xFF)
        if symbols[place] == 0 {
            symbols[place] = symbolCount
            symbolCount += 1
        }
    }

    /// Builds the nodes breadth first: patterns with a common prefix are adjacent in the order.
    private mutating func grow(_ patterns: [[Int32]], _ order: [Int]) {
        var sharing: [Range<Int>] = [order.indices]
        var depths = [0]
        var node = 0
        while node < symbolOf.count {
            firstChild.append(Int32(symbolOf.count))
            let depth = depths[node]
            var rest = sharing[node]
            // Patterns that end here come first.
            let ends = rest.first.flatMap { patterns[order[$0]].count == depth && depth > 0 ? order[$0] : nil }
            patternOf.append(Int32(ends ?? -1))
            while let first = rest.first, patterns[order[first]].count == depth { rest = first + 1..<rest.upperBound }
            while let first = rest.first {
                let symbol = patterns[order[first]][depth]
                var last = first + 1
                while last < rest.upperBound, patterns[order[last]][depth] == symbol { last += 1 }
                symbolOf.append(symbol)
                sharing.append(first..<last)
                depths.append(depth + 1)
                rest = last..<rest.upperBound
            }
            node += 1
        }
        firstChild.append(Int32(symbolOf.count))
    }

    private mutating func link() {
        fromRoot = [Int32](repeating: 0, count: Int(symbolCount))
        for child in Int(firstChild[0])..<Int(firstChild[1]) { fromRoot[Int(symbolOf[child])] = Int32(child) }
        fallback = [Int32](repeating: 0, count: symbolOf.count)
        finding = [Int32](repeating: 0, count: symbolOf.count)
        for node in symbolOf.indices {
            for child in Int(firstChild[node])..<Int(firstChild[node + 1]) where node != 0 {
                fallback[child] = Int32(step(from: Int(fallback[node]), by: symbolOf[child]))
            }
            finding[node] = patternOf[node] >= 0 ? Int32(node) : finding[Int(fallback[node])]
        }
    }
}
