import Basics
import Foundation
import Synchronization
import Terminal

/// Examines an installation: asks every check, each for itself, and shows what it found.
///
/// Checks run at the same time and share connections. One that has no answer in time is unknown, and its thread is
/// left behind: the command ends even if a server swallows everything.
package struct Doctor: Sendable {
    /// What one check found.
    package struct Report: Sendable {
        package let check: DoctorCheck
        /// The worst first; empty if all is well.
        package let findings: [Finding]

        /// The worst of the findings; `nil` if all is well. A note is nothing wrong.
        package var worst: Finding.Severity? {
            findings.map(\.severity).min().flatMap { $0 == .note ? nil : $0 }
        }
    }

    /// How long all checks together may take.
    package static let patienceSeconds = 60.0

    private let patient: Patient
    private let checks: [DoctorCheck]

    package init(_ patient: Patient, checks: [DoctorCheck] = DoctorCheck.all) {
        self.patient = patient
        self.checks = checks
    }

    /// Blocks for at most the patience. The worst first.
    package func reports(within seconds: Double = Doctor.patienceSeconds) -> [Report] {
        let end = ContinuousClock.now + .seconds(seconds)
        let running = checks.map { check in
            let findings = Answer()
            let patient = patient
            let thread = WorkThread(named: check.id) { findings.set(Doctor.ask(check, of: patient)) }
            return (check, findings, thread)
        }
        let reports = running.map { check, answer, thread in
            _ = thread.join(within: max(0, (end - ContinuousClock.now).inSeconds))
            let found = answer.value ?? [.unknown("no answer within \(Int(seconds)) s")]
            return Report(check: check, findings: found.sorted { $0.severity < $1.severity })
        }
        return reports.enumerated().sorted {
            ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset)
        }.map(\.element)
    }

    private static func ask(_ check: DoctorCheck, of patient: Patient) -> [Finding] {
        do {
            return try check.run(patient)
        } catch let error as NotTold {
            return [.untold(error.text, do: error.advice)]
        } catch {
            let told = Finding.told(.unknown, error)
            return [.unknown(told.text, do: told.advice)]
        }
    }

    private final class Answer: Sendable {
        private let findings = Mutex<[Finding]?>(nil)
        var value: [Finding]? { findings.withLock { $0 } }
        func set(_ found: [Finding]) { findings.withLock { $0 = found } }
    }
}

extension Doctor.Report {
    fileprivate var rank: Int { worst.flatMap(Finding.Severity.allCases.firstIndex) ?? Finding.Severity.allCases.count }

    /// How a line begins.
    private var mark: String {
        switch worst {
        case .error: "!!"
        case .warning: "!"
        case .unknown, .untold: "?"
        case .note, nil: "ok"
        }
    }

    /// One line for the check, and below it one or two for each finding.
    package var lines: [String] {
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(1, width - text.count))
        }
        var lines = [padded(mark, 4) + padded(check.id, 26) + check.title]
        for finding in findings {
            lines += finding.text.split(separator: "\n").map { "      " + $0.trimmingCharacters(in: .whitespaces) }
            if let advice = finding.advice {
                lines.append("      → " + advice.split(whereSeparator: \.isNewline).joined(separator: " "))
            }
        }
        return lines
    }

    package func json() throws -> String {
        struct Written: Encodable {
            struct Finding: Encodable {
                var severity: String
                var text: String
                var advice: String?
            }
            var check: String
            var title: String
            var status: String
            var findings: [Finding]
        }
        let written = Written(
            check: check.id, title: check.title, status: worst?.rawValue ?? "ok",
            findings: findings.map { .init(severity: $0.severity.rawValue, text: $0.text, advice: $0.advice) })
        return try Output.jsonText(written)
    }
}

/// The whole result.
package struct DoctorSummary: Sendable {
    private let counts: [Finding.Severity: Int]
    private let total: Int

    package init(_ reports: [Doctor.Report]) {
        counts = Dictionary(grouping: reports.compactMap(\.worst)) { $0 }.mapValues(\.count)
        total = reports.count
    }

    private func count(_ severity: Finding.Severity) -> Int { counts[severity] ?? 0 }

    /// 0: nothing is wrong. 1: an error. 2: warnings only. 3: nothing was found to be wrong, but something could not be
    /// asked. What this way in does not tell counts as nothing.
    package var exitStatus: Int32 {
        if count(.error) > 0 { return 1 }
        if count(.warning) > 0 { return 2 }
        return count(.unknown) > 0 ? 3 : 0
    }

    package var line: String {
        let parts = [
            ("with an error", Finding.Severity.error), ("with a warning", .warning), ("not to be asked", .unknown),
            ("not told by this way in", .untold),
        ].compactMap { words, severity in count(severity) > 0 ? "\(count(severity)) \(words)" : nil }
        let well = total - counts.values.reduce(0, +)
        return "\(total) checks: " + (["\(well) ok"] + parts).joined(separator: ", ")
    }
}
