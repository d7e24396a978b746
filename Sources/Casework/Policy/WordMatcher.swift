/// Finds several hundred words in a text in one pass (Aho and Corasick, 1975), over UTF-8 bytes.
///
/// White space in ASCII and the letter case of ASCII are ignored in words and text alike. Each word belongs to
/// groups; a scan tells how many different words of each group it found.
struct WordMatcher: Sendable {
    /// States fit 16 bits, so the words together may have this many bytes.
    static let wordBytesMax = 60_000

    let groupCount: Int
    private let wordCount: Int
    /// Row of the state, column of the byte's class: the next state.
    private let next: [UInt16]
    private let classOfByte: [UInt8]
    private let classCount: Int
    /// The words that end in a state: `endings[endingStart[state] ..< endingStart[state + 1]]`.
    private let endingStart: [Int32]
    private let endings: [Int32]
    private let groupStart: [Int32]
    private let groups: [Int32]

    private static let skippedClass: UInt8 = 255

    /// - Parameter groups: the words of each group, in total at most `wordBytesMax` bytes; empty words are left out.
    init(groups wordGroups: [[String]]) {
        var groupsOfWord: [[UInt8]: Set<Int32>] = [:]
        for (group, words) in wordGroups.enumerated() {
            for word in words {
                let bytes = WordMatcher.folded(word)
                if !bytes.isEmpty { groupsOfWord[bytes, default: []].insert(Int32(group)) }
            }
        }
        let words = groupsOfWord.keys.sorted { $0.lexicographicallyPrecedes($1) }
        let (classOfByte, classCount) = WordMatcher.classes(of: words)
        var trie = Trie(classCount: classCount)
        for (index, word) in words.enumerated() {
            trie.insert(word.map { Int(classOfByte[Int($0)]) }, word: Int32(index))
        }
        trie.close()

        groupCount = wordGroups.count
        wordCount = words.count
        self.classOfByte = classOfByte
        self.classCount = classCount
        next = trie.next.map { UInt16(truncatingIfNeeded: $0) }
        (endingStart, endings) = WordMatcher.flattened(trie.endings)
        (groupStart, groups) = WordMatcher.flattened(words.map { groupsOfWord[$0, default: []].sorted() })
    }

    /// Adds `weight` to the score of each group for each different word of it that stands in the text.
    func scan(_ text: String, weight: Int32, into scores: inout [Int32]) {
        guard wordCount > 0 else { return }
        var text = text
        var seen = [Bool](repeating: false, count: wordCount)
        text.withUTF8 { bytes in
            next.withUnsafeBufferPointer { next in
                classOfByte.withUnsafeBufferPointer { classOfByte in
                    var state = 0
                    for byte in bytes {
                        let column = classOfByte[Int(byte)]
                        if column == WordMatcher.skippedClass { continue }
                        state = Int(next[state * classCount + Int(column)])
                        let first = endingStart[state]
                        let last = endingStart[state + 1]
                        if first == last { continue }
                        for ending in first..<last {
                            let word = Int(endings[Int(ending)])
                            if seen[word] { continue }
                            seen[word] = true
                            for group in groupStart[word]..<groupStart[word + 1] {
                                scores[Int(groups[Int(group)])] += weight
                            }
                        }
                    }
                }
            }
        }
    }

    /// The bytes that are compared: without white space, in lower case.
    static func folded(_ word: String) -> [UInt8] {
        word.utf8.compactMap { isSkipped($0) ? nil : (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }
    }

    private static func isSkipped(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    /// Bytes that occur in no word share class 0, so that the table has few columns.
    private static func classes(of words: [[UInt8]]) -> (classOfByte: [UInt8], count: Int) {
        var classOfByte = [UInt8](repeating: 0, count: 256)
        var count = 1
        for byte in Set(words.joined()).sorted() {
            classOfByte[Int(byte)] = UInt8(count)
            count += 1
        }
        for upper in UInt8(0x41)...0x5A { classOfByte[Int(upper)] = classOfByte[Int(upper) + 0x20] }
        for byte in UInt8.min...UInt8.max where isSkipped(byte) { classOfByte[Int(byte)] = skippedClass }
        return (classOfByte, count)
    }

    private static func flattened(_ lists: [[Int32]]) -> (start: [Int32], items: [Int32]) {
        var start: [Int32] = [0]
        var items: [Int32] = []
        for list in lists {
            items += list
            start.append(Int32(items.count))
        }
        return (start, items)
    }
}

/// The words as a tree, then as an automaton.
private struct Trie {
    let classCount: Int
    /// -1: no edge yet.
    var next: [Int32]
    var endings: [[Int32]] = [[]]

    init(classCount: Int) {
        self.classCount = classCount
        next = [Int32](repeating: -1, count: classCount)
    }

    mutating func insert(_ columns: [Int], word: Int32) {
        var state = 0
        for column in columns {
            let edge = state * classCount + column
            if next[edge] < 0 {
                next[edge] = Int32(endings.count)
                endings.append([])
                next.append(contentsOf: repeatElement(-1, count: classCount))
            }
            state = Int(next[edge])
        }
        endings[state].append(word)
    }

    /// Fills in where to go on after a mismatch, breadth first, so that a scan never steps back.
    mutating func close() {
        var fallback = [Int](repeating: 0, count: endings.count)
        var queue: [Int] = [0]
        var at = 0
        while at < queue.count {
            let state = queue[at]
            at += 1
            for column in 0..<classCount {
                let edge = state * classCount + column
                let onMismatch = state == 0 ? 0 : next[fallback[state] * classCount + column]
                if next[edge] < 0 {
                    next[edge] = onMismatch
                } else {
                    let child = Int(next[edge])
                    fallback[child] = Int(onMismatch)
                    endings[child] += endings[fallback[child]]
                    queue.append(child)
                }
            }
        }
    }
}
