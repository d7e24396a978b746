import Foundation

/// Memory that the process which tries inputs shares with the one that watches it: what is on it is there still when
/// the first one is dead.
final class Blackboard {
    enum Field: Int, CaseIterable {
        /// Which input is being tried, from 0; the count of all when it is over.
        case index
        /// Processor time at its beginning, in nanoseconds.
        case startedNanoseconds
        case slowestNanoseconds, slowestIndex
        case largestBytes
        case firstAnonymousBytes, lastAnonymousBytes
        case inputCount, remarkCount
    }

    static let inputBytesMax = 2 << 20
    private static let remarkBytesMax = 4_096
    private static let inputOffset = 8_192
    private let base: UnsafeMutableRawPointer

    /// - Parameter path: a file; it is made where there is none.
    init?(path: String) {
        let size = Self.inputOffset + Self.inputBytesMax
        let file = open(path, O_RDWR | O_CREAT, 0o600)
        guard file >= 0 else { return nil }
        defer { close(file) }
        guard ftruncate(file, size) == 0, let base = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0),
            base != MAP_FAILED
        else {
            return nil
        }
        self.base = base
    }

    subscript(field: Field) -> Int {
        get { base.load(fromByteOffset: field.rawValue * 8, as: Int.self) }
        set { base.storeBytes(of: newValue, toByteOffset: field.rawValue * 8, as: Int.self) }
    }

    var input: [UInt8] {
        get { bytes(at: Self.inputOffset, self[.inputCount]) }
        set { self[.inputCount] = write(newValue.prefix(Self.inputBytesMax), at: Self.inputOffset) }
    }

    /// Why the trial gave up.
    var remark: String {
        get { String(decoding: bytes(at: 4_096, self[.remarkCount]), as: UTF8.self) }
        set { self[.remarkCount] = write(newValue.utf8.prefix(Self.remarkBytesMax), at: 4_096) }
    }

    private func bytes(at offset: Int, _ count: Int) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: base + offset, count: min(max(0, count), Self.inputBytesMax)))
    }

    private func write(_ bytes: some Collection<UInt8>, at offset: Int) -> Int {
        UnsafeMutableRawBufferPointer(start: base + offset, count: bytes.count).copyBytes(from: bytes)
        return bytes.count
    }
}
