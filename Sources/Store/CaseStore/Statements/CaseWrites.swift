public import Basics
public import Casework
public import PostgreSQL

/// All writes for cases in one transaction, in bulk: one statement per table for any number of cases.
public struct CaseWrites: Sendable {
    /// A new report with its masked content and its sealed original bytes.
    public struct NewReport: Sendable {
        public var report: Report
        /// Units that the accused belong to.
        public let barredRoots: Set<UnitID>
        /// `nil` for a sealed pass-through, whose content is not stored.
        public let content: Submission?
        public let original: Original?
        /// One key for each of the content's attachments.
        public let attachments: [AttachmentKey]

        public init(
            report: Report, barredRoots: Set<UnitID>, content: Submission?, original: Original?,
            attachments: [AttachmentKey]
        ) {
            self.report = report
            self.barredRoots = barredRoots
            self.content = content
            self.original = original
            self.attachments = attachments
        }
    }

    public var newReports: [NewReport] = []
    public var changedReports: [(report: Report, loadedHead: LedgerHead)] = []
    public var newHandoffs: [Handoff] = []
    /// Handoffs that are inserted with their whole history.
    var pastHandoffs: [Handoff] = []
    public var changedHandoffs: [Handoff] = []
    public var newClocks: [Clock] = []
    public var changedClocks: [Clock] = []
    public var entries: [(chain: ReportID, entry: LedgerEntry)] = []
    /// Units' and the office's, that grew.
    public var changedChains: [SubjectChain] = []
    /// Units that were found after registration to be mentioned in the reports.
    public var newRoots: [(report: ReportID, unit: UnitID)] = []

    public init() {}

    /// Collects the changes of a file. `content` is separate, because a file has no text.
    public mutating func collect(_ file: CaseFile) {
        if let loaded = file.loadedHead, file.reportChanged { changedReports.append((file.report, loaded)) }
        for handoff in file.handoffs {
            if file.newHandoffs.contains(handoff.id) {
                newHandoffs.append(handoff)
            } else if file.changedHandoffs.contains(handoff.id) {
                changedHandoffs.append(handoff)
            }
        }
        collect(file.clocks)
        newRoots += file.newRoots.sorted().map { (file.report.id, $0) }
        entries += file.newEntries.map { (file.report.id, $0) }
    }

    public mutating func collect(_ clocks: ClockSet) {
        newClocks += clocks.filter { clocks.new.contains($0.id) }
        changedClocks += clocks.filter { clocks.changed.contains($0.id) }
    }

    public mutating func collect(_ chain: SubjectChain) {
        guard !chain.newEntries.isEmpty else { return }
        changedChains.append(chain)
        entries += chain.newEntries.map { (chain.id, $0) }
    }

    /// The statements in the order that foreign keys require.
    public var commands: [any Command] {
        var commands: [any Command] = []
        if !newReports.isEmpty {
            let contents = newReports.compactMap { new in new.content.map { (new.report.id, $0) } }
            commands.append(InsertReports(reports: newReports.map(\.report)))
            commands.append(InsertReportTexts(contents: contents))
            let originals = newReports.compactMap { new in new.original.map { (new.report.id, $0) } }
            if !originals.isEmpty { commands.append(InsertOriginals(originals: originals)) }
            let accused = contents.flatMap { (id, content) in
                content.accused.enumerated().map { (id, $0.offset, $0.element) }
            }
            if !accused.isEmpty { commands.append(InsertAccused(rows: accused)) }
            let allegations = contents.flatMap { (id, content) in
                content.allegations.enumerated().map { (id, $0.offset, $0.element) }
            }
            if !allegations.isEmpty { commands.append(InsertAllegations(rows: allegations)) }
            let attachments = newReports.flatMap { new in
                zip(new.content?.attachments ?? [], new.attachments).enumerated().map {
                    (new.report.id, $0.offset, $0.element.0, $0.element.1)
                }
            }
            if !attachments.isEmpty { commands.append(InsertAttachments(rows: attachments)) }
        }
        // Before all rows that the barrier must check.
        let roots = newReports.flatMap { new in new.barredRoots.sorted().map { (new.report.id, $0) } } + newRoots
        if !roots.isEmpty { commands.append(InsertBarredRoots(rows: roots)) }
        if !changedReports.isEmpty { commands.append(UpdateReports(reports: changedReports)) }
        if !newHandoffs.isEmpty { commands.append(InsertHandoffs(handoffs: newHandoffs)) }
        if !pastHandoffs.isEmpty { commands.append(InsertPastHandoffs(handoffs: pastHandoffs)) }
        if !changedHandoffs.isEmpty { commands.append(UpdateHandoffs(handoffs: changedHandoffs)) }
        if !newClocks.isEmpty { commands.append(InsertClocks(clocks: newClocks)) }
        if !changedClocks.isEmpty { commands.append(UpdateClocks(clocks: changedClocks)) }
        let units = changedChains.filter { $0.subject.kind == .unit }
        if !units.isEmpty { commands.append(UpdateUnitChains(chains: units)) }
        let office = changedChains.filter { $0.subject.kind == .office }
        if !office.isEmpty { commands.append(UpdateOfficeChain(chains: office)) }
        if !entries.isEmpty { commands.append(InsertLedgerEntries(entries: entries)) }
        return commands
    }
}

