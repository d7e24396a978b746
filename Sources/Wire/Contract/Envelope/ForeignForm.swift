import Foundation

/// A message of a CloudEvents SDK in another form than structured JSON, the only one that the office reads. It is
/// recognised so that its sender gets one sentence with what to change.
public struct ForeignForm: Sendable {
    public let problem: Problem
    /// The id in the headers; `nil` if they have none. Likewise below.
    public let id: String?
    public let type: String?
    public let subject: String?

    /// - Parameters:
    ///   - contentEncoding: the AMQP property, such as `gzip`.
    ///   - headers: the AMQP headers that are texts.
    ///   - body: a body that could not be read.
    /// - Returns: `nil` if it is no such form.
    public init?(body: [UInt8], contentType: String?, contentEncoding: String? = nil, headers: [String: String]) {
        let contentType = contentType?.lowercased() ?? ""
        let attributes = ForeignForm.attributes(in: headers)
        if attributes["specversion"] != nil || attributes["id"] != nil && attributes["type"] != nil {
            problem = Problem(
                code: "binary_mode",
                text:
                    """
                    the head of this CloudEvent stands in AMQP headers (binary mode); send it in structured mode: \
                    head and data in one JSON object, content-type \(MediaType.cloudEvents)
                    """
            )
            (id, type, subject) = (attributes["id"], attributes["type"], attributes["subject"])
        } else if contentType.hasPrefix(MediaType.cloudEventsBatch) || ForeignForm.isList(body) {
            problem = Problem(
                code: "batch",
                text:
                    """
                    the body is a JSON list, as of a batch of CloudEvents; send each as a message of its own, \
                    whose body is one JSON object
                    """
            )
            (id, type, subject) = (nil, nil, nil)
        } else if let problem = Problem.otherBytes(body, contentType, contentEncoding?.lowercased() ?? "") {
            self.problem = problem
            (id, type, subject) = (nil, nil, nil)
        } else {
            return nil
        }
    }

    /// CloudEvents attributes by name; the AMQP binding writes `cloudEvents:id` or `cloudEvents_id`, other bindings
    /// `ce-id`.
    private static func attributes(in headers: [String: String]) -> [String: String] {
        var attributes: [String: String] = [:]
        for (name, value) in headers {
            let name = name.lowercased()
            guard let prefix = prefixes.first(where: { name.hasPrefix($0) }) else { continue }
            attributes[String(name.dropFirst(prefix.count))] = value
        }
        return attributes
    }

    private static let prefixes = ["cloudevents:", "cloudevents_", "cloudevents-", "ce-", "ce_", "ce:"]

    /// True if the body begins with a list whose first element looks like an object.
    private static func isList(_ body: [UInt8]) -> Bool {
        let signs = body.lazy.filter { ![0x20, 0x0A, 0x0D, 0x09].contains($0) }.prefix(2)
        return Array(signs) == Array("[{".utf8)
    }
}

extension Problem {
    /// The problem of an event that is not JSON in UTF-8, if its bytes or properties show another encoding.
    fileprivate static func otherBytes(_ body: [UInt8], _ contentType: String, _ contentEncoding: String) -> Problem? {
        let isGzip = body.starts(with: [0x1F, 0x8B])
        if isGzip || !["", "identity", "utf-8", "utf8"].contains(contentEncoding) {
            return Problem(
                code: "not_utf8",
                text:
                    """
                    the body is compressed, or encoded in another way; send its JSON as it is, in UTF-8, without \
                    content-encoding
                    """
            )
        }
        let format = contentType.prefix { $0 != ";" }
        guard format.hasPrefix(MediaType.cloudEventsOfAnyFormat), !format.hasPrefix(MediaType.cloudEvents) else {
            return nil
        }
        return Problem(
            code: "not_json",
            text:
                """
                the content-type names a format of CloudEvents other than JSON; send it as JSON, content-type \
                \(MediaType.cloudEvents)
                """
        )
    }
}
