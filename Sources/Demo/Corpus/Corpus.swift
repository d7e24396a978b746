public import Casework

/// One report of the corpus, ready to be submitted under its source.
public struct SampleReport: Sendable, Hashable {
    public let source: SourceID
    /// The submission's id (CloudEvents `id`), the same for the same seed and place in the corpus.
    public let id: String
    public let submission: Submission
}

/// An endless, seeded stream of invented reports in Chinese, as such an office receives them.
///
/// The same seed gives the same bytes.
public struct Corpus: Sendable {
    private let seed: UInt64
    private let office: SampleOffice
    private let receivedAround: Instant
    private var index = 0

    public init(seed: UInt64, office: SampleOffice = .standard, receivedAround: Instant) {
        self.seed = seed
        self.office = office
        self.receivedAround = receivedAround
    }

    public mutating func next() -> SampleReport {
        defer { index += 1 }
        return SampleReport(
            source: office.sources[index % office.sources.count].id, id: "sample-\(String(seed, radix: 16))-\(index)",
            submission: Submission(
                receivedAt: receivedAround, matterKind: "accusation", title: "关于村干部优亲厚友的反映",
                text: "村党支部书记将低保名额给自己的亲属。", region: "p-c01-d01",
                accused: [Accused(name: recusalAccused, level: "village", region: "p-c01-d01")],
                allegations: [Allegation(category: "favouritism", act: "优亲厚友")]))
    }
}
