import Corpus
import Foundation

/// Tries inputs, one after the other, and writes each on the blackboard before it is tried. Runs in a process of its
/// own.
struct Trial {
    let reader: Reader
    let seed: UInt64
    let indices: Range<Int>
    let board: Blackboard

    /// Whether all went well. A wrong answer ends it; a crash or a hang is for the watching process to see.
    func run() -> Bool {
        Trial.boundMemory()
        let mutator = Mutator(reader)
        let seeds = Seeds.of(reader)
        var gauge = Gauge()
        // Memory that is allocated once, such as tables of characters, is no input's fault.
        _ = try? reader.read(seeds[0])
        board[.firstAnonymousBytes] = Gauge.Usage.anonymousBytes
        for index in indices {
            var random = SeededRandom(seed: seed, index: index)
            // The seeds themselves come first.
            let input = index < seeds.count ? seeds[index] : mutator.input(&random)
            board.input = input
            board[.startedNanoseconds] = Int(Gauge.Usage.seconds * 1e9)
            board[.index] = index
            let slowest = gauge.slowestSeconds
            do throws(WrongAnswer) {
                try gauge.measure(reader, input)
            } catch {
                board.remark = error.what
                return false
            }
            if gauge.slowestSeconds > slowest {
                board[.slowestNanoseconds] = Int(gauge.slowestSeconds * 1e9)
                board[.slowestIndex] = index
            }
            board[.largestBytes] = gauge.largestBytes
            // Not every time: to ask costs as much as many a reader.
            if index % 50 == 49, let kept = keptMebibytes() {
                board.remark = "keeps \(kept) MiB after \(index + 1 - indices.lowerBound) inputs"
                return false
            }
        }
        board[.lastAnonymousBytes] = Gauge.Usage.anonymousBytes
        board[.index] = indices.upperBound
        return true
    }

    /// What all inputs together have left behind, where it is more than one may take.
    private func keptMebibytes() -> Int? {
        let kept = Gauge.Usage.anonymousBytes - board[.firstAnonymousBytes]
        return kept > Gauge.bytesMax ? kept >> 20 : nil
    }

    /// An input that asks for all the memory there is shall end this process, and no other.
    private static func boundMemory() {
        var limit = rlimit(rlim_cur: 4 << 30, rlim_max: 4 << 30)
        setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limit)
    }
}
