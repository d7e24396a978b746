public import Casework

/// A message of a source (来源): a report, or a part of an attachment that it announced.
public enum Submitted: Sendable {
    case report(Submission)
    case part(AttachmentPart)
}
