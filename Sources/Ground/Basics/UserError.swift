import Text

/// An error shown to the person who runs a command: one plain line with what to do.
package struct UserError: Error, CustomStringConvertible {
    package let description: String

    /// Whether it may pass by itself, so that it is worth while to try again later.
    package let mayPass: Bool

    /// - Parameter description: may quote text from outside; the line ends must be ours.
    package init(_ description: String, mayPass: Bool = false) {
        self.description = printablePage(description)
        self.mayPass = mayPass
    }
}
