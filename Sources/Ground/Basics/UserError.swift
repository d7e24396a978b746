import Text

/// What a person reads when a command cannot do its work: one plain line that says what to do.
package struct UserError: Error, CustomStringConvertible {
    package let description: String

    /// - Parameter description: may quote what came from outside; its line ends are ours.
    package init(_ description: String) { self.description = printablePage(description) }
}
