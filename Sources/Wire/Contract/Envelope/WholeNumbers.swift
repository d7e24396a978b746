/// Finds the number that could not be decoded as a whole number. The decoder reports neither its place nor the
/// reason.
enum WholeNumbers {
    /// - Parameters:
    ///   - body: JSON that is otherwise valid.
    ///   - fields: the paths of whole numbers; `*` is each element of a list.
    static func problem(in body: [UInt8], _ fields: [[String]]) -> Problem? {
        problem(in: JSONTree(checked: body), fields)
    }

    static func problem(in tree: JSONTree, _ fields: [[String]]) -> Problem? {
        for field in fields {
            if let problem = problem(in: tree, field[...], "") { return problem }
        }
        return nil
    }

    private static func problem(in tree: JSONTree, _ field: ArraySlice<String>, _ path: String) -> Problem? {
        guard let key = field.first else { return problem(of: tree, path) }
        switch tree {
        case .list(let list) where key == "*":
            for (index, value) in list.enumerated() {
                if let problem = problem(in: value, field.dropFirst(), "\(path)[\(index)]") { return problem }
            }
            return nil
        case .object(let object):
            return object[key].flatMap { problem(in: $0, field.dropFirst(), path.isEmpty ? key : "\(path).\(key)") }
        case .null, .bool, .number, .text, .list: return nil
        }
    }

    private static func problem(of value: JSONTree, _ path: String) -> Problem? {
        guard case .number(let digits, let place) = value else { return nil }
        // As in JSON Schema: 1.0 and 1e2 are whole numbers.
        guard let number = Double(digits), number.isFinite, number.rounded() == number else {
            return Problem(
                code: "mistyped_field", path: path,
                text:
                    """
                    this must be a whole number, but one with a fraction, or beyond all measure, begins at byte \
                    \(place) of the body, counted from 0
                    """
            )
        }
        guard Int64(exactly: number) != nil else {
            return Problem(
                code: "bad_value", path: path,
                text: "the number that begins at byte \(place) of the body, counted from 0, is too large")
        }
        return nil
    }
}
