import AuditStore
import Basics
import Casework
import Contract
import Terminal

/// One report on one page: who and where it is, its steps, its handoffs and clocks, what waits.
struct TracePage {
    private let found: TracedCase
    private let width: Int?

    /// - Parameter width: `nil`: no line is broken.
    init(_ found: TracedCase, width: Int?) {
        self.found = found
        self.width = width
    }

    var lines: [PageLine] {
        let sections = [heading, steps, handoffs, clocks, waits]
        return Array(sections.filter { !$0.isEmpty }.joined(separator: [PageLine("")]))
    }

    // MARK: Parts

    private var heading: [PageLine] {
        let report = found.report
        var grid = Grid([.text(""), .text("")])
        grid.add(["report", report.number])
        grid.add(["id", report.id.description])
        grid.add(["state", report.state.rawValue])
        grid.add(["source", "source.\(report.source)"])
        if let first = report.repeatOf { grid.add(["repeats", first.description]) }
        grid.add(["times", "business time, UTC, as stored; it is now \(Self.stamp(found.now))"])
        if let place = found.brokenAt { grid.add(["ledger", "NOT whole: entry \(place) does not match"]) }
        let looks = [Look.heading] + Array(repeating: Look.plain, count: 8)
        var lines = zip(grid.fitting(width: width, separator: ": ").rows, looks).flatMap { rows, look in
            rows.map { PageLine($0, look) }
        }
        if found.brokenAt != nil, let last = lines.popLast() { lines.append(PageLine(last.text, .critical)) }
        return lines
    }

    private var steps: [PageLine] {
        var grid = Grid(
            [.whole("TIME"), .number("AFTER"), .text("#"), .text("WHAT"), .text("WHO"), .text("QUEUE"), .text("RULE")],
            indent: 2)
        for step in TraceStep.all(of: found) {
            let after = step.since.map { (width == nil ? "" : "+") + Self.length($0) } ?? ""
            grid.add([
                step.at.map(Self.stamp) ?? "-", after, number(step.handoff), step.what, step.by, step.queue, step.rule,
            ])
        }
        return page("Steps", grid)
    }

    private var handoffs: [PageLine] {
        var grid = Grid(
            [.text("#"), .whole("HANDOFF"), .text("UNIT"), .text("STATE"), .text("KIND"), .text("RULE")], indent: 2)
        for handoff in found.handoffs {
            grid.add([
                "#\(handoff.attempt)", handoff.id.description, "unit.\(handoff.unit)", handoff.state.rawValue,
                handoff.kind + (handoff.express ? ", express" : ""), handoff.rule,
            ])
        }
        return found.handoffs.isEmpty ? [] : page("Handoffs", grid)
    }

    private var clocks: [PageLine] {
        var grid = Grid(
            [
                .text("#"), .text("CLOCK"), .text("OWED BY"), .whole("DUE"), .text(""), .text("STEPS"), .text("RULE"),
            ], indent: 2)
        for (clock, steps) in found.clocks {
            grid.add([
                number(clock.key.handoffID), "\(clock.key.duty) \(clock.key.period)", clock.owedBy,
                Self.stamp(clock.dueAt), state(of: clock),
                "\(steps) step\(steps == 1 ? "" : "s") taken\(next(of: clock))", clock.inputs.rule,
            ])
        }
        let looks = found.clocks.map { isOverdue($0.clock) || $0.clock.setAside != nil ? Look.warning : .plain }
        return found.clocks.isEmpty ? [] : page("Clocks", grid, looks)
    }

    private func isOverdue(_ clock: Clock) -> Bool { clock.isRunning && clock.dueAt < found.now }

    private func state(of clock: Clock) -> String {
        let left = clock.dueAt.seconds(since: clock.endedAt ?? found.now)
        if let reason = clock.endedBecause {
            return "ended: \(reason), " + (left < 0 ? "late by \(Self.length(-left))" : "in time")
        }
        let words = left < 0 ? "! overdue by \(Self.length(-left))" : "runs, due in \(Self.length(left))"
        return words + (clock.setAside == nil ? "" : ", set aside after a fault")
    }

