extension PageWords {
    /// What is wrong, as a sentence without its subjects.
    func sentence(_ trouble: Trouble) -> String {
        let (count, value, age) = (trouble.subjects.count, Int(clamped: trouble.value), age(trouble.value))
        switch trouble.kind {
        case .databaseUnreadable: return self("The database cannot be read", "数据库无法读取")
        case .queuesUnreadable: return self("The queues cannot be read", "消息队列无法读取")
        case .queueDown:
            return self("\(counted(count, "queue is", "queues are")) down", "\(amount(count)) 个队列不可用")
        case .queueUnread:
            return self("\(counted(count, "queue has", "queues have")) no reader", "\(amount(count)) 个队列无人读取")
        case .queueLong:
            return self(
                "\(counted(count, "queue is", "queues are")) long: up to \(amount(value)) messages",
                "\(amount(count)) 个队列积压，最多 \(amount(value)) 条")
        case .workerMissing: return self(count == 1 ? "A worker does not run" : "Workers do not run", "进程未运行")
        case .queuesUnleased:
            return self("No lane reads \(counted(value, "queue", "queues")) of parties", "\(amount(value)) 个收件队列无进程接管")
        case .outboxOld: return self("Messages have not been sent for \(age)", "待发消息已滞留 \(age)")
        case .sweepLate: return self("Due deadline steps are \(age) late", "到期的催办步骤已延误 \(age)")
        case .clocksSetAside:
            return self(
                "\(counted(value, "clock was", "clocks were")) set aside after a fault", "\(amount(value)) 个时限因故障被搁置")
        case .deadLetters:
            return self("\(counted(value, "open dead letter", "open dead letters"))", "\(amount(value)) 条死信待处理")
        case .deferredOld: return self("Messages ahead of their state have waited for \(age)", "先到的反馈已等候 \(age)")
        case .unsignedOld:
            return self(
                "\(counted(count, "unit has", "units have")) not signed for up to \(age)",
                "\(amount(count)) 个承办单位未签收，最久 \(age)")
        case .overdue: return self("\(counted(value, "clock is", "clocks are")) overdue", "\(amount(value)) 个时限已超期")
        case .changesHeld:
            return self(
                "An open transaction holds back \(counted(value, "change", "changes")) of the ledger",
                "台账有 \(amount(value)) 项变更被未结束的事务挡住")
        case .checkpointOld: return self("The ledger has had no checkpoint for \(age)", "台账已 \(age)未做检查点")
        }
    }

    /// A subject as it is shown: workers have names in each language; queues, units and programs have one.
    func subject(_ name: String, of trouble: Trouble) -> String {
        switch trouble.kind {
        case .workerMissing, .queuesUnleased: shownName(worker(name))
        default: shownName(name)
        }
    }
}

extension Int {
    /// Without a trap.
    init(clamped number: Double) { self = number.isNaN ? 0 : Int(Swift.min(Swift.max(number, -1e15), 1e15)) }
}
