import Basics
import Installation
import Synchronization
import Terminal

/// The office, looked at again and again: drawn in place on a terminal, elsewhere one view after another.
final class StatusWatch: Sendable {
    private let json: Bool
    private let screen: LiveScreen?
    private let isWhole = Mutex(true)

    init(json: Bool) {
        self.json = json
        screen = Output.isTerminal && !json ? LiveScreen() : nil
    }

    /// Runs on a thread of its own.
    func run(_ configuration: OfficeConfiguration, every seconds: Double, until stop: StopSignal) {
        let look = StatusLook(configuration, isStopped: { stop.isStopped })
        defer { look.close() }
        while !stop.isStopped {
            let begun = ContinuousClock.now
            look.read()
            // What was read while it was told to stop may be half of it.
            if stop.isStopped { break }
            show(look)
            isWhole.withLock { $0 = look.failures.isEmpty }
            while !stop.isStopped, (ContinuousClock.now - begun).inSeconds < seconds { Wall.pause(seconds: 0.05) }
        }
    }

    private func show(_ look: StatusLook) {
        if let screen {
            screen.draw(look.page.lines)
        } else if json {
            if let text = try? look.json() { Output.json(text) }
        } else {
            Output.page(look.page.lines + [PageLine("")])
        }
    }

    /// Restores the terminal.
    /// - Returns: whether the last view was without a failure.
    func end() -> Bool {
        screen?.close()
        return isWhole.withLock(\.self)
    }
}
