/// Types that are in the contract but that this version of the office does not handle yet. The sender of one gets a
/// refusal with that reason.
public enum PlannedMessageType: String, CaseIterable, Hashable, Sendable {
    // From a unit
    case clueOpened = "bihuan.clue.opened.v1"
    case reporterAnswered = "bihuan.reporter.answered.v1"
    case extensionRequested = "bihuan.extension.requested.v1"
    case identityRequested = "bihuan.identity.requested.v1"
    case returnSubmitted = "bihuan.return.submitted.v1"
    case returnPart = "bihuan.return.part.v1"
    case statementReplied = "bihuan.statement.replied.v1"
    case statementPart = "bihuan.statement.part.v1"
    case supervisionReplied = "bihuan.supervision.replied.v1"
    // From the office
    case handoffSupplemented = "bihuan.handoff.supplemented.v1"
    case extensionDecided = "bihuan.extension.decided.v1"
    case identityDisclosed = "bihuan.identity.disclosed.v1"
    case identityRefused = "bihuan.identity.refused.v1"
    case statementOpened = "bihuan.statement.opened.v1"
    case statementClosed = "bihuan.statement.closed.v1"
    case supervisionOpened = "bihuan.supervision.opened.v1"
    case repeatsDigest = "bihuan.repeats.digest.v1"
    case upstreamReport = "bihuan.upstream.report.v1"
    case checkpointPublished = "bihuan.checkpoint.published.v1"
}
