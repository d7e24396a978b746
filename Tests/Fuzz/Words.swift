import AMQP
import Basics
import Casework
import Contract
import PostgreSQL

/// Short texts with a shape of their own. What is read can be written, and is then read as the same.
enum Words {
    static func read(_ bytes: [UInt8]) throws(WrongAnswer) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return }
        if let instant = Instant(text) { try WrongAnswer.unless(Instant(instant.description) == instant, "\(instant)") }
        if let date = CivilDate(text) { try WrongAnswer.unless(CivilDate(date.description) == date, "\(date)") }
        if let id = ReportID(text) { try WrongAnswer.unless(ReportID(id.description) == id, "\(id)") }
        if let party = Party(text) { try WrongAnswer.unless(Party(party.description) == party, "\(party)") }
        if let unit = UnitID(text) { try WrongAnswer.unless(unit.rawValue == text, "\(unit)") }
        if let span = Span(text) {
            try WrongAnswer.unless(Span(span.description) == span, "\(span)")
            _ = span.seconds
        }
        if let number = ExactDecimal(text) { try WrongAnswer.unless(ExactDecimal(number.text) == number, "\(number)") }
        if let data = [UInt8](hexadecimal: text) {
            try WrongAnswer.unless([UInt8](hexadecimal: data.hexadecimal) == data, text)
        }
        _ = Party(ownerOf: text)
        do {
            _ = try AMQP.ConnectionSettings(url: text)
        } catch {
            try WrongAnswer.unless(!error.description.isEmpty, "refused without a reason")
        }
    }
}
