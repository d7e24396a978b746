/// One thing that can be alleged: its category, the concrete act, and ways to tell it. Each telling is a paragraph of
/// its own.
package struct Charge: Sendable {
    let settings: [Setting]
    /// `nil`: in any line of work.
    let field: Post.Field?
    /// An id of the policy's categories.
    let category: String
    /// As a title names it: 截留征地补偿款.
    let topic: String
    let act: Phrase
    let tellings: [Phrase]

    init(
        _ settings: [Setting], in field: Post.Field? = nil, _ category: String, _ topic: String, act: Phrase,
        _ tellings: Phrase...
    ) {
        self.settings = settings
        self.field = field
        self.category = category
        self.topic = topic
        self.act = act
        self.tellings = tellings
    }

    func fits(_ post: Post) -> Bool { settings.contains(post.setting) && (field == nil || field == post.field) }

    static let all: [Charge] = village + grassroots + offices + conduct + summit
}
