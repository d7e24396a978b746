import Corpus

/// Makes inputs for one reader: a seed of the corpus, changed a few times.
struct Mutator {
    private let seeds: [[UInt8]]
    private let largeSeeds: [[UInt8]]
    private let tokens: [[UInt8]]
    private let shape: Shape

    /// What an input is made of, for changes that keep it whole.
    enum Shape { case json, yaml, text, table, row }

    /// Longer inputs are made of large seeds only.
    private static let ordinaryBytesMax = 16_384

    init(_ reader: Reader) {
        let corpus = Seeds.of(reader)
        seeds = corpus.filter { $0.count <= Self.ordinaryBytesMax }
        largeSeeds = corpus.filter { $0.count > Self.ordinaryBytesMax }
        switch reader {
        case .message, .sealed, .line: shape = .json
        case .policy, .map: shape = .yaml
        case .table: shape = .table
        case .row: shape = .row
        case .words, .faultCrash, .faultHang, .faultMemory, .faultLeak, .faultAnswer: shape = .text
        }
        tokens = Tokens.of(shape)
    }

    func input(_ random: inout SeededRandom) -> [UInt8] {
        if !largeSeeds.isEmpty, random.once(in: 400) { return changed(random.pick(largeSeeds), &random) }
        switch shape {
        case .table where random.once(in: 2):
            return changed(TableBytes.make(&random), &random, changes: random.below(4))
        case .row where random.once(in: 2): return changed(RowBytes.make(&random), &random, changes: random.below(4))
        default: return changed(random.pick(seeds), &random)
        }
    }

    func changed(_ seed: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        // Mostly few changes: much changed input ends at the first check.
        changed(seed, &random, changes: 1 + random.below(1 << random.below(5)))
    }

    private func changed(_ seed: [UInt8], _ random: inout SeededRandom, changes: Int) -> [UInt8] {
        var bytes = seed
        for _ in 0..<changes { change(&bytes, &random) }
        return bytes
    }

    private func change(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        switch shape {
        case .json where random.once(in: 2): JSONChanges.change(&bytes, &random)
        case .yaml where random.once(in: 2): YAMLChanges.change(&bytes, &random)
        default: changeBytes(&bytes, &random)
        }
    }

    private func changeBytes(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        let at = random.below(bytes.count + 1)
        switch random.below(12) {
        case 0 where !bytes.isEmpty: bytes[random.below(bytes.count)] ^= 1 << random.below(8)
        case 1 where !bytes.isEmpty: bytes[random.below(bytes.count)] = random.byte()
        case 2 where !bytes.isEmpty: bytes[random.below(bytes.count)] = random.pick([0, 1, 0x7F, 0x80, 0xFE, 0xFF])
        case 3: bytes.insert(contentsOf: random.pick(tokens), at: at)
        case 4:
            let token = random.pick(tokens)
            bytes.replaceSubrange(at..<min(bytes.count, at + token.count), with: token)
        case 5: bytes.removeSubrange(random.stretch(of: bytes.count, countMax: 64))
        case 6: bytes.insert(contentsOf: Array(bytes[random.stretch(of: bytes.count, countMax: 256)]), at: at)
        case 7:
            let other = random.pick(seeds)
            bytes.insert(contentsOf: other[random.stretch(of: other.count, countMax: 512)], at: at)
        case 8:
            let other = random.pick(seeds)
            bytes = Array(bytes[..<at]) + other[random.below(other.count + 1)...]
        case 9: bytes.insert(contentsOf: (0..<random.below(9)).map { _ in random.byte() }, at: at)
        case 10 where random.once(in: 4):
            let unit = random.pick(tokens)
            let times = min(1 << random.below(random.once(in: 100) ? 17 : 10), 262_144 / max(1, unit.count))
            bytes.insert(contentsOf: Array(repeatElement(unit, count: times).joined()), at: at)
        default: bytes.removeLast(random.below(min(bytes.count, 32) + 1))
        }
    }
}
