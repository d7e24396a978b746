import Basics
import Casework
import Contract
import Foundation
import PartyClient
import Submitting
import Terminal

/// The submission of one file: reading, checking, sending, answers.
struct FileSubmission {
    let file: ReportFile
    let reader: ReportLineReader
    let check: Beforehand
    let page: SubmissionPage
    /// The timeout of the whole submission in seconds; nil: each step has its own timeout.
    let timeout: Double?
    let readsReceipts: Bool

    /// The most seconds without an answer, if no timeout is set.
    private static let quietSecondsMax = 30.0
    static let late: Int32 = 3

    private var progress = ProgressLine()
    private let began = ContinuousClock.now

    init(
        file: ReportFile, reader: ReportLineReader, check: Beforehand, page: SubmissionPage, timeout: Double?,
        readsReceipts: Bool
    ) {
        (self.file, self.reader, self.check, self.page) = (file, reader, check, page)
        (self.timeout, self.readsReceipts) = (timeout, readsReceipts)
    }

    /// Submits the file and returns the exit status: 0 if the office has all reports, 1 if not, 3 if this is not
    /// known in time.
    mutating func run(_ settings: Submitter) throws -> Int32 {
        Output.note("reading \(file.description)")
        var submitter = settings
        (submitter.looksForRepeats, submitter.noun) = (true, file.noun)
        submitter.onWaiting = { Output.note($0) }
        submitter.patienceSeconds = timeout ?? submitter.patienceSeconds
        let receipts = readsReceipts ? SubmissionReceipts(broker: settings.broker) : nil
        submitter.receipts = receipts
        defer { receipts?.stop() }
        let summary: SubmitSummary
        do {
            summary = try send(submitter)
        } catch let error as PartyClientError where error.code == .brokerAway {
            progress.clear()
            Output.note("\(error.description)")
            page.sayEnd(confirmed: nil, identical: 0, seconds: 0, open: [])
            return Self.late
        }
        progress.clear()
        for problem in summary.problems { page.add(problem) }
        let open = try receipts.map { try wait(for: $0, of: summary.confirmed) } ?? []
        page.sayEnd(confirmed: summary.confirmed, identical: summary.identical, seconds: summary.seconds, open: open)
        if !open.isEmpty { return Self.late }
        return page.hasProblems ? 1 : 0
    }

    private mutating func send(_ submitter: Submitter) throws -> SubmitSummary {
        let (reader, check, page, size, recordCount) = (reader, check, page, file.size, file.recordCount)
        var records = try file.records()
        var (bytesRead, taken) = (0, 0)
        let reports = AnySequence {
            AnyIterator { () -> ReportLine? in
                while let record = records.next() {
                    bytesRead = records.bytesRead
                    taken += 1
                    switch reader.read(record) {
                    case nil: continue
                    case .failure(let problem): page.add(problem)
                    case .success(let report):
                        let problems = check.problems(of: report)
                        if problems.isEmpty {
                            if check.isAnonymous(report) { page.addAnonymous() }
                            return report
                        }
                        page.add(LineProblem(number: report.number, problems: problems))
                    }
                }
                if taken < recordCount {
                    page.add(
                        LineProblem(
                            number: taken + 1,
                            reason: "the file was changed while it was read: what stood from here on did not go in"))
                }
                return nil
            }
        }
        let receipts = submitter.receipts
        return try submitter.submit(reports: reports) { state in
            for receipt in receipts?.take() ?? [] { page.add(receipt) }
            if page.hasUnsaid { progress.clear() }
            page.say()
            let repeats = state.identical > 0 ? ", \(state.identical) identical to earlier ones" : ""
            progress.draw("\(state.confirmed) confirmed\(repeats)", share: Double(bytesRead) / Double(max(size, 1)))
        }
    }

    /// Waits for outstanding answers; returns the lines without one.
    private mutating func wait(for receipts: SubmissionReceipts, of count: Int) throws -> [Int] {
        while true {
            for receipt in receipts.take() { page.add(receipt) }
            if page.hasUnsaid { progress.clear() }
            page.say()
            let open = receipts.open
            if open.lines.isEmpty {
                // Answers that came between the two calls.
                for receipt in receipts.take() { page.add(receipt) }
                page.say()
                return []
            }
            if let trouble = open.trouble {
                progress.clear()
                Output.note(trouble)
                return open.lines
            }
            let isOver =
                timeout.map { (ContinuousClock.now - began).inSeconds >= $0 }
                ?? (receipts.quietFor >= Self.quietSecondsMax)
            if isOver {
                progress.clear()
                return open.lines
            }
            progress.draw(
                "\(count - open.lines.count) of \(count) answered",
                share: Double(count - open.lines.count) / Double(max(count, 1)))
            usleep(50_000)
        }
    }
}
