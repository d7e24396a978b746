/// The policies shipped with the program.
package enum ShippedPolicy {
    /// For a commission for discipline inspection (纪检监察机关).
    package static var chineseDiscipline: String {
        String(decoding: PackageResources.policy_cn_discipline_yaml, as: UTF8.self)
    }
}
