/// A small, fast random generator (SplitMix64). Its sequence depends only on its seed, on every platform and for ever.
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    /// The generator for one of many things with the same seed; any of them can be drawn without the earlier ones.
    public init(seed: UInt64, index: Int) {
        self.init(seed: seed)
        state ^= next() &+ UInt64(bitPattern: Int64(index)) &* 0xD1B5_4A32_D192_ED03
    }

    /// A generator seeded by a name: the same name always gives the same sequence.
    public init(name: String) {
        // FNV-1a: `Hasher` has a new seed in each process and would not repeat.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        state = hash
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, but not including, `bound`.
    public mutating func below(_ bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(max(1, bound))).high)
    }

    public mutating func number(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }

    public mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    /// One of the choices, which must not be empty.
    public mutating func pick<Element>(_ choices: [Element]) -> Element { choices[below(choices.count)] }

    /// Up to `count` different elements, in the order drawn.
    public mutating func pick<Element>(_ count: Int, of choices: [Element]) -> [Element] {
        var left = choices
        return (0..<min(count, left.count)).map { _ in left.remove(at: below(left.count)) }
    }

    /// An index drawn by weight.
    public mutating func weighted(_ weights: [Int]) -> Int {
        var rest = below(weights.reduce(0, +))
        for (index, weight) in weights.enumerated() {
            if rest < weight { return index }
            rest -= weight
        }
        return weights.count - 1
    }
}
