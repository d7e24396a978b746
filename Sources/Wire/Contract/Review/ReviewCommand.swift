/// A command of an office person about a report that needs review (待审看).
public enum ReviewCommand: Sendable {
    case read
    case route(CommandReviewRoute)
    case close(CommandReviewClose)
}
