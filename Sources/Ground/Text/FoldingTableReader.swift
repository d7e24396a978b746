/// Reads the tables in `Tables`.
struct FoldingTableReader {
    private(set) var expansions: [[UInt32]] = []
    /// Pages without special characters are shared.
    private(set) var pageStart = [Int32](repeating: 0, count: 0x1100)
    private(set) var cells = [FoldingTable.Cell](repeating: FoldingTable.Cell(), count: 256)
    private var isOwnPage = [Bool](repeating: false, count: 0x1100)

    init() {
        readKinds()
        readRuns(KindTable.combining)
        for (value, digit) in FoldingTableReader.pairs(KindTable.digits) {
            change(value) { $0.digit = digit.first ?? 0 }
        }
        let oneToOne = FoldingTableReader.variants(VariantTable.oneToOne)
        let variants = oneToOne.merging(FoldingTableReader.variants(VariantTable.others)) { _, wide in wide }
        for (from, to) in variants {
            let narrow = oneToOne[from] ?? 0
            change(from) { ($0.wide, $0.narrow) = (to == from ? 0 : to, narrow) }
        }
        for (from, parts) in FoldingTableReader.mappings([LetterTable.wide, IdeographTable.wide]) {
            let wide = target(parts.map { variants[$0] ?? $0 }, of: from)
            let narrow = target(parts.map { oneToOne[$0] ?? $0 }, of: from)
            change(from) { ($0.wide, $0.narrow) = (wide, narrow) }
        }
        for (from, parts) in FoldingTableReader.mappings([LetterTable.narrow]) {
            let narrow = target(parts.map { oneToOne[$0] ?? $0 }, of: from)
            change(from) { $0.narrow = narrow }
        }
    }

    private mutating func change(_ value: UInt32, _ change: (inout FoldingTable.Cell) -> Void) {
        let page = Int(value >> 8)
        if !isOwnPage[page] {
            let start = Int(pageStart[page])
            pageStart[page] = Int32(cells.count)
            cells += Array(cells[start..<start + 256])
            isOwnPage[page] = true
        }
        change(&cells[Int(pageStart[page]) + Int(value & 0xFF)])
    }

    private mutating func target(_ parts: [UInt32], of value: UInt32) -> UInt32 {
        if parts.count == 1 { return parts[0] == value ? 0 : parts[0] }
        expansions.append(parts)
        return FoldingTable.expansion | UInt32(expansions.count - 1)
    }

    private mutating func readKinds() {
        var shared: [CharacterKind: Int32] = [.kept: 0]
        var runs = KindTable.kinds.utf8.split(whereSeparator: FoldingTableReader.isBlank).map { word in
            (first: FoldingTableReader.number(word.dropLast()), kind: word.last.flatMap(CharacterKind.init) ?? .kept)
        }
        runs.append((0x110000, .kept))
        for (run, next) in zip(runs, runs.dropFirst()) {
            var value = run.first
            while value < next.first {
                guard value & 0xFF == 0, value + 256 <= next.first else {
                    change(value) { $0.kind = run.kind }
                    value += 1
                    continue
                }
                if shared[run.kind] == nil {
                    shared[run.kind] = Int32(cells.count)
                    cells += repeatElement(FoldingTable.Cell(kind: run.kind), count: 256)
                }
                pageStart[Int(value >> 8)] = shared[run.kind] ?? 0
                value += 256
            }
        }
    }

    private mutating func readRuns(_ text: String) {
        var runs = FoldingTableReader.pairs(text).map {
            (first: $0.key, combining: FoldingTableReader.decimal($0.word))
        }
        runs.append((0x110000, 0))
        for (run, next) in zip(runs, runs.dropFirst()) where run.combining != 0 {
            for value in run.first..<next.first { change(value) { $0.combining = run.combining } }
        }
    }
}

// MARK: - The texts of the tables

extension FoldingTableReader {
    private typealias Word = Substring.UTF8View

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A }
    private static func isEqualSign(_ byte: UInt8) -> Bool { byte == 0x3D }

    /// Reads upper-case hexadecimal digits.
    private static func number(_ digits: Word) -> UInt32 {
        digits.reduce(0) { $0 << 4 | UInt32($1 <= 0x39 ? $1 - 0x30 : $1 - 0x37) }
    }

    private static func decimal(_ digits: Word) -> UInt8 { digits.reduce(0) { $0 &* 10 &+ ($1 &- 0x30) } }

    /// Reads words `KEY=…` with hexadecimal keys.
    private static func pairs(_ text: String) -> [(key: UInt32, word: Word)] {
        text.utf8.split(whereSeparator: isBlank).map { entry in
            let parts = entry.split(maxSplits: 1, whereSeparator: isEqualSign)
            return (number(parts[0]), parts[1])
        }
    }

    /// Reads pairs of characters: from, to.
    private static func variants(_ text: String) -> [UInt32: UInt32] {
        var variants: [UInt32: UInt32] = [:]
        var from: UInt32?
        for scalar in text.unicodeScalars where scalar != "\n" {
            if let known = from { variants[known] = scalar.value }
            from = from == nil ? scalar.value : nil
        }
        return variants
    }

    /// Reads `FROM=TO,TO`, `FIRST-LAST=TO` (both grow by one) and `FIRST:…` (a run of ideographs).
    private static func mappings(_ texts: [String]) -> [(from: UInt32, parts: [UInt32])] {
        var mappings: [(from: UInt32, parts: [UInt32])] = []
        for entry in texts.joined(separator: " ").utf8.split(whereSeparator: isBlank) {
            let parts = entry.split(maxSplits: 1, whereSeparator: isEqualSign)
            guard parts.count == 2 else {
                let run = Substring(entry).split(separator: ":")
                let first = number(run[0].utf8)
                for (offset, scalar) in run[1].unicodeScalars.enumerated() {
                    mappings.append((first + UInt32(offset), [scalar.value]))
                }
                continue
            }
            let range = parts[0].split { $0 == 0x2D }.map(number)
            let targets = parts[1].split { $0 == 0x2C }.map(number)
            for value in range[0]...(range.last ?? range[0]) {
                mappings.append((value, targets.count == 1 ? [targets[0] + value - range[0]] : targets))
            }
        }
        return mappings
    }
}
