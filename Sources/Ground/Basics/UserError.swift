import Text

/// An error shown to the person who runs a command: one plain line with what to do.
package struct UserError: Error, CustomStringConvertible {
    package let description: String

    /// - Parameter description: may quote text from outside; the line ends must be ours.
    package init(_ description: String) { self.description = printablePage(description) }
}
