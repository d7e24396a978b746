/// A check of YAML written by people, before a parser reads it.
///
/// It refuses what YAML allows and our files do not need: anchors and aliases, because a few lines of them expand to
/// gigabytes; keys that are lists or tables, because each is compared with all its contents; deep nesting; and line
/// breaks that are easily overlooked (U+0085, U+2028, U+2029, a byte order mark within the text), because they could
/// hide any of these. A parser uses some hundred bytes of memory for two bytes of text, so a file is limited by its
/// number of values, not by its bytes alone.
public enum YAMLText {
    /// The most values of a text; the shipped policy has some three thousand.
    public static let valuesMax = 20_000
    /// The deepest nesting of brackets.
    public static let depthMax = 64

    /// The reason why a text is not given to the parser.
    public struct Refusal: Error, Hashable, Sendable {
        public let message: String
        /// Counted from 1.
        public let line: Int?

        public init(message: String, line: Int?) {
            self.message = message
            self.line = line
        }
    }

    /// - Parameter subject: what the text is, in the writer's words: `a policy`.
    public static func check(_ yaml: String, bytesMax: Int, subject: String) throws(Refusal) {
        guard yaml.utf8.count <= bytesMax else {
            throw Refusal(message: "\(subject) has at most \(bytesMax) bytes", line: nil)
        }
        var (line, values, depth) = (1, 0, 0)
        var inComment = false
        // Whether a value may begin here, and whether a key may; blanks do not change that.
        var (isAtValue, isAtKey) = (true, true)
        // Some editors write a byte order mark at the start.
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        var iterator = yaml.utf8.dropFirst(yaml.utf8.starts(with: mark) ? mark.count : 0).makeIterator()
        var next = iterator.next()
        var lastThree: (UInt8, UInt8, UInt8) = (0, 0, 0)
        while let byte = next {
            next = iterator.next()
            lastThree = (lastThree.1, lastThree.2, byte)
            switch lastThree {
            case (_, 0xC2, 0x85), (0xE2, 0x80, 0xA8), (0xE2, 0x80, 0xA9), (0xEF, 0xBB, 0xBF):
                throw Refusal(
                    message: "U+0085, U+2028, U+2029 and U+FEFF are not taken; end lines by a line feed", line: line)
            default: break
            }
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
                if byte == UInt8(ascii: "\n") { line += 1 }
                (inComment, isAtValue, isAtKey) = (false, true, true)
                continue
            }
            if inComment { continue }
            switch byte {
            case UInt8(ascii: "#") where isAtValue: inComment = true
            // A quoted text with ` *word` in it is refused too; our files do not need one.
            case UInt8(ascii: "&") where isAtValue, UInt8(ascii: "*") where isAtValue:
                guard let next, next > 0x20 else { break }
                throw Refusal(
                    message: "anchors (&name) and aliases (*name) are not taken; write the text out", line: line)
            case UInt8(ascii: "?") where isAtKey && (next ?? 0x20) <= 0x20:
                throw Refusal(message: "keys are words; a key after a question mark is not taken", line: line)
            // Brackets within quotes count as well; our files have few of them.
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                depth += 1
                values += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"): depth = max(0, depth - 1)
            // These characters separate a value from the one before.
            case UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "-"), UInt8(ascii: "?"): values += 1
            default: break
            }
            if depth > depthMax {
                throw Refusal(message: "brackets stand more than \(depthMax) deep in one another", line: line)
            }
            if values > valuesMax { throw Refusal(message: "\(subject) has at most \(valuesMax) values", line: line) }
            isAtValue = byte <= 0x20 || "[]{},:-?!".utf8.contains(byte)
            isAtKey = byte <= 0x20 ? isAtKey : "[{,-".utf8.contains(byte)
        }
    }
}
