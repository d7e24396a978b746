public import Basics
public import Casework
public import Installation

/// One report of the corpus, ready for submission under its source.
public struct SampleReport: Sendable, Hashable {
    public let source: SourceID
    /// The submission's id (CloudEvents `id`); the seed and the index in the corpus determine it.
    public let id: String
    public let submission: Submission
}

/// An endless, seeded stream of invented reports in Chinese, as such an office receives them.
///
/// Of a hundred reports about 68 are accusations that can be accepted, 17 are outside the scope, 5 are appeals, 4
/// are suggestions and 6 are too vague to place. About one in twenty repeats an earlier report word for word under
/// its own id. Half come from reporters who give their names. The same seed gives the same bytes on every platform.
///
/// No report announces attachments: their bytes travel separately, and a report would wait for attachments that
/// are never sent. The places are those of `SampleOffice.standard`; another office supplies its own sources and
/// handling units.
public struct Corpus: Sendable {
    private let seed: UInt64
    private let receivedAround: Instant
    private let author: ReportAuthor
    private var index = 0

    /// The search for the original of an exact repeat begins at most this many reports back.
    private static let repeatReachMax = 200

    /// Creates a stream of reports that arrive in the 36 hours before `receivedAround`. `office` needs at least
    /// one source.
    public init(seed: UInt64, office: SampleOffice = .standard, receivedAround: Instant) {
        self.seed = seed
        self.receivedAround = receivedAround
        author = ReportAuthor(office: office, year: CivilDate(daysSinceEpoch: receivedAround.day).components.year)
    }

    public mutating func next() -> SampleReport {
        defer { index += 1 }
        return report(at: index)
    }

    /// The report at an index of the corpus, from 0, without writing the earlier ones.
    public func report(at index: Int) -> SampleReport {
        var random = random(at: index)
        let original = original(of: index, &random)
        var draft = author.write(self.random(at: original, salt: 1))
        if original != index, random.chance(40) { draft.source = author.anySource(&random) }
        draft.submission.receivedAt = receivedAround.adding(seconds: -Double(random.below(36 * 3600)))
        return SampleReport(
            source: draft.source, id: "sample-\(String(seed, radix: 16))-\(index)", submission: draft.submission)
    }

    /// The index of the report that this one repeats; its own index if it is no repeat.
    private func original(of index: Int, _ random: inout SeededRandom) -> Int {
        guard index > 0, isRepeat(index, &random) else { return index }
        var earlier = index - 1 - random.below(min(index, Self.repeatReachMax))
        while earlier > 0 {
            var other = self.random(at: earlier)
            guard isRepeat(earlier, &other) else { break }
            earlier -= 1
        }
        return earlier
    }

    private func isRepeat(_ index: Int, _ random: inout SeededRandom) -> Bool { random.chance(5) && index > 0 }

    private func random(at index: Int, salt: UInt64 = 0) -> SeededRandom {
        var random = SeededRandom(
            seed: seed ^ (UInt64(bitPattern: Int64(index)) &* 0xD1B5_4A32_D192_ED03) ^ (salt << 62))
        // Neighbouring seeds of SplitMix64 give overlapping sequences; a seed drawn from the generator does not.
        return SeededRandom(seed: random.next())
    }
}

extension Instant {
    /// Days since 1970-01-01 in UTC.
    fileprivate var day: Int { Int((Double(microsecondsSinceEpoch) / 86_400_000_000).rounded(.down)) }
}
