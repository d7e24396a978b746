import Casework
import Foundation
import Testing
import Workers

/// Small faults in the whole policy of `docs/policy.md`, and all messages about each.
@Suite("Messages about a faulty policy")
struct PolicyFaultTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// What is replaced by what.
        let changes: [(String, String)]
        let messages: [String]
        init(_ name: String, _ changes: [(String, String)], _ messages: [String]) {
            (testDescription, self.changes, self.messages) = (name, changes, messages)
        }
    }

    static let cases: [Case] = [
        Case(
            "a key misspelt",
            [("  title_weight: 3", "  title_wieght: 3")],
            [
                "line 57, scope.title_weight: is missing: add it (whole number)",
                "line 73, scope.title_wieght: unknown key; did you mean \"title_weight\"?",
            ]),
        Case(
            "a key that is like none",
            [("citation: Ombudsman Act, section 4", "remark: Ombudsman Act, section 4")],
            [
                "warning: line 51, sealed[0]: has no citation: say where the row comes from, or that it is your own",
                "line 55, sealed[0].remark: unknown key; known here are citation, handoff_kind, id, unit_kind, when",
            ]),
        Case(
            "a key twice, and a fault beyond it",
            [
                ("title: How", "name: other\ntitle: How"),
                ("within: 90 day", "within: 0 day"),
            ],
            [
                "line 1: the same key stands twice: name; keep one of them",
                "line 112, clocks[1].within: a length lies between 1 and 100000",
            ]),
        Case(
            "values of other types",
            [
                ("version: 1", "version: one"),
                ("result_owed: true", "result_owed: yes"),
                ("within: 2 day", "within: two days"),
                ("reasons: [not_ours]", "reasons: not_ours"),
            ],
            [
                "line 2, version: must be a whole number, such as 3",
                "line 21, vocabulary.handoff_kinds[0].result_owed: must be true or false",
                "line 101, clocks[0].within: a length of time is a number and a unit, such as \"2 day\" or \"36 hour\"",
                "line 128, returns[0].reasons: must be a list: [a, b], or lines that begin with a dash",
            ]),
        Case(
            "a part of another type",
            [("barrier:\n", "barrier: [organ]\nspare:\n")],
            [
                """
                line 43, barrier: must hold keys and values; its keys are citation, id, ordinary_words, \
                organ_words, reason
                """,
                """
                line 44, spare: unknown key; known here are approvals, barrier, case_office, clocks, conclusions, \
                duties, name, placeholders, repeats, returns, routing, scope, sealed, time_zone, title, version, \
                vocabulary, word_lists
                """,
            ]),
        Case(
            "a part that is missing",
            [
                (
                    """
                    repeats:\n  - { id: repeat-reporter, same: reporter, citation: Our own rule }\n  - { id: \
                    repeat-accused, same: accused, citation: Our own rule }\n
                    """,
                    ""
                )
            ],
            [
                "line 1, repeats: is missing: add it (list of rows)"
            ]),
        Case(
            "a calendar",
            [("within: 15 day", "within: 15 working_day")],
            [
                """
                line 121, clocks[2].within: \"working_day\" needs a calendar, which this version does not have; \
                write day or hour
                """
            ]),
        Case(
            "a limit of nothing",
            [
                ("within: 15 day", "within: 0 day"),
                ("hops_max: 2", "hops_max: -1"),
                ("text_characters_min: 4", "text_characters_min: 0"),
            ],
            [
                "line 121, clocks[2].within: a length lies between 1 and 100000",
                "line 129, returns[0].hops_max: lies between 0 and 10000; to ask nothing, leave it out",
                "line 130, returns[0].text_characters_min: lies between 1 and 10000; to ask nothing, leave it out",
            ]),
        Case(
            "a warning at the limit and one before the start",
            [
                ("warn, before_due: 15 day", "warn, after_due: 0 day"),
                ("remind, after_start: 1 day", "remind, before_due: 3 day"),
            ],
            [
                "line 103, clocks[0].steps[0]: comes before the clock starts: shorten before_due",
                """
                line 113, clocks[1].steps[0]: a warning comes before the limit, this one at it or later: shorten \
                it, or write before_due
                """,
            ]),
        Case(
            "a ladder's word",
            [("action: escalate", "action: escalte")],
            [
                """
                line 105, clocks[0].steps[2].action: \"escalte\" is none of remind, warn, overdue, escalate; did \
                you mean \"escalate\"?
                """
            ]),
        Case(
            "a word of the vocabulary misspelt",
            [
                ("level: [staff]", "level: [staf]"),
                ("unit_kind: ministry", "unit_kind: ministri"),
            ],
            [
                """
                line 53, sealed[0].unit_kind: \"ministri\" is no unit kind of the vocabulary; did you mean \
                \"ministry\"?
                """,
                """
                line 85, routing.rows[0].when.level[0]: \"staf\" is no level of the vocabulary; did you mean \
                \"staff\"?
                """,
            ]),
        Case(
            "a word like none",
            [("handoff_kind: send_up", "handoff_kind: courier")],
            [
                """
                warning: line 22, vocabulary.handoff_kinds[1]: no row of routing or sealed sends \"send_up\": add \
                one, or take it out
                """,
                """
                line 54, sealed[0].handoff_kind: \"courier\" is no handoff kind of the vocabulary: write one that \
                is, or add it there
                """,
            ]),
        Case(
            "a word list misspelt",
            [("any_of: [$breach]", "any_of: [$breech]")],
            [
                "warning: line 41, word_lists.breach: no row asks for $breach: use it, or take it out",
                "line 65, scope.rows[1].when.any_of[0]: there is no word list \"breech\"; did you mean \"breach\"?",
            ]),
        Case(
            "ids and names twice",
            [
                ("id: scope-breach", "id: scope-named"),
                ("{ id: founded, name: Founded }", "{ id: unfounded, name: Unfounded }"),
            ],
            [
                "line 36, vocabulary.conclusion_outcomes[1].id: \"unfounded\" stands twice: give one another id",
                """
                warning: line 36, vocabulary.conclusion_outcomes[1].name: \"Unfounded\" stands twice: nobody can \
                tell the two apart
                """,
                "line 64, scope.rows[1].id: \"scope-named\" is already the id of scope.rows[0]: give it another",
            ]),
        Case(
            "a word twice in a list",
            [("[bribe, corrupt, kickback]", "[bribe, corrupt, bribe]")],
            [
                "warning: line 41, word_lists.breach[2]: \"bribe\" stands twice in this list: take one out"
            ]),
        Case(
            "empty lists",
            [
                ("breach: [bribe, corrupt, kickback]", "breach: []"),
                ("level: [staff]", "level: []"),
            ],
            [
                "line 41, word_lists.breach: an empty list fits nothing: fill it, or leave it out",
                "line 85, routing.rows[0].when.level: an empty list fits nothing: fill it, or leave it out",
            ]),
        Case(
            "a row below one that asks for nothing",
            [
                (
                    "when: { level: [staff] }\n      to: { unit_kinds: [department], place: covers }",
                    "when: {}\n      to: { unit_kinds: [department] }"
                )
            ],
            [
                """
                line 89, routing.rows[1]: can never fire: \"route-near\" above takes all that it asks for; move \
                it up, change it or take it out
                """
            ]),
        Case(
            "a row whose words a row above finds all",
            [
                (
                    """
                        - id: scope-housing\n      when: { source_kind: [web], proposal: true }\n      decide: \
                    not_accepted
                    """,
                    """
                        - id: scope-bribe\n      when: { any_of: [bribe] }\n      decide: needs_review\n      \
                    reason: A bribe
                    """
                )
            ],
            [
                """
                line 69, scope.rows[2]: can never fire: \"scope-breach\" above takes all that it asks for; move \
                it up, change it or take it out
                """
            ]),
        Case(
            "a row that two rows above take together",
            [
                (
                    "    - id: scope-housing\n      when: { source_kind: [web], proposal: true }",
                    """
                        - id: scope-nobody\n      when: { accused_named: false, source_kind: [web] }\n      \
                    decide: needs_review\n      reason: Nobody\n      citation: Our own rule\n    - id: \
                    scope-housing\n      when: { source_kind: [web], proposal: true }
                    """
                )
            ],
            [
                """
                line 74, scope.rows[3]: can never fire: \"scope-named\" and \"scope-nobody\" above take all that \
                it asks for; move it up, change it or take it out
                """
            ]),
        Case(
            "a row for what passes sealed",
            [
                (
                    "    - id: route-near\n      when: { level: [staff] }",
                    "    - id: route-near\n      when: { level: [head] }"
                )
            ],
            [
                """
                line 84, routing.rows[0]: can never fire: \"sealed-head\" above takes all that it asks for; move \
                it up, change it or take it out
                """
            ]),
        Case(
            "a row for what is not accepted",
            [
                (
                    "    - id: route-near\n      when: { level: [staff] }",
                    "    - id: route-near\n      when: { matter_kind: [outside] }"
                )
            ],
            [
                """
                line 84, routing.rows[0]: can never fire: none of its matter kinds is accepted; change it or take \
                it out
                """
            ]),
        Case(
            "a row that asks for what cannot be together",
            [
                ("when: { any_of: [$breach] }", "when: { any_of: [$breach], none_of: [bribe, kickback, corrupt] }"),
                ("when: { accused_named: true }", "when: { accused_named: false, level: [staff] }"),
            ],
            [
                """
                line 59, scope.rows[0]: can never fire: where nobody is accused there is no level; change it or \
                take it out
                """,
                """
                line 64, scope.rows[1]: can never fire: each word of any_of stands in none_of too; change it or \
                take it out
                """,
            ]),
        Case(
            "a word for and against",
            [("when: { any_of: [$breach] }", "when: { any_of: [$breach], none_of: [bribe] }")],
            [
                """
                warning: line 65, scope.rows[1].when: \"bribe\" stands in any_of and in none_of, so it never \
                counts: take it out of one
                """
            ]),
        Case(
            "a word for and against an organ",
            [("ordinary_words: [bank ombudsman]", "ordinary_words: [ombudsman]")],
            [
                """
                line 45, barrier.organ_words[0]: \"ombudsman\" stands in ordinary_words too, which take it back: \
                take it out of one
                """
            ]),
        Case(
            "a return below its like",
            [
                (
                    """
                        reasons: [not_ours]\n    hops_max: 2\n    text_characters_min: 4\n    approve: true\n    \
                    message: Agreed; another unit gets it\n    citation: Our own rule\n
                    """,
                    """
                        reasons: [not_ours]\n    hops_max: 2\n    approve: true\n    message: Agreed\n    \
                    citation: Our own rule\n  - id: return-late\n    reasons: [not_ours]\n    hops_max: 1\n    \
                    approve: false\n    message: Not so\n    citation: Our own rule\n
                    """
                )
            ],
            [
                """
                line 133, returns[1]: can never fire: \"return-approved\" above takes all that it asks for; move \
                it up, change it or take it out
                """
            ]),
        Case(
            "gaps",
            [
                ("when: {}", "when: { matter_kind: [accusation], source_kind: [letter] }"),
                ("when: { level: [staff] }", "when: { level: [staff], source_kind: [letter] }"),
                (
                    "\n    - { id: outside,",
                    """
                    \n    - { id: appeal, name: Appeal, counts_as_accusation: false, accepted: true }\n    - { \
                    id: outside,
                    """
                ),
            ],
            [
                """
                warning: line 17, vocabulary.source_kinds[1]: no row of routing takes the source kind \"web\": \
                each such report waits for a person (\"route-nobody\"); add a row, or leave it so
                """
            ]),
        Case(
            "what nothing uses",
            [
                ("handoff_kind: send_up", "handoff_kind: transfer"),
                (
                    "{ id: housing, name: Housing office }",
                    "{ id: housing, name: Housing office }\n    - { id: police, name: Police }"
                ),
                ("word_lists:\n", "word_lists:\n  spare: [word, other]\n"),
            ],
            [
                """
                warning: line 22, vocabulary.handoff_kinds[1]: no row of routing or sealed sends \"send_up\": add \
                one, or take it out
                """,
                """
                warning: line 39, vocabulary.authorities[1]: no row of scope names \"police\": add one, or take \
                it out
                """,
                "warning: line 42, word_lists.spare: no row asks for $spare: use it, or take it out",
            ]),
        Case(
            "no citation",
            [("    citation: Ombudsman Act, section 9\n", "")],
            [
                "warning: line 107, clocks[1]: has no citation: say where the row comes from, or that it is your own"
            ]),
        Case(
            "approval that nobody gives",
            [
                (
                    "name: Transfer, result_owed: true, needs_approval: false",
                    "name: Transfer, result_owed: true, needs_approval: true"
                )
            ],
            [
                """
                warning: line 21, vocabulary.handoff_kinds[0].needs_approval: nobody can approve in this version: \
                such handoffs wait for ever; write false
                """
            ]),
        Case(
            "a kind of handoff without its clocks",
            [
                ("starts: conclusion_sent_back", "starts: signed"),
                ("handoff_kinds: [transfer, send_up]", "handoff_kinds: [transfer]"),
            ],
            [
                """
                line 21, vocabulary.handoff_kinds[0]: a result is owed, but no overdue clock starts when a \
                conclusion is sent back: add one
                """,
                """
                line 22, vocabulary.handoff_kinds[1]: no sign clock starts when a handoff of this kind is \
                released: add one
                """,
                """
                line 117, clocks[2]: starts a second overdue clock beside \"clock-overdue\" for the same handoff: \
                take one out
                """,
            ]),
        Case(
            "a duty that nobody can ask for",
            [
                ("time_zone: Europe/Vienna", "time_zone: Europe/Wien"),
                ("owed_by: unit", "owed_by: office"),
                ("each: quarter", "each: quartr"),
                ("before_due: 5 day", "before_due: 20 day"),
            ],
            [
                "line 150, time_zone: there is no time zone \"Europe/Wien\"; write one such as Asia/Shanghai",
                "line 156, duties[0].unit_kinds: goes only with \"owed_by: unit\": take it out",
                "line 157, duties[0].each: \"quartr\" is none of month, quarter; did you mean \"quarter\"?",
                "line 160, duties[0].steps[0]: comes before the clock starts: shorten before_due",
            ]),
        Case(
            "a duty without a limit and without a zone, and its twin",
            [
                ("time_zone: Europe/Vienna\n\n", ""),
                ("each: quarter\n    within: 15 day", "each: quarter\n    within: 0 day"),
                ("unit_kinds: [department]\n    each", "unit_kinds: [departement]\n    each"),
                (
                    "duties:\n",
                    """
                    duties:\n  - { id: duty-return, name: Quarterly return, owed_by: office, each: month, within: 1 \
                    day, steps: [], citation: Our own rule }\n
                    """
                ),
            ],
            [
                "time_zone: is missing: duties need it, to know when a month begins",
                "line 151, duties[0].steps: a clock needs at least one step, or nobody learns of it",
                "line 152, duties[1].id: \"duty-return\" is already the id of duties[0]: give it another",
                "warning: line 153, duties[1].name: \"duty-return\" has the same name: nobody can tell the two apart",
                """
                line 155, duties[1].unit_kinds[0]: \"departement\" is no unit kind of the vocabulary; did you mean \
                \"department\"?
                """,
                "line 157, duties[1].within: a length lies between 1 and 100000",
            ]),
        Case(
            "faults of all kinds at once",
            [
                ("  title_weight: 3", "  title_wieght: 3"),
                ("within: 2 day", "within: two days"),
                ("level: [staff]", "level: [staf]"),
                ("conclusion-no-summary\n    summary_given: false", "conclusion-no-summary"),
                ("within: 15 day", "within: 0 day"),
            ],
            [
                "line 57, scope.title_weight: is missing: add it (whole number)",
                "line 73, scope.title_wieght: unknown key; did you mean \"title_weight\"?",
                """
                line 85, routing.rows[0].when.level[0]: \"staf\" is no level of the vocabulary; did you mean \
                \"staff\"?
                """,
                "line 101, clocks[0].within: a length of time is a number and a unit, such as \"2 day\" or \"36 hour\"",
                "line 121, clocks[2].within: a length lies between 1 and 100000",
                """
                line 144, conclusions[1]: can never fire: \"conclusion-no-summary\" above takes all that it asks \
                for; move it up, change it or take it out
                """,
            ]),
    ]

    @Test("all faults are reported at once, each on a line with its place and the remedy", arguments: cases)
    func reportsEveryFaultWithPlaceAndRemedy(of fault: Case) throws {
        var yaml = PolicyPage.example
        for (old, new) in fault.changes {
            let range = try #require(yaml.range(of: old), "\(old) does not occur")
            yaml.replaceSubrange(range, with: new)
        }
        #expect(PolicyFile.check(yaml).problems.map(\.description) == fault.messages)
    }
}
