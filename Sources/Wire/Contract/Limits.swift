/// The limits of one message. What exceeds a limit is refused with the limit in the reason, never cut.
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
    /// All attachments announced with one report.
    public var papersBytesMax = 256 << 20
    /// How long the parts of an incomplete attachment are kept after the first of them: 30 days.
    public var paperPartsKeptSeconds = 2_592_000
    public var reasonBytesMax = 4_000
    /// The earliest year of `receivedAt`; an earlier date is a placeholder.
    public var receivedYearMin = 1900
    /// How far a source's clock may be ahead of the office's.
    public var receivedAheadSecondsMax = 86_400
    /// Deferred acts, which wait for a signature: per handoff, per unit, and their bytes per unit.
    public var earlyPerHandoffMax = 100
    public var earlyPerUnitMax = 500
    public var earlyBytesPerUnitMax = 16 << 20

    /// Messages of one sender that could not be handled and wait for a person.
    public var deadLettersPerSenderMax = 1_000
    /// Progress, dispositions and notices of cases for one handoff, and their bytes.
    public var notesPerHandoffMax = 1_000
    public var notesBytesPerHandoffMax = 16 << 20

    public init() {}

    public static let standard = Limits()

    /// True if a text can be an id or a subject: printable ASCII without blanks, within the length limit.
    public func admitsID(_ text: String) -> Bool {
        (1...eventIDBytesMax).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
