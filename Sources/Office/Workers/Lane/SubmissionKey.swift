import Basics
import CaseStore
import Casework
import Contract

/// A source with its own id of a report.
struct SubmissionKey: Hashable {
    let source: SourceID
    let id: String
}

extension Report {
    var submission: SubmissionKey { SubmissionKey(source: source, id: submissionID) }
}

extension InboundMessage {
    /// The report of a source's message, by the source's own id; `nil` for other messages.
    var submission: SubmissionKey? {
        guard case .source(let source) = sender,
            type == MessageType.reportSubmitted.rawValue || type == MessageType.attachmentPart.rawValue
        else { return nil }
        return SubmissionKey(source: source, id: subject)
    }
}

extension Cases {
    /// The locked reports by the ids that their sources gave them.
    var reportsBySubmission: [SubmissionKey: Report] {
        Dictionary(files.values.map { ($0.report.submission, $0.report) }) { first, _ in first }
    }
}
