public import Basics

extension MessageType {
    public static let dispositionDecided = MessageType("bihuan.disposition.decided.v1")
}

/// The data of `disposition.decided`: one of the policy's dispositions (四类处置).
public struct DispositionDecided: Codable, Hashable, Sendable {
    public var disposition: String
    public var decidedOn: CivilDate?

    public init(disposition: String, decidedOn: CivilDate? = nil) {
        self.disposition = disposition
        self.decidedOn = decidedOn
    }
}

extension MessageDefinition {
    static let dispositionDecided = MessageDefinition(
        .dispositionDecided, from: .unit, about: .handoff, to: [.feedback],
        example: DispositionDecided(disposition: "preliminary_verification", decidedOn: CivilDate("2026-03-20")),
        words: { [PolicyWord($0.disposition, at: "data.disposition", of: .dispositions)] }
    ) { .act(.decided($0)) }
}
