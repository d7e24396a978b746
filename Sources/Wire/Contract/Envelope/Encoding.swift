import Casework
import Foundation

/// Encodes messages. Keys are sorted, so that equal messages have equal bytes everywhere.
public enum Wire {
    public static func encode<Payload>(_ event: CloudEvent<Payload>) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return [UInt8](try encoder.encode(event))
        } catch {
            // Every payload consists of texts, whole numbers, flags and lists of them, which always encode.
            preconditionFailure("a payload that JSON cannot hold: \(type(of: event))")
        }
    }
}
