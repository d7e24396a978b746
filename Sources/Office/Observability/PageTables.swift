import Casework

/// The tables of the page: the worst queues and units, and all states.
struct PageTables {
    private let view: OfficeView
    private let words: PageWords

    init(_ view: OfficeView, _ words: PageWords) {
        self.view = view
        self.words = words
    }

    var all: Markup { "\(queues)\(units)\(reports)\(handoffs)" }

    private var queues: Markup {
        let longest = view.queues.map { queues in
            queues.largest(OfficePage.rowsMax) { ($0.messages ?? 0) > 0 ? Double($0.messages ?? 0) : nil }
        }
        let rows = longest?.map { queue in
            (shownName(queue.name), [words.amount(queue.messages), words.amount(queue.consumers)])
        }
        return table(
            words("Longest queues", "最长的队列"), [words("queue", "队列"), words("ready", "待取"), words("readers", "消费者")],
            rows,
            none: words("No message waits", "没有等待的消息"), isCode: true)
    }

    private var units: Markup {
        let worst = view.database.map { database in
            database.unsigned.largest(OfficePage.rowsMax) { $0.count > 0 ? $0.age : nil }
        }
        let rows = worst?.map { (shownName($0.unit), [words.amount($0.count), words.age($0.age)]) }
        return table(
            words("Units that have not signed", "未签收的承办单位"),
            [words("unit", "单位"), words("handoffs", "移交件"), words("oldest", "最久")], rows,
            none: words("Everything is signed", "均已签收"), isCode: true)
    }

    private var reports: Markup {
        states(words("Reports by state", "举报件状态"), view.database?.reports, ReportState.allCases.map(\.rawValue)) {
            ReportState(rawValue: $0).map { words.report($0) }
        }
    }

    private var handoffs: Markup {
        states(words("Handoffs by state", "移交件状态"), view.database?.handoffs, HandoffState.allCases.map(\.rawValue)) {
            HandoffState(rawValue: $0).map { words.handoff($0) }
        }
    }

    /// The states in the order of their course; a state that this program does not know comes last.
    private func states(
        _ caption: String, _ counts: [OfficeView.Count]?, _ order: [String], _ name: (String) -> String?
    ) -> Markup {
        let places = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
        let rows = counts?.prefix(4 * order.count).sorted {
            (places[$0.name] ?? order.count) < (places[$1.name] ?? order.count)
        }.map { (name($0.name) ?? shownName($0.name), [words.amount($0.count)]) }
        return table(
            caption, [words("state", "状态"), words("number", "件数")], rows, none: words("None yet", "尚无"), isCode: false)
    }

    private func table(
        _ caption: String, _ heads: [String], _ rows: [(name: String, amounts: [String])]?, none: String, isCode: Bool
    ) -> Markup {
        guard let rows, !rows.isEmpty else {
            let text = rows == nil ? words("– not known", "– 未知") : none
            return """
                <div class="card"><table><caption>\(caption)</caption>\
                <tbody><tr><th scope="row">\(text)</th></tr></tbody></table></div>

                """
        }
        var lines = Markup("")
        for row in rows {
            lines +=
                isCode
                ? "<tr><th scope=\"row\"><code>\(row.name)</code></th>" : "<tr><th scope=\"row\">\(row.name)</th>"
            for amount in row.amounts { lines += "<td>\(amount)</td>" }
            lines += "</tr>\n"
        }
        var head = Markup("")
        for (index, name) in heads.enumerated() {
            head += index == 0 ? "<th scope=\"col\">\(name)</th>" : "<th scope=\"col\" class=\"r\">\(name)</th>"
        }
        return """
            <div class="card"><table><caption>\(caption)</caption><thead><tr>\(head)</tr></thead><tbody>
            \(lines)</tbody></table></div>

            """
    }
}

extension Array {
    /// The elements with the largest keys, the largest first; those without a key are left out. In one walk.
    fileprivate func largest(_ count: Int, by key: (Element) -> Double?) -> [Element] {
        var kept: [(key: Double, element: Element)] = []
        for element in self {
            guard let key = key(element) else { continue }
            if kept.count == count, let last = kept.last, key <= last.key { continue }
            kept.insert((key, element), at: kept.firstIndex { $0.key < key } ?? kept.count)
            if kept.count > count { kept.removeLast() }
        }
        return kept.map(\.element)
    }
}
