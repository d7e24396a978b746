public import Casework
public import Contract

/// What intake asks of a submission before any rule: limits, words of the vocabulary, ids that exist.
public enum SubmissionCheck {
    /// - Parameters:
    ///   - rulebook: the policy whose words count; `nil` where it is not at hand: then words are not asked.
    ///   - directory: the office's units; `nil` where they are not at hand.
    ///   - now: business time.
    public static func problems(
        in submission: Submission, rulebook: Rulebook?, directory: OfficeDirectory?, now: Instant, limits: Limits = .standard
    ) -> [Problem] {
        var check = Check()
        check.received(submission.receivedAt, "data.receivedAt", now: now, limits)
        check.text(submission.text, "data.text", min: 1, max: limits.textBytesMax)
        check.text(submission.title, "data.title", max: limits.titleBytesMax)
        check.count(submission.accused.count, "data.accused", max: limits.accusedMax)
        check.count(submission.allegations.count, "data.allegations", max: limits.allegationsMax)
        check.count(submission.reporters.count, "data.reporters", max: limits.reportersMax)
        check.count(submission.attachments.count, "data.attachments", max: limits.attachmentsMax)
        check.code(submission.region, "data.region")
        // A list that is too long is not looked through: one problem says it all.
        guard check.problems.isEmpty else { return check.problems }
        for (index, accused) in submission.accused.enumerated() {
            let path = "data.accused[\(index)]"
            check.text(accused.name, "\(path).name", min: 1, max: limits.nameBytesMax)
            check.text(accused.organ, "\(path).organ", max: limits.nameBytesMax)
            check.text(accused.position, "\(path).position", max: limits.nameBytesMax)
            check.code(accused.region, "\(path).region")
            if let unit = accused.unit, let directory, directory.units[unit] == nil {
                // Fails closed: an unknown unit could be one that the barrier must keep out.
                check.add("unknown_unit", "\(path).unit", "no unit of this office has this id")
            }
        }
        for (index, allegation) in submission.allegations.enumerated() {
            check.text(allegation.act, "data.allegations[\(index)].act", min: 1, max: limits.nameBytesMax)
        }
        for (index, reporter) in submission.reporters.enumerated() {
            let path = "data.reporters[\(index)]"
            check.text(reporter.name, "\(path).name", max: limits.nameBytesMax)
            check.text(reporter.organ, "\(path).organ", max: limits.nameBytesMax)
            check.text(reporter.phone, "\(path).phone", max: limits.nameBytesMax)
            check.text(reporter.email, "\(path).email", max: limits.nameBytesMax)
            check.text(reporter.idNumber, "\(path).idNumber", max: limits.nameBytesMax)
            check.text(reporter.address, "\(path).address", max: limits.nameBytesMax)
        }
        check.papers(submission.attachments, limits)
        let unknown = (rulebook?.unknownVocabulary(in: submission) ?? []).map {
            Problem(code: "unknown_word", path: "data.\($0.path)", text: $0.message)
        }
        return Array((check.problems + unknown).prefix(20))
    }

    private struct Check {
        var problems: [Problem] = []

        mutating func add(_ code: String, _ path: String, _ text: String) {
            problems.append(Problem(code: code, path: path, text: text))
        }

        mutating func text(_ text: String?, _ path: String, min: Int = 0, max: Int) {
            guard let text else { return }
            let count = text.utf8.count
            if min > 0, text.unicodeScalars.allSatisfy(\.properties.isWhitespace) { add("missing_field", path, "must not be empty") }
            if count > max { add("too_large", path, "has \(count) bytes; the limit is \(max)") }
            if text.utf8.contains(0) { add("control_character", path, "holds the character U+0000, which no register can keep") }
        }

        mutating func received(_ moment: Instant?, _ path: String, now: Instant, _ limits: Limits) {
            guard let moment else { return }
            if let first = CivilDate(year: limits.receivedYearMin, month: 1, day: 1), moment < Instant(startOf: first) {
                add("bad_value", path, "lies before the year \(limits.receivedYearMin) (UTC): leave it out where it is not known")
            }
            if moment > now.adding(seconds: Double(limits.receivedAheadSecondsMax)) {
                add("bad_value", path, "lies in the future, more than \(limits.receivedAheadSecondsMax / 3600) hours ahead of the office's time")
            }
        }

        mutating func papers(_ papers: [Attachment], _ limits: Limits) {
            var sizes: [String: Int] = [:]
            for (index, paper) in papers.enumerated() {
                let path = "data.attachments[\(index)]"
                text(paper.name, "\(path).name", min: 1, max: limits.nameBytesMax)
                text(paper.mediaType, "\(path).mediaType", max: limits.nameBytesMax)
                if paper.bytes < 0 { add("bad_value", "\(path).bytes", "a paper has 0 bytes or more") }
                if paper.bytes > limits.attachmentBytesMax {
                    add("too_large", "\(path).bytes", "a paper has at most \(limits.attachmentBytesMax) bytes")
                }
                guard [UInt8](hexadecimal: paper.sha256)?.count == 32 else {
                    add("bad_value", "\(path).sha256", "must be 64 hexadecimal digits")
                    continue
                }
                let digest = paper.sha256.lowercased()
                if let other = sizes[digest], other != paper.bytes {
                    add("bad_value", "\(path).bytes", "another size was given with the same SHA-256 above; one paper has one size")
                }
                sizes[digest] = paper.bytes
            }
            // One by one they may be within the limit, and their sum beyond what fits a number.
            let most = limits.papersBytesMax
            if papers.reduce(0, { min($0, most) + min(max($1.bytes, 0), most) }) > most {
                add("too_large", "data.attachments", "the papers of a report have at most \(most) bytes together")
            }
        }

        mutating func count(_ count: Int, _ path: String, max: Int) {
            if count > max { add("too_many", path, "has \(count) entries; the limit is \(max)") }
        }

        mutating func code(_ code: String?, _ path: String) {
            guard let code else { return }
            let fits = (1...40).contains(code.utf8.count)
                && code.utf8.allSatisfy {
                    (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2D
                }
            if !fits { add("bad_value", path, "a code of a place has 1 to 40 of the characters A-Z a-z 0-9 -") }
        }
    }
}
