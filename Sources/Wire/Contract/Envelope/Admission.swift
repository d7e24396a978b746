import Casework

/// Checks a message's sender (invariant 4): the routing key, the CloudEvents `source` and the broker-validated
/// `user-id` must name the same party, and that party must be allowed to send this type. After this, `source` is the
/// broker's user.
public enum Admission {
    public static func problem(
        sender: Party?, routingKey: String, envelope: Envelope
    ) -> Problem? {
        guard let sender else {
            return Problem(
                code: "no_user_id",
                text:
                    """
                    the AMQP property user-id is missing; set it to the user of your connection, so that the \
                    broker vouches for it
                    """
            )
        }
        guard envelope.source == sender else {
            return Problem(
                code: "wrong_source", path: "source",
                text: "source is \(envelope.source), but the message was published by \(sender)")
        }
        if case .office = sender { return nil }
        let keys = envelope.type.routingKeys(from: sender)
        guard keys.contains(routingKey) else {
            return Problem(code: "wrong_routing_key", text: "the routing key must be \(keys.joined(separator: " or "))")
        }
        guard envelope.type.definition.mayComeFrom(sender) else {
            return Problem(code: "wrong_sender", path: "type", text: "\(sender) may not send \(envelope.type.rawValue)")
        }
        if envelope.type.definition.subject == .itself, envelope.subject != envelope.id {
            return Problem(code: "bad_value", path: "subject", text: "the subject of a report is its own id")
        }
        return nil
    }
}
