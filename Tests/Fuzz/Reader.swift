/// A reader of foreign bytes. Each gets any input, and must return: with what it read, or with a
/// refusal in words.
enum Reader: String, CaseIterable {
    /// Bodies of messages: head, payload, and what the office does with them before it writes anything.
    case message
    /// Sealed data, up to its opening.
    case sealed
    /// Dates, names, ids, lengths of time, URLs of brokers.
    case words
    case policy
    /// Field maps of `bihuan submit`.
    case map
    /// JSON lines of `bihuan submit`, with and without a map.
    case line
    /// Tables and properties in message headers.
    case table
    /// Values of rows.
    case row
    /// Not readers: their faults must be found, or the rest proves nothing.
    case faultCrash = "fault-crash"
    case faultHang = "fault-hang"
    case faultMemory = "fault-memory"
    case faultLeak = "fault-leak"
    case faultAnswer = "fault-answer"

    static let real = allCases.filter { !$0.rawValue.hasPrefix("fault-") }

    func read(_ bytes: [UInt8]) throws(WrongAnswer) {
        switch self {
        case .message: try Messages.read(bytes)
        case .sealed: try Messages.open(bytes)
        case .words: try Words.read(bytes)
        case .policy: try Files.policy(bytes)
        case .map: try Files.map(bytes)
        case .line: try Files.line(bytes)
        case .table: try Tables.read(bytes)
        case .row: try Rows.read(bytes)
        case .faultCrash, .faultHang, .faultMemory, .faultLeak, .faultAnswer: try Fault.read(bytes, self)
        }
    }
}

/// A reader came back with something that cannot be right.
struct WrongAnswer: Error {
    let what: String

    init(_ what: String) { self.what = what }

    static func unless(_ isRight: Bool, _ what: @autoclosure () -> String) throws(WrongAnswer) {
        if !isRight { throw WrongAnswer(what()) }
    }
}

/// Does what a reader must not do, on inputs that hold an `!`.
private enum Fault {
    /// A trial is one thread.
    nonisolated(unsafe) private static var kept: [[UInt8]] = []

    static func read(_ bytes: [UInt8], _ fault: Reader) throws(WrongAnswer) {
        guard bytes.contains(UInt8(ascii: "!")) else { return }
        switch fault {
        case .faultCrash:
            var index = bytes.count
            index += bytes.isEmpty ? 0 : 1
            _ = bytes[index]
        case .faultHang:
            var number: UInt64 = 1
            while number != 0 { number = number &* 3 | 1 }
        case .faultMemory:
            // Released when the call is over: only a peak shows it.
            let many = [UInt8](repeating: bytes[0], count: 100 << 20)
            try WrongAnswer.unless(many.last == bytes[0], "memory that does not hold what was put there")
        case .faultLeak:
            kept.append([UInt8](repeating: bytes[0], count: 1 << 20))
        default:
            throw WrongAnswer("an exclamation mark")
        }
    }
}
