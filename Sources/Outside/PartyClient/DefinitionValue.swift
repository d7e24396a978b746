package import AMQP
package import BrokerTopology

extension FieldValue {
    /// An argument of a queue or an exchange, as a broker's definitions hold it.
    package init(_ value: DefinitionsFile.Value) {
        switch value {
        case .text(let text): self = .string(text)
        case .number(let number): self = .int(Int64(number))
        case .flag(let flag): self = .bool(flag)
        case .decimal(let number): self = .double(number)
        case .list(let values): self = .array(values.map(FieldValue.init))
        case .table(let fields): self = .table(fields.mapValues(FieldValue.init))
        case .nothing: self = .void
        }
    }
}
