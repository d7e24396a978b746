import Foundation
import Submitting
import Workers

/// What inputs are made of: what the repository holds of each kind, and what is known to be dangerous.
enum Seeds {
    private static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    static func of(_ reader: Reader) -> [[UInt8]] {
        switch reader {
        case .message: golden + Hazards.json
        case .sealed: [sealedMessage]
        case .words: (Tokens.words + Tokens.times + Tokens.numbers + urls).map { Array($0.utf8) }
        case .policy: policies.map { Array($0.utf8) } + Hazards.yaml
        case .map: maps.map { Array($0.utf8) } + Hazards.yaml
        case .line: golden + (nativeLines + foreignLines).map { Array($0.utf8) } + Hazards.json
        case .table: Hazards.tables
        case .row: Rows.oids.indices.map { [UInt8($0)] + [0, 0, 0, 0, 0, 0, 0, 1] }
        case .faultCrash, .faultHang, .faultMemory, .faultLeak, .faultAnswer: [Array("a".utf8)]
        }
    }

    private static func file(_ path: String) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: root.appending(path: path).path) else {
            preconditionFailure("the repository has no \(path)")
        }
        return [UInt8](data)
    }

    private static let goldenFolder = "Tests/ContractTests/Golden"
    static let golden: [[UInt8]] = {
        let names =
            (try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: goldenFolder).path)) ?? []
        precondition(!names.isEmpty, "the repository has no \(goldenFolder)")
        return names.filter { $0.hasSuffix(".json") }.sorted().map { file("\(goldenFolder)/\($0)") }
    }()
    static let sealedMessage = file("\(goldenFolder)/handoff.dispatched.sealed.json")
    static let shippedPolicy = String(
        decoding: file("Sources/Setup/Installation/Resources/policy_cn_discipline.yaml"), as: UTF8.self)

    /// Sound ones: from a seed that is refused at once, little is reached.
    private static var policies: [String] {
        let policies = [smallPolicy, shippedPolicy]
        precondition(
            policies.allSatisfy { (try? PolicyFile.read($0, named: "seed")) != nil },
            "a policy of the corpus cannot be read")
        precondition(maps.allSatisfy { (try? FieldMap(yaml: $0)) != nil }, "a field map of the corpus cannot be read")
        return policies
    }

    static let maps = [
        String(decoding: file("deploy/maps/petitions.yaml"), as: UTF8.self),
        """
        source: { from: channel, table: { "1": letter, "2": web }, default: web }
        fields:
          id: { from: meta.no, prefix: "x-" }
          text: body.0.content
          receivedAt: { from: at, format: unix-ms }
          matterKind: { value: accusation }
          reporter.name: { from: sender, default: "" }
          reporter.phone: phone
          accused.name: who
          accused.unit: unit
          allegation.act: body.1
        ignored: [reply]
        """,
    ]
    static let foreignLines = [
        #"{"id":7,"user":"u","title":"路灯","at":"2026-03-02T08:00:00","text":"路灯坏了","repliedAt":null,"reply":"已修"}"#,
        #"""
        {"channel":1,"meta":{"no":"a7"},"body":[{"content":"反映张三"},"收钱"],"at":1772438400000,"sender":"王五\#
        ","phone":"13800138000","who":"张三","unit":"c01"}
        """#,
    ]
    private static let nativeLines = [
        #"""
        {"id":"a1","source":"letter","receivedAt":"2026-03-02T08:00:00Z","title":"t","text":"反映张三\#
        ","reporters":[{"name":"王五"}]}
        """#,
        #"{"text":"没有名字","accused":[{"name":"张三","unit":"c01"}],"allegations":[{"act":"收钱"}]}"#,
    ]
    private static let urls = [
        "amqp://unit.u7:p%40ss@localhost:5672/bihuan?heartbeat=10&connection_timeout=3000",
        "amqps://a:b@[::1]:5671,h2:5672/%2f?verify=verify_none&cacertfile=/x&auth_mechanism=external",
        "source.petition-bureau", "person.li.feedback.recall", "-12.3400", "180 day", "0afF",
    ]

    /// A policy with one row of each kind, so that an input takes little time.
    static let smallPolicy = """
        name: small
        version: 1
        title: 小规则
        case_office: case-office
        vocabulary:
          levels: [{ id: county, name: 县管 }, { id: city, name: 市管 }]
          matter_kinds: [{ id: accusation, name: 检举控告, counts_as_accusation: true, accepted: true }]
          categories: [{ id: bribery, name: 贿赂 }]
          source_kinds: [{ id: web, name: 网 }]
          unit_kinds: [{ id: department, name: 部门 }, { id: superior, name: 上级 }]
          handoff_kinds:
            - { id: transfer, name: 移送, result_owed: true, needs_approval: false, express: false }
            - { id: send_up, name: 上报, result_owed: false, needs_approval: false, express: true, no_clock_reason: 上级办 }
          dispositions: [{ id: kept, name: 暂存待查, terminal: false, look_again_after: 180 day }]
          return_reasons: [{ id: not_ours, name: 不属管辖 }]
          conclusion_outcomes: [{ id: unfounded, name: 查无实据 }]
          authorities: [{ id: housing, name: 住建 }]
        word_lists:
          breach: [贪污, 受贿]
        sealed:
          - { id: sealed-city, when: { level: [city] }, unit_kind: superior, handoff_kind: send_up, citation: 默认值 }
        scope:
          rows:
            - { id: breach, when: { accused_named: true, any_of: [$breach] }, decide: accept, matter_kind: accusation }
            - { id: web, when: { source_kind: [web], proposal: true, none_of: [$breach] }, decide: not_accepted }
          proposals:
            - { id: to-housing, authority: housing, category: 城建, words: [物业, 小区] }
          title_weight: 3
          otherwise: { id: unclear, reason: 无法判断 }
        repeats:
          - { id: same-reporter, same: reporter }
          - { id: same-accused, same: accused }
        routing:
          rows:
            - { id: own, when: { level: [county] }, to: { unit_kinds: [department], place: same }, handoff_kind: \
            transfer }
          otherwise: { id: nobody, reason: 没有可以承办的单位 }
        clocks:
          - id: sign
            kind: sign
            handoff_kinds: [transfer, send_up]
            starts: released
            within: 2 day
            steps:
              - { action: remind, after_start: 24 hour }
              - { action: overdue, after_due: 0 day }
              - { action: remind, after_due: 1 day, every: 1 day, times: 2 }
          - { id: late, kind: overdue, handoff_kinds: [transfer], starts: signed, within: 30 day, steps: [{ action: \
          overdue, after_due: 0 day }] }
          - id: again
            kind: overdue
            handoff_kinds: [transfer]
            starts: conclusion_sent_back
            within: 10 day
            steps: [{ action: warn, before_due: 1 day }]
        returns:
          - { id: return-ours, reasons: [not_ours], hops_max: 1, text_characters_min: 4, approve: true, message: 同意 }
          - { id: return-refused, approve: false, message: 不同意 }
        conclusions:
          - { id: accepted, accept: true, message: 同意办结 }

        """
}
