import Basics
import Casework
import Foundation

/// How far a lane has read the queue of a unit, in which the signature for a deferred act would arrive.
///
/// A lane knows only the messages that were delivered to it. An empty queue proves nothing: the signature may be
/// in another lane's prefetch, undecided, because that lane was stopped or its database does not answer. So the
/// lane sends **markers** through the queue, one at a time. The queue has a single active consumer and keeps its
/// order, and a lane decides in order. So when a marker comes back to the lane that sent it, and its batch is
/// committed:
///
/// - this lane is the active consumer, and has been since its first marker came back (`since`): no other consumer
///   gets new messages;
/// - every message that was in the queue before the marker was sent (`upTo`) is decided, or was delivered before
///   `since` to the consumer that was active then, and is not acknowledged.
///
/// A message of the second kind goes back to its place in the queue when that consumer's connection ends: at once
/// if the process ends, within two to three heartbeat intervals (24 s) if it is frozen or its network is cut. So a
/// deferred message is refused only if it was deferred for `earlyMessageHoldSeconds` (60) before a marker that
/// came back, and this lane was the active consumer for as long before that marker. A signature that was sent in
/// time comes before that marker and is decided. A lane that is not the active consumer gets no marker back and
/// refuses nothing.
struct Listening: Sendable {
    private var sent: (id: String, at: Instant)?
    private var since: Instant?
    private var upTo: Instant?

    /// A marker may be lost: another lane that reads the same queue drops markers that are not its own.
    private static let lostAfterSeconds = 10.0

    /// The id of a marker to send now; `nil` while another marker is on its way.
    mutating func nextMarker(at wall: Instant) -> String? {
        if let sent, wall.seconds(since: sent.at) < Listening.lostAfterSeconds { return nil }
        let id = UUID.version7(at: wall).lowercased
        sent = (id, wall)
        return id
    }

    /// Records the markers that came back; all messages delivered before them are committed.
    mutating func heard(_ markers: [String], at wall: Instant) {
        guard let sent, markers.contains(sent.id) else { return }
        since = since ?? wall
        upTo = sent.at
        self.sent = nil
    }

    /// Messages deferred before this moment have waited for so many seconds while this lane was the active
    /// consumer. `nil` if there is no such moment yet.
    func deferredBefore(seconds: Double) -> Instant? {
        guard let since, let upTo, upTo.seconds(since: since) >= seconds else { return nil }
        return upTo.adding(seconds: -seconds)
    }
}
