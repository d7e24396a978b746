public import Casework

/// What sources send (来源): reports, and the attachments that they announced.
public enum Submitted: Sendable {
    case report(Submission)
    case part(AttachmentPart)
}