    private func next(of clock: Clock) -> String { clock.nextAt.map { ", next \(Self.stamp($0))" } ?? "" }

    // MARK: What waits

    private var waits: [PageLine] {
        var grid = Grid([.text(""), .text(""), .text(""), .text("")], indent: 2)
        var looks: [Look] = []
        func add(_ what: String, _ handoff: HandoffID?, _ words: String, _ age: String, _ look: Look = .plain) {
            grid.add([what, number(handoff), words, age])
            looks.append(look)
        }
        func wall(_ since: Instant) -> String { "for \(Self.length(found.wall.seconds(since: since)))" }
        for row in found.outbox {
            let lane = found.liveLanes.contains(row.lane) ? "" : ", no living lane has its lease"
            add(
                "to be sent", row.handoff, "\(Self.short(row.type)) to \(row.routingKey) by \(row.worker)\(lane)",
                wall(row.since), lane.isEmpty ? .plain : .warning)
        }
        for message in found.deferred {
            add(
                "ahead of its state", message.handoff,
                "\(Self.short(message.type)) of \(message.sender) waits for \(message.awaited)", wall(message.since))
        }
        for letter in found.letters where letter.isOpen {
            add(
                "! dead letter", nil,
                "\(letter.id.lowercased): \(letter.reason), \(Self.short(letter.type)) of \(letter.sender ?? "-")",
                wall(letter.receivedAt), .warning)
        }
        for notice in found.notices where notice.seenAt == nil {
            add(
                "unseen notice", notice.handoff, "\(notice.kind) to person.\(notice.person)",
                "since \(Self.stamp(notice.createdAt))")
        }
        let (whole, all) = (found.report.attachmentsWhole, found.report.attachments)
        if whole < all { add("attachments", nil, "\(whole) of \(all) are whole", "") }
        if looks.isEmpty {
            let runs = found.clocks.contains { $0.clock.isRunning }
            return [PageLine(runs ? "Nothing waits; clocks run." : "Nothing waits and no clock runs.", .faint)]
        }
        return page("Waiting now", grid, looks)
    }

    // MARK: Words

    private func number(_ handoff: HandoffID?) -> String { found.attempt(of: handoff).map { "#\($0)" } ?? "" }

    private func page(_ title: String, _ grid: Grid, _ looks: [Look] = []) -> [PageLine] {
        let (headings, rows) = grid.fitting(width: width)
        let all = rows.enumerated().flatMap { index, lines in
            lines.map { PageLine($0, index < looks.count ? looks[index] : .plain) }
        }
        return [PageLine(title, .heading)] + headings.map { PageLine($0, .faint) } + all
    }

    /// A type that looks like one; a stranger's text may be anything.
    private static func short(_ type: String?) -> String {
        MessageType.repeatable(type).map { MessageType(rawValue: $0)?.short ?? $0 } ?? "a message of no known type"
    }

    /// To the millisecond: `2026-03-02 08:00:00.250`.
    static func stamp(_ instant: Instant) -> String {
        let millis = instant.microsecondsSinceEpoch.quotientAndRemainder(dividingBy: 1000).quotient
        let text = Instant(microsecondsSinceEpoch: millis * 1000).description.replacing("T", with: " ").dropLast()
        return text.contains(".") ? String(text.dropLast(3)) : String(text)
    }

    /// `80ms`, `3.2s`, `12m`, `3h`, `15d`.
    static func length(_ seconds: Double) -> String {
        switch seconds {
        case 0: "0s"
        case ..<1: "\(Int((max(0, seconds) * 1000).rounded()))ms"
        case ..<10:
            "\(Int(seconds * 10) / 10).\(Int(seconds * 10) % 10)s"
        default: Age.text(seconds)
        }
    }
}
