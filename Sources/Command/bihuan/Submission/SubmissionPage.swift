import Basics
import Casework
import Foundation
import Submitting
import Terminal
import Text

/// The output about a submission, as text or JSON: a line for each report with a special result, and the totals.
///
/// A class, because the reading sequence and the progress display share it; one thread uses it.
final class SubmissionPage: @unchecked Sendable {
    private let asJSON: Bool
    private let noun: String
    private var problems = 0
    private var anonymous = 0
    private var outcomes: [String: Int] = [:]
    private var unsaid: [String] = []

    init(asJSON: Bool, noun: String) {
        self.asJSON = asJSON
        self.noun = noun
    }

    /// True if some reports were not sent, or the office did not accept some.
    var hasProblems: Bool { problems > 0 || outcomes["rejected"] != nil || outcomes["refused"] != nil }
    var hasUnsaid: Bool { !unsaid.isEmpty }

    /// Adds a report that was not sent.
    func add(_ problem: LineProblem) {
        problems += 1
        if asJSON {
            unsaid.append(line(["line": problem.number, "outcome": "not_sent", "problems": [problem.reason]]))
        } else {
            unsaid.append("\(noun) \(problem.number): \(problem.reason)")
        }
    }

    /// Counts a report whose reporters have only placeholder names.
    func addAnonymous() { anonymous += 1 }

    func add(_ receipt: SubmissionReceipt) {
        let outcome = receipt.outcome == .accepted ? receipt.state ?? "accepted" : receipt.outcome.rawValue
        outcomes[outcome, default: 0] += 1
        guard asJSON else {
            if let words = words(receipt) { unsaid.append("\(noun) \(receipt.line): \(words)") }
            return
        }
        var fields: [String: Any] = [
            "line": receipt.line, "source": receipt.source.rawValue, "id": receipt.id,
            "outcome": receipt.outcome.rawValue,
        ]
        fields["number"] = receipt.number
        fields["state"] = receipt.state
        fields["authority"] = receipt.authority
        if !receipt.problems.isEmpty { fields["problems"] = receipt.problems }
        unsaid.append(line(fields))
    }

    func say() {
        for text in unsaid { if asJSON { Output.json(text) } else { Output.note(printable(text)) } }
        unsaid = []
    }

    /// - Parameters:
    ///   - confirmed: the number of reports confirmed by the broker; nil if the broker was not available.
    ///   - open: lines without an answer.
    func sayEnd(confirmed: Int?, identical: Int, seconds: Double, open: [Int]) {
        if asJSON {
            for number in open { unsaid.append(line(["line": number, "outcome": "unanswered"])) }
            var sums: [String: Any] = [
                "not_sent": problems, "identical": identical, "anonymous": anonymous, "unanswered": open.count,
                "answers": outcomes,
            ]
            sums["submitted"] = confirmed
            unsaid.append(line(["summary": sums]))
            return say()
        }
        say()
        if anonymous > 0 {
            Output.note(
                """
                \(anonymous) \(noun)s name a reporter by words that stand for none, such as 匿名 or 无: they count \
                as anonymous
                """
            )
        }
        guard let confirmed else { return }
        let rate = Int(Double(confirmed) / max(seconds, 0.001))
        Output.line(
            "\(confirmed) submitted, \(problems) not (\(rate)/s)"
                + (identical > 0 ? ", \(identical) identical to earlier \(noun)s" : ""))
        for (outcome, count) in outcomes.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            Output.line("  \(outcome.replacing("_", with: " ")) \(count)")
        }
        guard !open.isEmpty else { return }
        Output.line("  unanswered \(open.count)")
        let shown =
            open.prefix(20).map(String.init).joined(separator: ", ")
            + (open.count > 20 ? " and \(open.count - 20) more" : "")
        Output.note(
            """
            no answer in time to \(noun) \(shown): is the office's intake running, or does another program read \
            the source's notices (then --no-receipts)? Submitting the file again does no harm
            """
        )
    }

    /// The line for a receipt; nil for a usual result.
    private func words(_ receipt: SubmissionReceipt) -> String? {
        switch receipt.outcome {
        case .received: nil
        case .rejected, .refused: "\(receipt.outcome.rawValue): \(receipt.problems.joined(separator: "; "))"
        case .accepted where receipt.state == ReportState.notAccepted.rawValue:
            "not accepted, number \(receipt.number ?? "")" + (receipt.authority.map { ": it belongs to \($0)" } ?? "")
        case .accepted: nil
        }
    }

    private func line(_ fields: [String: Any]) -> String {
        // Numbers, texts and lists of texts always encode.
        (try? JSONSerialization.data(withJSONObject: fields, options: [.sortedKeys, .withoutEscapingSlashes])).map {
            String(decoding: $0, as: UTF8.self)
        } ?? "{}"
    }
}
