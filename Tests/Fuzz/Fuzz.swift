// Gives readers of outside bytes what nobody should send, and fails where one crashes, hangs, answers wrongly or takes
// too much memory. docs/hardening.md tells how it is run.

import Foundation

#if !LIBFUZZER
    @main
    struct Fuzz {
        private var readers: [Reader] = []
        private var seed: UInt64 = 1
        private var first = 0
        private var count = 10_000
        private var replay: String?

        static func main() throws {
            let words = CommandLine.arguments.dropFirst()
            if words.first == "--trial" { return trial(Array(words.dropFirst())) }
            guard let fuzz = Fuzz(words) else { usage() }
            if let replay = fuzz.replay { return try readAgain(replay, fuzz.readers) }
            var allWell = true
            for reader in fuzz.readers {
                let isWell = try Watch(reader: reader, seed: fuzz.seed, indices: fuzz.first..<(fuzz.first + fuzz.count))
                    .run()
                allWell = isWell && allWell
            }
            exit(allWell ? 0 : 1)
        }

        private init?(_ words: ArraySlice<String>) {
            var rest = words
            while let word = rest.popFirst() {
                switch word {
                case "all": readers += Reader.real
                case "--seed":
                    guard let number = rest.popFirst().flatMap({ UInt64($0) }) else { return nil }
                    seed = number
                case "--first":
                    guard let number = rest.popFirst().flatMap({ Int($0) }), number >= 0 else { return nil }
                    first = number
                case "--inputs":
                    guard let number = rest.popFirst().flatMap({ Int($0) }), number > 0 else { return nil }
                    count = number
                case "--replay":
                    guard let path = rest.popFirst() else { return nil }
                    replay = path
                default:
                    guard let reader = Reader(rawValue: word) else { return nil }
                    readers.append(reader)
                }
            }
            if readers.isEmpty { return nil }
        }

        /// The process that tries: its blackboard, reader, seed and inputs.
        private static func trial(_ words: [String]) {
            guard words.count == 5, let board = Blackboard(path: words[0]), let reader = Reader(rawValue: words[1]),
                let seed = UInt64(words[2]),
                let lower = Int(words[3]), let upper = Int(words[4]), lower < upper
            else { usage() }
            exit(Trial(reader: reader, seed: seed, indices: lower..<upper, board: board).run() ? 0 : 1)
        }

        /// One input that was kept, in this process, so that a debugger sees it.
        private static func readAgain(_ path: String, _ readers: [Reader]) throws {
            let input = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
            for reader in readers {
                var gauge = Gauge()
                do throws(WrongAnswer) {
                    try gauge.measure(reader, input)
                    tell("\(reader.rawValue): \(gauge.slowestSeconds) s, \(gauge.largestBytes >> 10) KiB")
                } catch {
                    tell("\(reader.rawValue): FAILED: \(error.what)")
                    exit(1)
                }
            }
        }

        private static func usage() -> Never {
            tell(
                """
                usage: Fuzz all|READER… [--inputs N] [--seed S] [--first I] [--replay FILE]
                readers: \(Reader.real.map(\.rawValue).joined(separator: " "))
                """)
            exit(2)
        }
    }
#endif

/// At once, so that what was said before a crash is seen.
func tell(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }
