import Foundation
import Terminal
package import Witness

/// The witness's testimony as text for people.
package enum TestimonyPage {
    package static func text(_ testimony: Testimony, extra: [CheckedLine]) -> String {
        var parts = [
            grid(
                ["source", "submitted", "accepted", "closed"],
                testimony.sources.map { [$0.source, "\($0.submitted)", "\($0.accepted)", "\($0.closed)"] }),
            grid(["state of report", "count"], testimony.states.map { [$0.state, "\($0.count)"] }),
        ]
        if !testimony.authorities.isEmpty {
            parts.append(
                grid(
                    ["not accepted, competent is", "count"],
                    testimony.authorities.map { [$0.authority, "\($0.count)"] }))
        }
        if !testimony.units.isEmpty {
            parts.append(
                grid(
                    ["unit", "handed off", "signed", "returned", "recalled", "answered", "closed", "feedback"],
                    testimony.units.map { unit in
                        [
                            unit.unit, "\(unit.handedOff)", "\(unit.signed)", "\(unit.returned)", "\(unit.recalled)",
                            "\(unit.answered)", "\(unit.closed)",
                            unit.feedbackRate.map { String(format: "%.1f %%", $0 * 100) } ?? "–",
                        ]
                    }))
        }
        if let latency = testimony.latency {
            parts.append(
                String(
                    format: "submit → unit's inbox   p50 %.0f ms   p99 %.0f ms   (%d handoffs)",
                    latency.p50Milliseconds, latency.p99Milliseconds, latency.count))
        }
        if !testimony.statesNeverSeen.isEmpty {
            parts.append("states that never occurred: " + testimony.statesNeverSeen.joined(separator: ", "))
        }
        if !testimony.openReports.isEmpty {
            parts.append(
                "still open:\n"
                    + testimony.openReports.map { "  \($0.number)  \($0.state)  \($0.reason)" }.joined(separator: "\n"))
        }
        for (title, findings) in [
            ("lost", testimony.lost), ("doubled", testimony.doubled), ("ledger", testimony.ledgerFaults),
        ]
        where !findings.isEmpty {
            let shown = findings.prefix(20).map { "  \($0)" }.joined(separator: "\n")
            parts.append("\(title):\n\(shown)\(findings.count > 20 ? "\n  … and \(findings.count - 20) more" : "")")
        }
        parts.append(
            (testimony.lines + extra).map { "\($0.holds ? "true " : "FALSE")  \($0.text)" }.joined(separator: "\n"))
        return parts.joined(separator: "\n\n")
    }

    private static func grid(_ head: [String], _ rows: [[String]]) -> String {
        var grid = Grid(head.indices.map { $0 == 0 ? .text(head[$0]) : .number(head[$0]) })
        for row in rows { grid.add(row) }
        return grid.printed()
    }
}
