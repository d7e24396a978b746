import Foundation

/// Asks again until it is so: of what tells nobody when it changes, such as another process, its files and its tables.
/// - Parameters:
///   - what: told when it does not become so in time.
///   - seconds: how long that may take.
/// - Throws: `NotInTime`, and what `isSo` throws.
public func eventually(
    _ what: @autoclosure () -> String = "what was waited for", within seconds: Double = 20, _ isSo: () throws -> Bool
) throws {
    let end = ContinuousClock.now + .seconds(seconds)
    while try !isSo() {
        guard ContinuousClock.now < end else { throw NotInTime(what: what(), seconds: seconds) }
        Thread.sleep(forTimeInterval: secondsBetweenLooks)
    }
}

/// The same in a task, whose thread others may have meanwhile.
public func eventually(
    _ what: @autoclosure () -> String = "what was waited for", within seconds: Double = 20, _ isSo: () throws -> Bool
) async throws {
    let end = ContinuousClock.now + .seconds(seconds)
    while try !isSo() {
        guard ContinuousClock.now < end else { throw NotInTime(what: what(), seconds: seconds) }
        try await Task.sleep(for: .seconds(secondsBetweenLooks))
    }
}

private let secondsBetweenLooks = 0.01

public struct NotInTime: Error, CustomStringConvertible {
    let what: String
    let seconds: Double
    public var description: String { "not within \(seconds) s: \(what)" }
}
