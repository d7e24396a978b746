// The same readers under libFuzzer, which is guided by what of the code an input reaches:
//     swift build -c release --product Fuzz --scratch-path .build/fuzzer --sanitize fuzzer -Xswiftc -DLIBFUZZER
//     -Xswiftc -enable-testing
//     TEST_BIHUAN_READER=message .build/fuzzer/release/Fuzz -runs=1000000
// Inputs come from libFuzzer's own store and from our mutator, half and half; the corpus needs no folder.

#if LIBFUZZER
    import Corpus
    import Foundation

    private let reader: Reader = {
        guard let reader = ProcessInfo.processInfo.environment["TEST_BIHUAN_READER"].flatMap(Reader.init(rawValue:))
        else {
            FileHandle.standardError.write(Data("TEST_BIHUAN_READER names no reader\n".utf8))
            exit(2)
        }
        return reader
    }()
    private let mutator = Mutator(reader)
    /// libFuzzer runs everything on one thread.
    nonisolated(unsafe) private var gauge = Gauge()
    nonisolated(unsafe) private var inputs = 0

    @_silgen_name("LLVMFuzzerMutate")
    private func mutateBlindly(_ data: UnsafeMutablePointer<UInt8>, _ count: Int, _ countMax: Int) -> Int

    @_cdecl("LLVMFuzzerInitialize")
    public func initialize(_ count: UnsafeMutablePointer<CInt>?, _ arguments: UnsafeMutableRawPointer?) -> CInt {
        // Memory that is allocated once is no input's fault.
        _ = try? reader.read(Seeds.of(reader)[0])
        atexit {
            let text =
                """
                \(reader.rawValue): \(inputs) inputs; slowest \(gauge.slowestSeconds * 1000) ms; largest \
                \(gauge.largestBytes >> 10) KiB\n
                """
            FileHandle.standardError.write(Data(text.utf8))
        }
        return 0
    }

    @_cdecl("LLVMFuzzerTestOneInput")
    public func testOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
        inputs += 1
        do throws(WrongAnswer) {
            try gauge.measure(reader, Array(UnsafeBufferPointer(start: data, count: count)))
        } catch {
            FileHandle.standardError.write(Data("\(reader.rawValue): FAILED: \(error.what)\n".utf8))
            abort()
        }
        return 0
    }

    @_cdecl("LLVMFuzzerCustomMutator")
    public func mutate(_ data: UnsafeMutablePointer<UInt8>, _ count: Int, _ countMax: Int, _ seed: UInt32) -> Int {
        var random = SeededRandom(seed: UInt64(seed))
        if count > 1, random.once(in: 2) { return mutateBlindly(data, count, countMax) }
        let input =
            count <= 1 || random.once(in: 4)
            ? mutator.input(&random) : mutator.changed(Array(UnsafeBufferPointer(start: data, count: count)), &random)
        let taken = input.prefix(countMax)
        _ = UnsafeMutableBufferPointer(start: data, count: countMax).update(from: taken)
        return taken.count
    }
#endif
