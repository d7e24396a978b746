import Basics
import BrokerTopology
import Contract
import Observability
import Terminal
import Text

/// The office on one page: what is wrong, the way of the messages, units that have not signed, then the tables.
struct StatusPage {
    let view: OfficeView
    /// Whether the broker was asked for its queues.
    let asksQueues: Bool
    /// Business time.
    let now: Instant
    /// `nil`: nothing is cut.
    let width: Int?

    private var barWidth: Int { min(30, max(6, (width ?? 120) / 4)) }
    /// Below it remarks are left out, and what is left fits 40 columns.
    private var isNarrow: Bool { (width ?? .max) < 60 }

    var lines: [PageLine] {
        var sections = [heading, flow, unsigned]
        let tables = tables
        // Side by side if there is room: the page is looked at as a whole.
        let first = Self.beside(tables.prefix(3).map { StatusTables.lines([$0], width: nil) })
        let isWide = width.map { width in first.allSatisfy { displayWidth($0.text) <= width } } ?? false
        if isWide { sections.append(first) }
        sections += StatusTables.sections(isWide ? Array(tables.dropFirst(3)) : tables, width: width)
        return Array(sections.filter { !$0.isEmpty }.joined(separator: [PageLine("")]))
    }

    // MARK: What is wrong

    private var heading: [PageLine] {
        let troubles = view.troubles(withQueues: asksQueues)
        let (name, time, end) = (printable(view.officeName), Self.seconds(now), width ?? .max)
        let fits = displayWidth(name) + 2 + displayWidth(time) <= end
        var lines = (fits ? ["\(name)  \(time)"] : [name, time]).map { PageLine(cut($0, to: end), .heading) }
        lines += troubles.flatMap { $0.lines(in: view, width: width) }
        if troubles.isEmpty { lines.append(PageLine(cut("ok: nothing is wrong", to: end), .good)) }
        if !asksQueues {
            let reason = "queues are not asked: the password of the broker's user operator is not configured"
            lines += wrapped(reason, to: end).map { PageLine($0, .faint) }
        }
        return lines
    }

    static func seconds(_ instant: Instant) -> String {
        Instant(microsecondsSinceEpoch: instant.microsecondsSinceEpoch / 1_000_000 * 1_000_000).description
            .replacing("T", with: " ")
    }

    // MARK: The way of the messages

    private struct Hop: Sendable {
        let name: String
        /// Whether a queue is on this way.
        let holds: @Sendable (OfficeView.Queue) -> Bool
        var worker: Worker?
    }

    private static let hops = [
        Hop(name: "sources → intake", holds: { $0.kind == "submit" }, worker: .intake),
        Hop(
            name: "intake → routing",
            holds: { [Topology.Queue.routing, Topology.Queue.routingExpress].contains($0.name) }, worker: .routing),
        Hop(name: "routing → units", holds: { ["inbox", "express"].contains($0.kind) }),
        Hop(name: "units → feedback", holds: { $0.kind == "acts" }, worker: .feedback),
        Hop(name: "answers, notices", holds: { ["notice", "reply"].contains($0.kind) }),
        Hop(name: "commands", holds: { Worker.allCases.map(Topology.Queue.command).contains($0.name) }),
        Hop(name: "lost on the way", holds: { [Topology.Queue.unroutable, Topology.Queue.dead].contains($0.name) }),
    ]

    private var flow: [PageLine] {
        var rows: [(name: String, depth: Int?, remark: String)] = []
        if let queues = view.queues {
            rows = Self.hops.map { hop in
                let mine = queues.filter(hop.holds)
                return (hop.name, mine.isEmpty ? nil : mine.compactMap(\.messages).reduce(0, +), remark(hop, mine))
            }
        }
        if let database = view.database {
            let age = database.outbox > 0 ? "the oldest for \(Age.text(database.outboxAge))" : ""
            rows.append(("outbox", database.outbox, age))
            if !isNarrow { rows.append(("clocks", nil, clocks(database))) }
        }
        guard !rows.isEmpty else { return [] }
        let full = Double(rows.compactMap(\.depth).max() ?? 0)
        var grid = Grid([.whole(""), .number(""), .text(""), .whole("")], indent: 2)
        for row in rows {
            let bar = Bar.text(Double(row.depth ?? 0), of: full, width: barWidth)
            grid.add([row.name, row.depth.map(String.init) ?? "-", isNarrow ? "" : row.remark, bar])
        }
        return [title("Flow (messages that wait)")] + grid.lines(width: width).map { PageLine($0) }
    }

