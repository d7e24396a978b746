public import Basics

extension MessageType {
    public static let caseFiled = MessageType("bihuan.case.filed.v1")
}

/// The data of `case.filed` (立案) from the handling unit and of `case.notified` (转立案回告) from the case office.
public struct CaseFiled: Codable, Hashable, Sendable {
    public var caseNumber: String
    public var filedOn: CivilDate

    public init(caseNumber: String, filedOn: CivilDate) {
        self.caseNumber = caseNumber
        self.filedOn = filedOn
    }
}

extension MessageDefinition {
    static let caseFiled = MessageDefinition(
        .caseFiled, from: .unit, about: .handoff, to: [.feedback],
        example: CaseFiled(caseNumber: "立〔2026〕1号", filedOn: CivilDate(daysSinceEpoch: 20_545)),
        problem: { .text($0.caseNumber, "data.caseNumber", 1...$1.nameBytesMax) }
    ) { .act(.caseFiled($0)) }
}