// MARK: Statements

struct InsertReports: Command {
    var reports: [Report]
    static let sql = Report.columns.insert
    var parameters: [Parameter] { Report.columns.inserting(reports) }
}

struct InsertReportTexts: Command {
    var contents: [(ReportID, Submission)]
    static let sql = reportTextColumns.insert
    var parameters: [Parameter] { reportTextColumns.inserting(contents) }
}

struct InsertAccused: Command {
    var rows: [(ReportID, Int, Accused)]
    static let sql = accusedColumns.insert
    var parameters: [Parameter] { accusedColumns.inserting(rows) }
}

struct InsertAllegations: Command {
    var rows: [(ReportID, Int, Allegation)]
    static let sql = allegationColumns.insert
    var parameters: [Parameter] { allegationColumns.inserting(rows) }
}

struct InsertAttachments: Command {
    var rows: [(ReportID, Int, Attachment, AttachmentKey)]
    static let sql = attachmentColumns.insert
    var parameters: [Parameter] { attachmentColumns.inserting(rows) }
}

public struct InsertBarredRoots: Command {
    public var rows: [(ReportID, UnitID)]
    public init(rows: [(ReportID, UnitID)]) { self.rows = rows }
    public static let sql =
        "INSERT INTO barred_root (report_id, unit) SELECT * FROM unnest($1::uuid[], $2::text[]) ON CONFLICT DO NOTHING"
    public var parameters: [Parameter] { [.ids(rows.map(\.0)), .texts(rows.map(\.1.rawValue))] }
}

/// Updates reports. The head advances by compare-and-set: a report whose chain grew meanwhile is not written, and the
/// caller gets a row count that is too small.
struct UpdateReports: HeadUpdate {
    var reports: [(report: Report, loadedHead: LedgerHead)]
    static let sql = Report.columns.update(guardedBy: ("head", "bytea"))
    var parameters: [Parameter] {
        Report.columns.updating(reports.map(\.report)) + [.byteas(reports.map(\.loadedHead.hash))]
    }
    var headCount: Int { reports.count }
}

struct InsertHandoffs: Command {
    var handoffs: [Handoff]
    static let sql = Handoff.columns.insert
    var parameters: [Parameter] { Handoff.columns.inserting(handoffs) }
}

struct InsertPastHandoffs: Command {
    var handoffs: [Handoff]
    static let sql = Handoff.columns.insertWhole
    var parameters: [Parameter] { Handoff.columns.insertingWhole(handoffs) }
}

struct UpdateHandoffs: Command {
    var handoffs: [Handoff]
    static let sql = Handoff.columns.update()
    var parameters: [Parameter] { Handoff.columns.updating(handoffs) }
}

struct InsertClocks: Command {
    var clocks: [Clock]
    static let sql = Clock.columns.insert
    var parameters: [Parameter] { Clock.columns.inserting(clocks) }
}

struct UpdateClocks: Command {
    var clocks: [Clock]
    static let sql = Clock.columns.update()
    var parameters: [Parameter] { Clock.columns.updating(clocks) }
}

struct InsertLedgerEntries: Command {
    var entries: [(chain: ReportID, entry: LedgerEntry)]
    static let sql = ledgerEntryColumns.insert
    var parameters: [Parameter] { ledgerEntryColumns.inserting(entries) }
}

// MARK: Compare-and-set

/// A report's chain grew while the report was being decided: the transaction must be run again. It cannot happen
/// under the report's lock; the compare-and-set is a second check.
public struct StaleCase: Error, Sendable, CustomStringConvertible {
    public let description = "a ledger head had moved"
    public init() {}
}

/// A statement that moves heads by compare-and-set: one whose chain grew meanwhile is not written, and the caller sees
/// a count that is too small.
protocol HeadUpdate: Command {
    var headCount: Int { get }
}

struct UpdateUnitChains: HeadUpdate {
    var chains: [SubjectChain]
    static let sql = SubjectChain.unitColumns.update(guardedBy: ("head", "bytea"))
    var parameters: [Parameter] {
        SubjectChain.unitColumns.updating(chains) + [.byteas(chains.map(\.loadedHead.hash))]
    }
    var headCount: Int { chains.count }
}

struct UpdateOfficeChain: HeadUpdate {
    var chains: [SubjectChain]
    static let sql = SubjectChain.officeColumns.update(guardedBy: ("head", "bytea"))
    var parameters: [Parameter] {
        SubjectChain.officeColumns.updating(chains) + [.byteas(chains.map(\.loadedHead.hash))]
    }
    var headCount: Int { chains.count }
}

extension Connection {
    /// Writes cases and the given other commands in one round trip, in the open transaction.
    public func write(_ writes: CaseWrites, with others: [any Command]) throws {
        let commands = writes.commands + others
        guard !commands.isEmpty else { return }
        let written = try pipeline(commands: commands)
        for (command, count) in zip(commands, written) {
            if let update = command as? any HeadUpdate, count != update.headCount { throw StaleCase() }
        }
    }
}
