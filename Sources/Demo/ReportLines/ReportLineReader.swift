public import Casework
import Foundation

/// Reads JSON lines as reports.
public struct ReportLineReader: Sendable {
    private let map: FieldMap?
    private let defaultSource: SourceID

    public init(map: FieldMap?, defaultSource: SourceID) {
        self.map = map
        self.defaultSource = defaultSource
    }

    /// `nil` for a blank line.
    public func read(_ line: String, number: Int) -> Swift.Result<ReportLine, LineProblem>? {
        read(Array(line.utf8), number: number)
    }

    public func read(_ line: [UInt8], number: Int) -> Swift.Result<ReportLine, LineProblem>? {
        do {
            let submission = try JSONDecoder().decode(Submission.self, from: Data(line))
            return .success(ReportLine(number: number, source: defaultSource, id: "line-\(number)", submission: submission))
        } catch {
            return .failure(LineProblem(number: number, reason: "not a report"))
        }
    }
}
