public import Submitting

extension ReportLine {
    /// A report of the corpus in the form of a line read from a file, with its line number.
    public init(_ sample: SampleReport, number: Int) {
        self.init(number: number, source: sample.source, id: sample.id, submission: sample.submission)
    }
}
