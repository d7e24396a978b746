import Casework
import Corpus

/// The behaviour of simulated units: shares of handoffs in per mille, and durations in business time. The same
/// seed gives the same decisions for the same text at the same unit, in every process and every run, however often.
public struct UnitBehaviour: Sendable, Hashable {
    public var seed: UInt64 = 1

    /// Returned for a reason that the policy approves.
    public var returnedPerMille = 30
    /// Returned for a reason that the policy refuses; the unit then continues and concludes.
    public var returnedInVainPerMille = 10
    public var caseFiledPerMille = 80
    public var progressPerMille = 150
    public var signedLatePerMille = 20
    public var concludedLatePerMille = 30
    /// First concluded without a summary or without a disposition, so that the office sends it back.
    public var concludedPoorlyPerMille = 60

    /// The business seconds between delivery and a late signature: after the reminder, before the due date.
    public var lateSignatureSeconds = 36.0 * 3600
    /// The business seconds between delivery and a late conclusion: after the due date.
    public var lateConclusionSeconds = 92.0 * 86_400
    /// The business seconds between two acts on one handoff.
    public var thinkSeconds = 0.0

    /// Acts sent a second time after their confirm, as by a unit that lost its records.
    public var repeatedPerMille = 0

    /// The words of the policy in force.
    public var words = Words()

    public init() {}

    /// Units that only sign and conclude, well and at once.
    public static var plain: UnitBehaviour {
        var behaviour = UnitBehaviour()
        behaviour.returnedPerMille = 0
        behaviour.returnedInVainPerMille = 0
        behaviour.caseFiledPerMille = 0
        behaviour.progressPerMille = 0
        behaviour.signedLatePerMille = 0
        behaviour.concludedLatePerMille = 0
        behaviour.concludedPoorlyPerMille = 0
        return behaviour
    }

    /// The ids of the policy's vocabulary that units use; the defaults are those of the shipped policy.
    public struct Words: Sendable, Hashable {
        /// The dispositions, each with its possible outcomes.
        public var dispositions: [String: [String]] = [
            "talk_inquiry": ["clarified", "partly_substantiated"],
            "preliminary_verification": ["substantiated", "partly_substantiated", "unfounded"],
            "kept_for_later": ["kept_for_later"],
            "closed": ["unfounded", "clarified"],
        ]
        public var outcomeOfCase = "case_filed"
        public var dispositionOfCase = "preliminary_verification"
        public var returnReasons = ["not_competent", "conflict_of_interest"]
        /// A reason whose text is too short for approval.
        public var returnReasonInVain = "no_substance"

        public init() {}
    }
}

/// One kind of act of a unit on a handoff.
enum UnitAct: Hashable, Sendable {
    case sign, giveBack, progress, decide, fileCase
    /// The nth conclusion, from 1.
    case conclude(Int)

    /// The part of the act's id after the handoff's id.
    var suffix: String {
        switch self {
        case .sign: "signed"
        case .giveBack: "returned"
        case .progress: "progress"
        case .decide: "disposition"
        case .fileCase: "case-filed"
        case .conclude(let round): "concluded-\(round)"
        }
    }

    /// The CloudEvents id: the same for the same act in every process.
    func id(of handoff: String) -> String { "\(handoff)-\(suffix)" }
}

/// The acts of a unit on one handoff, derived from the seed and the handoff's text.
struct UnitPlan: Hashable, Sendable {
    var signsLate = false
    var returnReason: String?
    var returnText = ""
    var reportsProgress = false
    var disposition: String
    var filesCase = false
    var outcome: String
    var summary: String
    var concludesLate = false
    var flaw: Flaw?

    enum Flaw: Hashable, Sendable { case noSummary, noDisposition }

    init(matter: String, sealed: Bool, behaviour: UnitBehaviour) {
        var random = SeededRandom(name: "\(behaviour.seed)|\(matter)")
        let words = behaviour.words
        disposition = random.pick(words.dispositions.keys.sorted())
        outcome = random.pick(words.dispositions[disposition] ?? ["unfounded"])
        summary = random.pick(UnitPlan.summaries)
        signsLate = random.below(1000) < behaviour.signedLatePerMille
        // A sealed pass-through belongs to the superior from then on: only the receipt and the conclusion come back.
        if sealed { return }

        let fate = random.below(1000)
        if fate < behaviour.returnedPerMille {
            returnReason = random.pick(words.returnReasons)
            returnText = random.pick(UnitPlan.returnTexts)
        } else if fate < behaviour.returnedPerMille + behaviour.returnedInVainPerMille {
            returnReason = words.returnReasonInVain
            returnText = "空泛"
        }
        reportsProgress = random.below(1000) < behaviour.progressPerMille
        if random.below(1000) < behaviour.caseFiledPerMille {
            filesCase = true
            disposition = words.dispositionOfCase
            outcome = words.outcomeOfCase
        }
        concludesLate = random.below(1000) < behaviour.concludedLatePerMille
        if random.below(1000) < behaviour.concludedPoorlyPerMille {
            flaw = random.chance(50) ? .noSummary : .noDisposition
        }
    }

    /// The acts in order, up to the first answer to wait for.
    var opening: [UnitAct] { returnReason == nil ? [.sign] + handling : [.sign, .giveBack] }

    /// The acts of a unit that keeps the handoff.
    var handling: [UnitAct] {
        var acts: [UnitAct] = []
        if reportsProgress { acts.append(.progress) }
        if flaw != .noDisposition { acts.append(.decide) }
        if filesCase { acts.append(.fileCase) }
        return acts + [.conclude(1)]
    }

    private static let summaries = [
        "经核查，反映的问题部分属实，已按规定处理并责令整改。", "经谈话函询和走访核实，反映问题查无实据，予以了结并作出澄清。",
        "经初步核实，反映问题属实，已移交处理，相关款项已清退。", "经了解，现有线索不足，按程序暂存待查，到期再行评估。",
    ]
    private static let returnTexts = [
        "被反映人不属本单位管理权限，请另行分流。", "被反映人与承办负责人有利害关系，按规定应当回避。", "该单位已划转，不属本单位管辖范围，请改送。",
    ]
}
