import Testing
@testable import Terminal

@testable import bihuan

@Suite("The pace of many commands, and their progress")
struct PaceTests {
    @Test("no second exceeds the rate, also after a pause", arguments: [1.0, 7, 200, 1_000])
    func neverExceedsRate(rate: Double) {
        let start = ContinuousClock.now
        var pace = Pace(perSecond: rate)
        var taken: [Duration] = []
        var alwaysWaits = true
        // Two seconds, of which the first half second is a pause after the first one; looked at often, for as long as
        // it is due.
        for step in [0] + Array(5_000..<20_000) {
            let now = start + .microseconds(100 * step)
            while pace.take(at: now) { taken.append(now - start) }
            alwaysWaits = alwaysWaits && pace.secondsLeft(at: now) > 0
        }
        #expect(alwaysWaits)
        for (index, first) in taken.enumerated() where index + Int(rate) < taken.count {
            #expect(taken[index + Int(rate)] - first >= .seconds(1), "more than \(rate) within a second")
        }
        #expect(taken.count >= Int(rate * 1.3), "and it is used")
    }

    @Test("a terminal shows the line at once and ten times a second; other outputs get one every five seconds")
    func reportsProgress() {
        let start = ContinuousClock.now
        var terminal = ProgressLine(isTerminal: true, at: start)
        var log = ProgressLine(isTerminal: false, at: start)
        var (drawn, written) = ([String](), [String]())
        for step in 0...120 {
            let now = start + .milliseconds(100 * step)
            drawn += [terminal.words("\(step) of 120", share: Double(step) / 120, at: now)].compactMap(\.self)
            written += [log.words("\(step) of 120", share: nil, at: now)].compactMap(\.self)
        }
        #expect(drawn.first == "\r\u{1B}[K[" + String(repeating: "·", count: 30) + "] 0 of 120")
        #expect(drawn.count == 61)
        #expect(written == ["51 of 120\n", "102 of 120\n"])
    }
}
