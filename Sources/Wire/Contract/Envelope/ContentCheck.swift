import Casework

extension Problem {
    /// The problem of a text whose length in bytes is out of bounds.
    static func text(_ text: String?, _ path: String, _ bytes: ClosedRange<Int>) -> Problem? {
        guard let count = text?.utf8.count, !bytes.contains(count) else { return nil }
        if count < bytes.lowerBound { return Problem(code: "missing_field", path: path, text: "must not be empty") }
        return Problem(code: "too_large", path: path, text: "has \(count) bytes; the limit is \(bytes.upperBound)")
    }

    /// The problem of a command's reason.
    static func reason(_ reason: String, _ limits: Limits) -> Problem? {
        guard reason.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
            return Problem(code: "missing_field", path: "data.reason", text: "this needs a reason")
        }
        return text(reason, "data.reason", 1...limits.reasonBytesMax)
    }
}

extension Envelope {
    /// The first problem in the envelope's optional fields.
    func refinementProblem(limits: Limits) -> Problem? {
        if let inreplyto, !limits.admitsID(inreplyto) {
            return Problem(
                code: "bad_value", path: "inreplyto",
                text: "an id has 1 to \(limits.eventIDBytesMax) printable ASCII characters")
        }
        if let datacontenttype, datacontenttype != MediaType.json, !MediaType.isJSON(datacontenttype) {
            return Problem(
                code: "bad_value", path: "datacontenttype",
                text: "data is a JSON object, so its media type must be \(MediaType.json), or absent")
        }
        return nil
    }
}

extension MediaType {
    /// The JSON rule of CloudEvents: the subtype is `json` or ends in `+json`, with any parameters.
    fileprivate static func isJSON(_ text: String) -> Bool {
        let parts = text.prefix { $0 != ";" }.lowercased().split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, parts.allSatisfy({ $0.utf8.allSatisfy(isTokenByte) }) else {
            return false
        }
        return parts[1] == "json" || parts[1].dropFirst().hasSuffix("+json")
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte) || "!#$&^_.+-".utf8.contains(byte)
    }
}
