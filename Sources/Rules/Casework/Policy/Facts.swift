public import Basics

/// The facts of a report that the rules may use.
///
/// Routing happens after registration and uses only stored facts, so title and text are then empty.
public struct ReportFacts: Sendable, Equatable {
    public var sourceKind: String
    public var matterKind: String?
    public var title: String
    public var text: String
    public var region: String?
    /// Levels of the accused.
    public var levels: Set<String>
    /// Places of the accused.
    public var accusedRegions: Set<String>
    /// Categories of the allegations.
    public var categories: Set<String>
    public var accusedCount: Int
    public var isRealName: Bool

    public init(
        sourceKind: String, matterKind: String? = nil, title: String = "", text: String = "", region: String? = nil,
        levels: Set<String> = [], accusedRegions: Set<String> = [], categories: Set<String> = [], accusedCount: Int = 0,
        isRealName: Bool = false
    ) {
        self.sourceKind = sourceKind
        self.matterKind = matterKind
        self.title = title
        self.text = text
        self.region = region
        self.levels = levels
        self.accusedRegions = accusedRegions
        self.categories = categories
        self.accusedCount = accusedCount
        self.isRealName = isRealName
    }

    public init(submission: Submission, sourceKind: String) {
        self.init(
            sourceKind: sourceKind, matterKind: submission.matterKind, title: submission.title, text: submission.text,
            region: submission.region, levels: Set(submission.accused.lazy.compactMap(\.level)),
            accusedRegions: Set(submission.accused.lazy.compactMap(\.region)),
            categories: Set(submission.allegations.lazy.compactMap(\.category)), accusedCount: submission.accused.count,
            isRealName: submission.isRealName)
    }
}

/// A unit as routing sees it.
public struct RoutingUnit: Sendable, Equatable {
    public let id: UnitID
    /// An id of the policy's unit kinds.
    public let kind: String
    /// Code of the place it is competent for; `nil`: any place.
    public let region: String?
    /// The levels it handles; empty: every level.
    public let levels: Set<String>
    public let active: Bool

    public init(id: UnitID, kind: String, region: String? = nil, levels: Set<String> = [], active: Bool = true) {
        self.id = id
        self.kind = kind
        self.region = region
        self.levels = levels
        self.active = active
    }
}
