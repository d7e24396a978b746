public import Foundation

/// The type of an array's elements, for `RowReader.array(of:)`: `try row.array(of: .text)`.
public struct ElementType<Value: Sendable>: Sendable {
    let wire: WireType<Value>
}

extension ElementType where Value == Bool {
    public static var bool: Self { Self(wire: Wire.bool) }
}

extension ElementType where Value == Int64 {
    /// `smallint`, `integer` and `bigint`.
    public static var int8: Self { Self(wire: Wire.integer) }
}

extension ElementType where Value == Double {
    /// `real` and `double precision`.
    public static var double: Self { Self(wire: Wire.double) }
}

extension ElementType where Value == ExactDecimal {
    public static var numeric: Self { Self(wire: Wire.numeric) }
}

extension ElementType where Value == String {
    /// `text`, `varchar`, `char`, `name`, and enumerations.
    public static var text: Self { Self(wire: Wire.text) }
    public static var jsonb: Self { Self(wire: Wire.json) }
}

extension ElementType where Value == [UInt8] {
    public static var bytea: Self { Self(wire: Wire.bytea) }
}

extension ElementType where Value == UUID {
    public static var uuid: Self { Self(wire: Wire.uuid) }
}

extension ElementType where Value == Timestamp {
    public static var timestamptz: Self { Self(wire: Wire.timestamptz) }
}

extension ElementType where Value == CalendarDate {
    public static var date: Self { Self(wire: Wire.date) }
}
