package import Basics
import Casework
import Foundation
package import PostgreSQL
import Workers

/// What the active policy says about duties: their names, and the office's time zone.
package struct DutyNames {
    private let rows: [String: String]
    private let zone: TimeZone

    /// If the policy cannot be read, nothing has a name, and days are those of UTC.
    package init(in database: PostgreSQL.Connection) {
        let policy = (try? ActivePolicy.active(database))?.policy
        rows = Dictionary((policy?.duties ?? []).map { ($0.id, $0.name) }) { first, _ in first }
        zone = policy?.timeZone.flatMap { TimeZone(identifier: $0) } ?? .gmt
    }

    package subscript(id: String) -> String { rows[id] ?? "" }

    /// The last day on which a duty is done in time, by the office's calendar.
    package func lastDay(before due: Instant) -> String { "\(CivilDate(of: due.adding(seconds: -1), in: zone))" }
}
