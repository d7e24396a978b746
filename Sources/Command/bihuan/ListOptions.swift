import ArgumentParser

/// How much of a list is printed, and in which form.
struct ListOptions: ParsableArguments {
    @Option(help: ArgumentHelp("List at most this many, 1 to 100000.", valueName: "count"))
    var limit = 50

    @Flag(help: "Print one JSON object per line.")
    var json = false

    func validate() throws {
        if !(1...100_000).contains(limit) { throw ValidationError("--limit takes 1 to 100000") }
    }
}
