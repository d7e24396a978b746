import AuditStore
import Basics
import Casework
import Contract
import Foundation

extension TracedCase {
    private struct Head: Encodable {
        let kind = "report"
        let id, number, source, state, verdict, rule: String
        let registeredAt: Instant
        let repeatOf: String?
        let attachments, attachmentsWhole: Int
        let ledgerIsWhole: Bool
        let businessNow: Instant
    }

    private struct Step: Encodable {
        let kind = "step"
        let sequence: Int
        let at: Instant?
        let secondsSince: Double?
        let event, text, by: String
        let handoff: String?
        let queue, rule: String
    }

    private struct HandoffLine: Encodable {
        let kind = "handoff"
        let id: String
        let attempt: Int
        let unit, state, handoffKind: String
        let express: Bool
        let rule: String
        let runningClocks: Int
    }

    private struct ClockLine: Encodable {
        let kind = "clock"
        let id: String
        let handoff: String?
        let duty, period, owedBy, rule: String
        let startedAt, dueAt: Instant
        let steps: Int
        let nextAt, endedAt: Instant?
        let endedBecause: String?
        let overdue, setAside: Bool
    }

    private struct OutboxLine: Encodable {
        let kind = "outbox"
        let type, addressee, routingKey, worker, lane: String
        let live: Bool
        let handoff: String?
        let since: Instant
    }

    private struct DeferredLine: Encodable {
        let kind = "deferred"
        let type, sender, handoff: String
        let ripe: Bool
        let since: Instant
    }

    private struct LetterLine: Encodable {
        let kind = "dead_letter"
        let id, reason: String
        let type, sender: String?
        let worker, state: String
        let since: Instant
    }

    private struct NoticeLine: Encodable {
        let kind = "notice"
        let person, notice, rule: String
        let handoff: String?
        let createdAt: Instant
        let seenAt: Instant?
    }

    /// The report, then its steps, handoffs, clocks and what waits.
    func jsonLines() throws -> [String] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var all: [any Encodable] = [
            Head(
                id: report.id.description, number: report.number, source: "source.\(report.source)",
                state: report.state.rawValue, verdict: report.verdict.rawValue, rule: report.rule,
                registeredAt: report.registeredAt, repeatOf: report.repeatOf?.description,
                attachments: report.attachments, attachmentsWhole: report.attachmentsWhole,
                ledgerIsWhole: brokenAt == nil, businessNow: now)
        ]
        all += TraceStep.all(of: self).map {
            Step(
                sequence: $0.sequence, at: $0.at, secondsSince: $0.since, event: $0.event, text: $0.what, by: $0.by,
                handoff: $0.handoff?.description, queue: $0.queue, rule: $0.rule)
        }
        all += handoffs.map {
            HandoffLine(
                id: $0.id.description, attempt: $0.attempt, unit: "unit.\($0.unit)", state: $0.state.rawValue,
                handoffKind: $0.kind, express: $0.express, rule: $0.rule, runningClocks: $0.runningClocks)
        }
        all += clocks.map { clock, steps in
            ClockLine(
                id: clock.id.description, handoff: clock.key.handoffID?.description, duty: clock.key.duty,
                period: clock.key.period, owedBy: clock.owedBy, rule: clock.inputs.rule,
                startedAt: clock.inputs.startedAt, dueAt: clock.dueAt, steps: steps, nextAt: clock.nextAt,
                endedAt: clock.endedAt, endedBecause: clock.endedBecause,
                overdue: clock.isRunning && clock.dueAt < now, setAside: clock.setAside != nil)
        }
        all += waitingLines
        return try all.map { String(decoding: try encoder.encode($0), as: UTF8.self) }
    }

    private var waitingLines: [any Encodable] {
        var all: [any Encodable] = outbox.map {
            OutboxLine(
                type: $0.type, addressee: $0.addressee, routingKey: $0.routingKey, worker: $0.worker, lane: $0.lane,
                live: liveLanes.contains($0.lane), handoff: $0.handoff?.description, since: $0.since)
        }
        all += deferred.map {
            DeferredLine(
                type: $0.type, sender: $0.sender, handoff: $0.handoff.description, ripe: $0.isRipe, since: $0.since)
        }
        all += letters.map {
            LetterLine(
                id: $0.id.lowercased, reason: $0.reason, type: MessageType.repeatable($0.type), sender: $0.sender,
                worker: $0.worker, state: $0.state, since: $0.receivedAt)
        }
        all += notices.map {
            NoticeLine(
                person: "person.\($0.person)", notice: $0.kind, rule: $0.rule, handoff: $0.handoff?.description,
                createdAt: $0.createdAt, seenAt: $0.seenAt)
        }
        return all
    }
}
