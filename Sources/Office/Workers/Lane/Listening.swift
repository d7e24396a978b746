import Basics
import Casework
import Foundation

/// How far a lane has heard the queue in which the signature would come that makes an early act valid.
///
/// What a lane knows of a queue is only what was delivered to it. That no message waits in it says nothing: the
/// signature may lie in another lane's prefetch, undecided, since that lane was stopped or its database does not
/// answer. So the lane sends **markers** through the queue, one at a time. The queue has one active consumer and keeps
/// its order, and a lane decides in order; hence, when a marker comes back to the lane that sent it, and its batch is
/// committed:
///
/// - this lane is the active consumer, and has been since its first marker came back (`since`): no other is given
///   anything new;
/// - all that was in the queue before the marker was sent (`upTo`) is decided, or was delivered before `since` to a
///   consumer that was active then, and is not acknowledged.
///
/// The latter goes back to its place in the queue when that consumer's connection ends: at once where the process ends,
/// within two to three heartbeat intervals (24 s) where it is frozen or cut off. So a message is given up only if it
/// was held for `earlyMessageHoldSeconds` (60) before a marker that came back, and this lane was the active consumer
/// for as long before that marker too. A signature sent in time is ahead of that marker and decided. A lane that is not
/// the active consumer gets none back, and gives up nothing.
struct Listening: Sendable {
    private var sent: (id: String, at: Instant)?
    private var since: Instant?
    private var upTo: Instant?

    /// Another lane that reads the same queue, and drops what is not its own, may have got a marker.
    private static let lostAfterSeconds = 10.0

    /// A marker to be sent now; `nil` while one is under way.
    mutating func nextMarker(at wall: Instant) -> String? {
        if let sent, wall.seconds(since: sent.at) < Listening.lostAfterSeconds { return nil }
        let id = UUID.version7(at: wall).lowercased
        sent = (id, wall)
        return id
    }

    /// These came back, and all that was delivered before them is committed.
    mutating func heard(_ markers: [String], at wall: Instant) {
        guard let sent, markers.contains(sent.id) else { return }
        since = since ?? wall
        upTo = sent.at
        self.sent = nil
    }

    /// Messages held before this moment waited so many seconds while this lane listened.
    func deferredBefore(seconds: Double) -> Instant? {
        guard let since, let upTo, upTo.seconds(since: since) >= seconds else { return nil }
        return upTo.adding(seconds: -seconds)
    }
}