    private func lanes(of worker: Worker) -> String? {
        view.database?.lanes.first { $0.name == worker.rawValue }.map {
            "\(worker.rawValue): \($0.count) lane\($0.count == 1 ? "" : "s")"
        }
    }

    private func clocks(_ database: OfficeView.Database) -> String {
        let next = database.nextStep.map { "next step in \(Age.text($0 - Double(now.microsecondsSinceEpoch) / 1e6))" }
        return [lanes(of: .deadlines), "\(database.clocks) run", next].compactMap(\.self).joined(separator: ", ")
    }

    private func remark(_ hop: Hop, _ queues: [OfficeView.Queue]) -> String {
        var remarks = [hop.worker.flatMap { lanes(of: $0) }].compactMap(\.self)
        let unread = queues.count { $0.state == .up && $0.wantsConsumer && $0.consumers == 0 }
        let broken = queues.count { $0.state != .up }
        if broken > 0 { remarks.append("\(broken) down or missing") }
        if unread > 0 { remarks.append("\(unread) of \(queues.count) have no consumer") }
        if queues.contains(where: { $0.publishRate != nil }) {
            let (entering, leaving) = (queues.compactMap(\.publishRate), queues.compactMap(\.deliverRate))
            remarks.append("\(Self.rate(entering)) in, \(Self.rate(leaving)) out a second")
        }
        return remarks.joined(separator: ", ")
    }

    private static func rate(_ rates: [Double]) -> String {
        let tenths = Int((min(rates.reduce(0, +), 1e12) * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }

    private func title(_ text: String) -> PageLine { PageLine(cut(text, to: width ?? .max), .heading) }

    // MARK: Units

    /// The longest waiting first.
    private var unsigned: [PageLine] {
        let units = (view.database?.unsigned ?? []).filter { $0.count > 0 }.sorted {
            ($1.age, $0.unit) < ($0.age, $1.unit)
        }
        guard let longest = units.first?.age else { return [] }
        let bound = Trouble.Kind.unsignedOld.bound
        var grid = Grid([.whole(""), .text(""), .number(""), .number(""), .whole("")], indent: 0)
        for unit in units {
            let bar = Bar.text(unit.age, of: max(longest, bound), width: barWidth)
            grid.add([unit.age > bound ? "!" : "", unit.unit, "\(unit.count)", Age.text(unit.age), bar])
        }
        let lines = zip(units, grid.lines(width: width)).map { PageLine($1, $0.age > bound ? .warning : .plain) }
        return [title("Unsigned handoffs (age of the oldest)")] + lines
    }

    // MARK: Tables

    private var tables: [Table] {
        (view.database.map(StatusTables.ofDatabase) ?? []) + (view.queues.map { [StatusTables.ofQueues($0)] } ?? [])
    }

    /// Blocks side by side; each of their lines has the width of its block's longest at most.
    private static func beside(_ blocks: [[PageLine]]) -> [PageLine] {
        let widths = blocks.map { block in block.map { displayWidth($0.text) }.max() ?? 0 }
        return (0..<(blocks.map(\.count).max() ?? 0)).map { index in
            let cells = zip(blocks, widths).map { block, width in
                let text = index < block.count ? block[index].text : ""
                return text + String(repeating: " ", count: width - displayWidth(text))
            }
            let line = cells.joined(separator: "    ")
            return PageLine(String(line.reversed().drop { $0 == " " }.reversed()), index == 0 ? .heading : .plain)
        }
    }
}
