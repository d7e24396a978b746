import Casework
import Foundation

/// A small policy, as JSON since the rules know no YAML, whose parts the tests change.
enum PolicyFixture {
    static func rulebook() throws -> Rulebook { try Rulebook(policy()) }

    /// The policy with one stretch of its text replaced, which must occur in it.
    static func policy(replacing old: String = "", by new: String = "") throws -> Policy {
        var text = json
        if !old.isEmpty {
            guard let range = text.range(of: old) else { throw MissingText(text: old) }
            text.replaceSubrange(range, with: new)
        }
        return try JSONDecoder().decode(Policy.self, from: Data(text.utf8))
    }

    struct MissingText: Error { let text: String }

    private static let json = """
        {
          "name": "test-policy", "version": 3, "title": "测试规则",
          "vocabulary": {
            "levels": [
              {"id": "village", "name": "村"}, {"id": "county", "name": "县管"}, {"id": "city", "name": "市管"},
              {"id": "province", "name": "省管"}, {"id": "central", "name": "中管"}],
            "matter_kinds": [
              {"id": "accusation", "name": "检举控告", "counts_as_accusation": true, "accepted": true},
              {"id": "appeal", "name": "申诉", "counts_as_accusation": false, "accepted": true},
              {"id": "outside", "name": "业务范围外", "counts_as_accusation": false, "accepted": false}],
            "categories": [{"id": "bribery", "name": "贿赂"}, {"id": "work", "name": "工作纪律"}],
            "source_kinds": [{"id": "web", "name": "网"}, {"id": "letter", "name": "信"}, {"id": "superior", "name": "上级\
            "}],
            "unit_kinds": [
              {"id": "department", "name": "部门"}, {"id": "stationed", "name": "派驻"}, {"id": "city", "name": "市"},
              {"id": "county", "name": "县"}, {"id": "superior", "name": "上级"}],
            "handoff_kinds": [
              {"id": "transfer", "name": "移送", "result_owed": true, "needs_approval": false, "express": false},
              {"id": "send_down", "name": "转送", "result_owed": false, "needs_approval": false, "express": false,
               "no_clock_reason": "由督查监督"}],
            "dispositions": [
              {"id": "closed", "name": "予以了结", "terminal": true},
              {"id": "kept", "name": "暂存待查", "terminal": false, "look_again_after": "180 day"}],
            "return_reasons": [{"id": "not_competent", "name": "不属管辖"}, {"id": "no_substance", "name": "空泛"}],
            "conclusion_outcomes": [{"id": "substantiated", "name": "属实"}, {"id": "unfounded", "name": "查无实据"}],
            "authorities": [{"id": "housing", "name": "住建"}, {"id": "transport", "name": "交通"},
              {"id": "petition", "name": "信访"}]
          },
          "word_lists": {"breach": ["贪污", "受贿", "以权谋私"]},
          "case_office": "case-office",
          "sealed": [{"id": "sealed-central", "when": {"level": ["central"]}, "unit_kind": "superior",
            "handoff_kind": "send_down", "citation": "默认值"}],
          "scope": {
            "rows": [
              {"id": "appeal", "when": {"matter_kind": ["appeal"], "any_of": ["处分"]}, "decide": "accept"},
              {"id": "named", "when": {"accused_named": true, "allegation_categorised": true}, "decide": "accept",
               "matter_kind": "accusation"},
              {"id": "breach", "when": {"accused_named": true, "any_of": ["$breach"]}, "decide": "accept",
               "matter_kind": "accusation"},
              {"id": "breach-unnamed", "when": {"any_of": ["$breach"]}, "decide": "needs_review", "reason": "没有被反映人"},
              {"id": "web-outside", "when": {"source_kind": ["web"], "proposal": true, "none_of": ["$breach"]},
               "decide": "not_accepted"},
              {"id": "stated-outside", "when": {"matter_kind": ["outside"]}, "decide": "not_accepted",
               "authority": "petition"}],
            "title_weight": 3,
            "proposals": [
              {"id": "to-housing", "authority": "housing", "category": "城乡建设", "words": ["物业", "小区", "开发商"]},
              {"id": "to-transport", "authority": "transport", "category": "交通运输", "words": ["公交", "ktv专线"]}],
            "otherwise": {"id": "unclear", "reason": "无法判断"}
          },
          "repeats": [{"id": "same-reporter", "same": "reporter"}, {"id": "same-accused", "same": "accused"}],
          "routing": {
            "rows": [
              {"id": "province", "when": {"level": ["province"]}, "to": {"unit_kinds": ["department"]},
               "handoff_kind": "transfer"},
              {"id": "grassroots", "when": {"level": ["village"]}, "to": {"unit_kinds": ["county", "city"], "place": \
              "covers"},
               "handoff_kind": "send_down"},
              {"id": "city", "when": {"level": ["city", "county"]}, "to": {"unit_kinds": ["city"], "place": "covers"},
               "handoff_kind": "send_down"},
              {"id": "stationed", "when": {"level": ["county"]}, "to": {"unit_kinds": ["stationed"], "place": "same"},
               "handoff_kind": "transfer"},
              {"id": "own", "when": {"level": ["city"]}, "to": {"unit_kinds": ["department"]}, "handoff_kind": \
              "transfer"}],
            "otherwise": {"id": "nobody", "reason": "没有可以承办的单位"}
          },
          "clocks": [
            {"id": "sign", "kind": "sign", "handoff_kinds": ["transfer", "send_down"], "starts": "released",
             "within": "2 day", "citation": "默认值", "steps": [
              {"action": "escalate", "after_start": "5 day"}, {"action": "remind", "after_start": "24 hour"},
              {"action": "overdue", "after_due": "0 day"},
              {"action": "remind", "after_due": "1 day", "every": "1 day", "times": 2}]},
            {"id": "overdue", "kind": "overdue", "handoff_kinds": ["transfer"], "starts": "signed", "within": "30 day",
             "steps": [{"action": "warn", "before_due": "7 day"}, {"action": "overdue", "after_due": "0 day"}]},
            {"id": "again", "kind": "overdue", "handoff_kinds": ["transfer"], "starts": "conclusion_sent_back",
             "within": "10 day", "steps": [{"action": "overdue", "after_due": "0 day"}]}],
          "returns": [
            {"id": "return-ours", "reasons": ["not_competent"], "hops_max": 1, "text_characters_min": 4, "approve": \
            true,
             "message": "同意退回"},
            {"id": "return-refused", "approve": false, "message": "不同意退回"}],
          "conclusions": [
            {"id": "no-disposition", "disposition_given": false, "accept": false, "message": "没有处置意见"},
            {"id": "no-summary", "summary_given": false, "accept": false, "message": "没有说明"},
            {"id": "supervise", "times_returned_min": 3, "outcomes": ["unfounded"], "accept": false, "message": "转督办"},
            {"id": "unanswered", "real_name": true, "real_name_answered": false, "accept": false, "message": "未答复"},
            {"id": "accepted", "accept": true, "message": "同意办结"}]
        }
        """
}
