/// SplitMix64: the sequence depends on the seed alone.
struct SeededRandom {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// The source of one input of one run, so that any input can be made again without those before it.
    init(seed: UInt64, index: Int) {
        self.init(seed: seed)
        state ^= next() &+ UInt64(bitPattern: Int64(index)) &* 0xD1B5_4A32_D192_ED03
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// 0 to `bound` - 1; 0 where there is nothing to choose from.
    mutating func below(_ bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(max(1, bound))).high) }

    mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }

    /// One time in `count`.
    mutating func once(in count: Int) -> Bool { below(count) == 0 }

    /// `choices` must not be empty.
    mutating func pick<Element>(_ choices: [Element]) -> Element { choices[below(choices.count)] }

    /// A stretch of at most `countMax` elements within `count`.
    mutating func stretch(of count: Int, countMax: Int) -> Range<Int> {
        let start = below(count + 1)
        return start..<(start + below(min(count - start, countMax) + 1))
    }
}
