import Casework
import Foundation

/// Writes messages as bytes. Keys are sorted, so that a body is the same bytes wherever it is made.
public enum Wire {
    public static func encode<Payload>(_ event: CloudEvent<Payload>) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return [UInt8](try encoder.encode(event))
        } catch {
            // Every payload is made of texts, whole numbers, flags and lists of them: nothing in it can fail to encode.
            preconditionFailure("a payload that JSON cannot hold: \(type(of: event))")
        }
    }
}
