import Corpus

extension SeededRandom {
    mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }

    /// One time in `count`.
    mutating func once(in count: Int) -> Bool { below(count) == 0 }

    /// A stretch of at most `countMax` elements within `count`.
    mutating func stretch(of count: Int, countMax: Int) -> Range<Int> {
        let start = below(count + 1)
        return start..<(start + below(min(count - start, countMax) + 1))
    }
}
