/// How much one message may hold. What is larger is refused with the limit's name, never cut.
public struct Limits: Sendable {
    public var messageBytesMax = 262_144
    public var jsonDepthMax = 32
    public var eventIDBytesMax = 128
    public var textBytesMax = 200_000
    public var titleBytesMax = 2_000
    public var nameBytesMax = 600
    public var accusedMax = 50
    public var allegationsMax = 50
    public var reportersMax = 20
    public var attachmentsMax = 50
    public var attachmentBytesMax = 64 << 20
    public var attachmentPartsMax = 1024
    /// Of all papers announced with one report.
    public var papersBytesMax = 256 << 20
    /// How long parts of a paper are kept that is not closed, from the first of them: 30 days.
    public var paperPartsKeptSeconds = 2_592_000
    public var reasonBytesMax = 4_000
    /// A report that says it was received earlier has a date that stands for none.
    public var receivedYearMin = 1900
    /// How far a source's clock may run ahead of the office's.
    public var receivedAheadSecondsMax = 86_400
    /// Acts that wait for a signature, of one handoff and of one unit, and how many bytes they are together.
    public var earlyPerHandoffMax = 100
    public var earlyPerUnitMax = 500
    public var earlyBytesPerUnitMax = 16 << 20

    /// Messages of one sender that could not be handled and wait for a person.
    public var deadLettersPerSenderMax = 1_000
    /// What is said of one handoff by progress, dispositions and notices of cases.
    public var notesPerHandoffMax = 1_000
    public var notesBytesPerHandoffMax = 16 << 20

    public init() {}

    public static let standard = Limits()

    /// Whether a text can be an id or a subject: printable ASCII, no blanks, of a length that is kept.
    public func admitsID(_ text: String) -> Bool {
        (1...eventIDBytesMax).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
