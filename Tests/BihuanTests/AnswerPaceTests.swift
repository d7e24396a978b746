import Testing

@testable import bihuan

@Suite("Answers to a sender that may not read them")
struct AnswerPaceTests {
    private let start = ContinuousClock.now

    @Test("a sender that does not read gets a hundred answers at most; one that reads gets them all")
    func limitsUnreadAnswersToAHundred() {
        var pace = AnswerPace()
        var queue = 40
        func burst(at second: Double) -> Int {
            var count = 0
            while count < 1_000, pace.take("source.web", at: start + .seconds(second), depth: { _ in queue }) {
                count += 1
            }
            return count
        }
        #expect(burst(at: 0) == 100)
        // All are decided, and stay unread.
        for _ in 0..<100 { pace.decided("source.web") }
        queue = 140
        #expect(burst(at: 1) == 0 && burst(at: 9) == 0 && pace.depth(of: "source.web") == 140)
        queue = 90
        #expect(burst(at: 10) == 50)
        // Answers on their way may still reach the queue.
        queue = 0
        #expect(burst(at: 11) == 50)
    }

    @Test("each sender has room of its own; persons, strangers and senders without a queue are never slowed")
    func givesEachSenderRoomOfItsOwn() {
        var pace = AnswerPace()
        func takes(_ name: String, _ depth: Int?) -> Int {
            (0..<300).count { _ in pace.take(name, at: start, depth: { _ in depth }) }
        }
        #expect(takes("source.web", 7) == 100 && takes("unit.d1", 7) == 100)
        for name in ["person.clerk", "guest", "", "office.intake"] { #expect(takes(name, 5_000) == 300) }
        #expect(takes("source.gone", nil) == 300)
    }
}
