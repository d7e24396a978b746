import Basics
import Casework

/// `report.submitted`: a source submits one report; its data is a `Submission`. Only intake reads it (invariant 3): no
/// other worker's desk is given it (`isHeard`, `LaneStore.swift`). Its desk finds all its problems at once.
extension MessageType {
    public static let reportSubmitted = MessageType("bihuan.report.submitted.v1")
}

extension MessageDefinition {
    static let reportSubmitted = MessageDefinition(
        .reportSubmitted, from: .source, about: .itself, to: [.intake],
        example: Submission(
            receivedAt: Instant("2026-03-01T16:00:00.250Z"), matterKind: "accusation", title: "举报张三贪污",
            text: "反映张三虚报冒领。\n“引号”与\\反斜杠/斜杠", region: "p-c01",
            reporters: [
                Reporter(
                    name: "王五", organ: "某村", phone: "13800000000", email: "w@example.com",
                    idNumber: "110101199001010000", address: "某路1号", consent: .handler)
            ], accused: Example.accused, allegations: Example.allegations, attachments: Example.attachments),
        wholeNumbers: [["attachments", "*", "bytes"]]
    ) { .submitted(.report($0)) }
}

extension Example {
    static let accused = [
        Accused(
            name: "张三", organ: "某镇政府", position: "副镇长", level: "township", region: "p-c01",
            unit: UnitID(unchecked: "c01"))
    ]
    static let allegations = [Allegation(category: "corruption", act: "贪污危房改造资金")]
    static let attachments = [Attachment(name: "账页.jpg", mediaType: "image/jpeg", bytes: 123_456, sha256: sha256)]
}
