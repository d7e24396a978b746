import Basics

/// `case.notified` (转立案回告): the case office reports that a case was filed; its data is a `CaseFiled`.
extension MessageType {
    public static let caseNotified = MessageType("bihuan.case.notified.v1")
}

extension MessageDefinition {
    static let caseNotified = MessageDefinition(
        .caseNotified, from: .unit, about: .handoff, to: [.feedback],
        example: CaseFiled(caseNumber: "立〔2026〕1号", filedOn: CivilDate(daysSinceEpoch: 20_545)),
        problem: { .text($0.caseNumber, "data.caseNumber", 1...$1.nameBytesMax) }
    ) { .act(.caseNotified($0)) }
}
