import BrokerTopology
import Observability
import Terminal
import Text

/// The tables of `bihuan status`.
enum StatusTables {
    /// One section for each table. Their columns align if all of them fit the width; otherwise each is cut by itself,
    /// so that a long remark costs no other table its labels.
    static func sections(_ tables: [Table], width: Int?) -> [[PageLine]] {
        let together = lines(tables, width: nil)
        if let width, together.contains(where: { displayWidth($0.text) > width }) {
            return tables.map { lines([$0], width: width) }
        }
        return together.split(separator: PageLine(""), omittingEmptySubsequences: true).map(Array.init)
    }

    static func lines(_ tables: [Table], width: Int?) -> [PageLine] {
        var isTitle = true
        return Table.printed(tables, width: width).split(separator: "\n", omittingEmptySubsequences: false).map {
            line in
            defer { isTitle = line.isEmpty }
            return PageLine(String(line), isTitle ? .heading : .plain)
        }
    }

    // MARK: The database

    static func ofDatabase(_ database: OfficeView.Database) -> [Table] {
        var tables = [
            table("Reports", database.reports), table("Handoffs", database.handoffs), waits(database),
        ]
        if let duties = database.duties, !duties.isEmpty { tables.append(owed(duties)) }
        if !database.readers.isEmpty { tables.append(unread(database.readers)) }
        return tables
    }

    private static func table(_ title: String, _ counts: [OfficeView.Count]) -> Table {
        var table = Table(title)
        for row in counts { table.add(row.name, row.count) }
        table.add("all", counts.reduce(0) { $0 + $1.count })
        return table
    }

    private static func waits(_ database: OfficeView.Database) -> Table {
        func age(_ count: Int, _ seconds: Double) -> String { count > 0 ? "oldest \(Age.text(seconds))" : "" }
        var table = Table("Waiting")
        table.add("messages to be sent (outbox)", database.outbox, age(database.outbox, database.outboxAge))
        table.add(
            "messages ahead of their state (held)", database.deferred, age(database.deferred, database.deferredAge))
        if let sealed = database.sealedUnsigned { table.add("handoffs passed up sealed, unsigned", sealed) }
        table.add("clocks past their day", database.overdueClocks)
        table.add("clocks set aside after a fault", database.clocksSetAside)
        table.add("notices to persons, unseen", database.unseenNotices)
        let dead = database.deadLetters.reduce(0) { $0 + $1.count }
        table.add("dead letters, open", dead, age(dead, database.deadLetterAge))
        for row in database.deadLetters { table.add("  " + row.name, row.count) }
        return table
    }

    private static func owed(_ duties: [OfficeView.Duty]) -> Table {
        var table = Table("Duties that are owed (`bihuan duty list` names who)")
        for duty in duties {
            var remarks = ["due \(duty.lastDay)"]
            if duty.overdue > 0 { remarks.append(duty.overdue == duty.open ? "overdue" : "\(duty.overdue) overdue") }
            let words = [duty.debtor ?? "units", duty.duty, duty.period, duty.name]
            table.add(
                words.filter { !$0.isEmpty }.joined(separator: " "), duty.open, remarks.joined(separator: ", "))
        }
        return table
    }

    private static func unread(_ readers: [OfficeView.Reader]) -> Table {
        var table = Table("What is new (transactions of the ledger that a reader has not read)")
        for reader in readers {
            var remarks = reader.startsAnew ? ["will read the whole ledger"] : []
            if reader.held > 0 {
                let session = reader.session.isEmpty ? "" : ": \(reader.session)"
                remarks.append("\(reader.held) behind an older one\(session)")
            }
            table.add(reader.name, reader.unread, remarks.joined(separator: "; "))
        }
        return table
    }

    // MARK: The broker

    /// Parties have many queues, so theirs are listed only if they contain messages or have a problem; a sum of what
    /// all sources and all units have sent is always there.
    static func ofQueues(_ queues: [OfficeView.Queue]) -> Table {
        var table = Table("Queues (ready messages; parties' only where there are some)")
        var sums: [String: (queues: Int, messages: Int, unread: Int)] = [:]
        for queue in queues {
            switch (queue.state, queue.messages) {
            case (.missing, _): table.add(queue.name, unknown: "does not exist")
            case (.down, _): table.add(queue.name, unknown: "down")
            case (.up, let messages):
                let isUnread = queue.consumers == 0
                if let kind = Topology.Queue.inboundKind(of: queue.name) {
                    let sum = sums[kind] ?? (0, 0, 0)
                    sums[kind] = (sum.queues + 1, sum.messages + (messages ?? 0), sum.unread + (isUnread ? 1 : 0))
                }
                guard queue.kind == "office" || (messages ?? 0) > 0 else { continue }
                if let messages {
                    table.add(queue.name, messages, isUnread ? "no consumer" : "")
                } else {
                    table.add(queue.name, unknown: "no consumer, perhaps down")
                }
            }
        }
        for (kind, sum) in sums.sorted(by: { $0.key < $1.key }) {
            table.add(kind, sum.messages, sum.unread == 0 ? "" : "\(sum.unread) of \(sum.queues) have no consumer")
        }
        return table
    }
}
