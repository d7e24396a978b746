/// A possible allegation: its category, the concrete act, and several texts for it, each one paragraph.
package struct Charge: Sendable {
    let settings: [Setting]
    /// `nil`: any line of work.
    let field: Post.Field?
    /// An id of the policy's categories.
    let category: String
    /// The form in a title: 截留征地补偿款.
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
