/// The folded form and the kind of each character. Read once, at first use, from the texts in `Tables`, and kept for
/// the life of the process.
final class FoldingTable: @unchecked Sendable {
    static let shared = FoldingTable(FoldingTableReader())

    struct Cell: Sendable {
        /// 0: the character itself; below `expansion`: another character; otherwise an index into `expansions`.
        var wide: UInt32 = 0
        var narrow: UInt32 = 0
        var kind = CharacterKind.kept
        /// The ASCII digit for which it is read in a search for numbers; 0 if none.
        var digit: UInt8 = 0
        /// Canonical combining class.
        var combining: UInt8 = 0

        /// True if it stays the same in the wide form; `isSame` is the same for the narrow form.
        @inline(__always) var isPlain: Bool { wide == 0 && combining == 0 && kind == .kept }
        @inline(__always) var isSame: Bool { narrow == 0 && combining == 0 && kind == .kept }
    }

    static let expansion: UInt32 = 0x8000_0000
    private let expansions: [[UInt32]]
    /// For each page of 256 characters, the start of its cells. Written before the first read, and never again.
    private let pageStart: UnsafePointer<Int32>
    private let cells: UnsafePointer<Cell>

    private init(_ reader: FoldingTableReader) {
        func kept<Element>(_ elements: [Element]) -> UnsafePointer<Element> {
            let memory = UnsafeMutablePointer<Element>.allocate(capacity: elements.count)
            memory.initialize(from: elements, count: elements.count)
            return UnsafePointer(memory)
        }
        expansions = reader.expansions
        pageStart = kept(reader.pageStart)
        cells = kept(reader.cells)
    }

    /// - Parameter value: a Unicode scalar value.
    @inline(__always) subscript(value: UInt32) -> Cell { cells[Int(pageStart[Int(value >> 8)]) + Int(value & 0xFF)] }

    /// The character's form if it is one character; `nil` if it is several, see `parts`.
    @inline(__always) static func single(_ target: UInt32, of value: UInt32) -> UInt32? {
        target == 0 ? value : target < expansion ? target : nil
    }

    func parts(_ target: UInt32) -> [UInt32] { expansions[Int(target & ~FoldingTable.expansion)] }
}
