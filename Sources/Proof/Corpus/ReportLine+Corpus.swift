public import Submitting

extension ReportLine {
    /// A report of the corpus as if it were read from a file, under the number of its line.
    public init(_ sample: SampleReport, number: Int) {
        self.init(number: number, source: sample.source, id: sample.id, submission: sample.submission)
    }
}
