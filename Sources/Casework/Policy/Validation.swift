extension Policy {
    /// Everything that is wrong, in the order of the file; empty: the policy may be used.
    public func validate() -> [PolicyProblem] { [] }
}
