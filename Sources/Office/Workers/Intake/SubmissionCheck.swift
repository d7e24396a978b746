public import Basics
public import Casework
public import Contract

/// The check of a submission before any rule: limits, words of the vocabulary, ids that exist.
public enum SubmissionCheck {
    /// The problems of a submission, at most 20.
    /// - Parameters:
    ///   - rulebook: the policy with the vocabulary; `nil` if it is not available: then words are not checked.
    ///   - directory: the office's units; `nil` if they are not available: then ids of units are not checked.
    ///   - now: business time.
    public static func problems(
        in submission: Submission, rulebook: Rulebook?, directory: OfficeDirectory?, now: Instant,
        limits: Limits = .standard
    ) -> [Problem] {
        var (check, said) = (Check(limits: limits, directory: directory), submission)
        check.received(submission.receivedAt, "data.receivedAt", now: now, limits)
        check.count(submission.accused.count, "data.accused", max: limits.accusedMax)
        check.count(submission.allegations.count, "data.allegations", max: limits.allegationsMax)
        check.count(submission.reporters.count, "data.reporters", max: limits.reportersMax)
        check.count(submission.attachments.count, "data.attachments", max: limits.attachmentsMax)
        // The entries of a list that is too long are not checked: one problem is enough.
        guard check.problems.isEmpty else { return check.problems }
        said.visitTexts(&check)
        check.attachments(submission.attachments, limits)
        let unknown = (rulebook?.unknownVocabulary(in: submission) ?? []).map {
            Problem(code: "unknown_word", path: "data.\($0.path)", text: $0.message)
        }
        return Array((check.problems + unknown).prefix(20))
    }

    private struct Check: TextVisitor {
        let limits: Limits
        let directory: OfficeDirectory?
        var problems: [Problem] = []

        mutating func visit(_ text: inout String, at place: TextPlace, as kind: TextKind) {
            switch kind {
            case .body: self.text(text, place, min: 1, max: limits.textBytesMax)
            case .title: self.text(text, place, max: limits.titleBytesMax)
            case .accusedName, .words(isRequired: true): self.text(text, place, min: 1, max: limits.nameBytesMax)
            case .words(isRequired: false), .reporter: self.text(text, place, max: limits.nameBytesMax)
            }
        }

        mutating func visit(code: inout String?, at place: TextPlace, as kind: CodeKind) {
            guard let code else { return }
            switch kind {
            // `unknownVocabulary` checks these, with a suggestion for each.
            case .vocabulary: break
            case .placeCode: self.code(code, "\(place)")
            case .unit:
                // Fails closed: an unknown unit could be one that the barrier must exclude.
                if let directory, UnitID(code).flatMap({ directory.units[$0] }) == nil {
                    add("unknown_unit", "\(place)", "no unit of this office has this id")
                }
            case .digest:
                if [UInt8](hexadecimal: code)?.count != 32 {
                    add("bad_value", "\(place)", "must be 64 hexadecimal digits")
                }
            case .mediaType:
                if code.utf8.count > limits.nameBytesMax {
                    add("too_large", "\(place)", "has \(code.utf8.count) bytes; the limit is \(limits.nameBytesMax)")
                } else if MediaTypeName.normal(code) == nil {
                    add("bad_value", "\(place)", "is a format's name, type/subtype, such as image/jpeg (RFC 6838)")
                }
            }
        }

        mutating func add(_ code: String, _ path: String, _ text: String) {
            problems.append(Problem(code: code, path: path, text: text))
        }

        private mutating func text(_ text: String, _ place: TextPlace, min: Int = 0, max: Int) {
            let count = text.utf8.count
            if min > 0, text.unicodeScalars.allSatisfy(\.properties.isWhitespace) {
                add("missing_field", "\(place)", "must not be empty")
            }
            if count > max { add("too_large", "\(place)", "has \(count) bytes; the limit is \(max)") }
            if text.utf8.contains(0) {
                add("control_character", "\(place)", "holds the character U+0000, which no register can keep")
            }
        }

        mutating func received(_ moment: Instant?, _ path: String, now: Instant, _ limits: Limits) {
            guard let moment else { return }
            if let first = CivilDate(year: limits.receivedYearMin, month: 1, day: 1), moment < Instant(startOf: first) {
                add(
                    "bad_value", path,
                    "lies before the year \(limits.receivedYearMin) (UTC): leave it out where it is not known")
            }
            if moment > now.adding(seconds: Double(limits.receivedAheadSecondsMax)) {
                add(
                    "bad_value", path,
                    """
                    lies in the future, more than \(limits.receivedAheadSecondsMax / 3600) hours ahead of the \
                    office's time
                    """
                )
            }
        }

        mutating func attachments(_ attachments: [Attachment], _ limits: Limits) {
            var sizes: [String: Int] = [:]
            for (index, attachment) in attachments.enumerated() {
                let path = "data.attachments[\(index)]"
                if attachment.bytes < 0 { add("bad_value", "\(path).bytes", "a paper has 0 bytes or more") }
                if attachment.bytes > limits.attachmentBytesMax {
                    add("too_large", "\(path).bytes", "a paper has at most \(limits.attachmentBytesMax) bytes")
                }
                let digest = attachment.sha256.lowercased()
                if let other = sizes[digest], other != attachment.bytes {
                    add(
                        "bad_value", "\(path).bytes",
                        "another size was given with the same SHA-256 above; one paper has one size")
                }
                sizes[digest] = attachment.bytes
            }
            // Each size may be within the limit, and their sum too large for `Int`.
            let most = limits.papersBytesMax
            if attachments.reduce(0, { min($0, most) + min(max($1.bytes, 0), most) }) > most {
                add("too_large", "data.attachments", "the papers of a report have at most \(most) bytes together")
            }
        }

        mutating func count(_ count: Int, _ path: String, max: Int) {
            if count > max { add("too_many", path, "has \(count) entries; the limit is \(max)") }
        }

        private mutating func code(_ code: String, _ path: String) {
            let fits =
                (1...40).contains(code.utf8.count)
                && code.utf8.allSatisfy {
                    (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2D
                }
            if !fits { add("bad_value", path, "a code of a place has 1 to 40 of the characters A-Z a-z 0-9 -") }
        }
    }
}
