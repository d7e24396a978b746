public import Basics

/// The content of one report as the source sent it, in the words of the contract and before any rule is applied.
///
/// Vocabulary fields (`matterKind`, `level`, `category`) contain ids of the policy in force. Intake refuses an id
/// that the policy does not have.
public struct Submission: Codable, Hashable, Sendable {
    /// When the source received it; duties that run from receipt start here. Absent: when the office received it.
    public var receivedAt: Instant?
    /// Accusation, appeal, suggestion … (检举控告, 申诉, 批评建议), as the source classifies it.
    public var matterKind: String?
    public var title: String
    public var text: String
    /// Code of the place it is about, `[A-Za-z0-9-]`, coarse to fine, so that a prefix names the larger place.
    public var region: String?
    /// Empty: anonymous (匿名).
    public var reporters: [Reporter]
    public var accused: [Accused]
    public var allegations: [Allegation]
    public var attachments: [Attachment]

    /// The fields read from the wire; `FreeTexts` visits each.
    enum CodingKeys: String, CodingKey, CaseIterable {
        case receivedAt, matterKind, title, text, region, reporters, accused, allegations, attachments
    }

    public init(
        receivedAt: Instant? = nil, matterKind: String? = nil, title: String, text: String, region: String? = nil,
        reporters: [Reporter] = [], accused: [Accused] = [], allegations: [Allegation] = [],
        attachments: [Attachment] = []
    ) {
        self.receivedAt = receivedAt
        self.matterKind = matterKind
        self.title = title
        self.text = text
        self.region = region
        self.reporters = reporters
        self.accused = accused
        self.allegations = allegations
        self.attachments = attachments
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        receivedAt = try container.decodeIfPresent(Instant.self, forKey: .receivedAt)
        matterKind = try container.decodeIfPresent(String.self, forKey: .matterKind)
        title = try container.decodeIfPresent(String.self, forKey: .title) ?? ""
        text = try container.decode(String.self, forKey: .text)
        region = try container.decodeIfPresent(String.self, forKey: .region)
        reporters = try container.decodeIfPresent([Reporter].self, forKey: .reporters) ?? []
        accused = try container.decodeIfPresent([Accused].self, forKey: .accused) ?? []
        allegations = try container.decodeIfPresent([Allegation].self, forKey: .allegations) ?? []
        attachments = try container.decodeIfPresent([Attachment].self, forKey: .attachments) ?? []
    }

    /// Whether it is a real-name report (实名): a name and a concrete contact. Ask this after placeholders are removed
    /// (`Placeholders`).
    public var isRealName: Bool { reporters.contains { $0.isRealName } }
}

/// The reporter. Nothing of it leaves the vault (invariant 6).
public struct Reporter: Codable, Hashable, Sendable {
    public var name: String?
    public var organ: String?
    public var phone: String?
    public var email: String?
    public var idNumber: String?
    public var address: String?
    /// How far the name may be passed on; absent means `inside`.
    public var consent: Consent?

    enum CodingKeys: String, CodingKey, CaseIterable { case name, organ, phone, email, idNumber, address, consent }

    public enum Consent: String, Codable, Hashable, Sendable {
        case anonymous, inside, handler

        /// The error text for any other word.
        public static let shape = "none of anonymous, inside, handler"

        public init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            guard let consent = Consent(rawValue: try container.decode(String.self)) else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: Consent.shape)
            }
            self = consent
        }
    }

    public init(
        name: String? = nil, organ: String? = nil, phone: String? = nil, email: String? = nil, idNumber: String? = nil,
        address: String? = nil, consent: Consent? = nil
    ) {
        self.name = name
        self.organ = organ
        self.phone = phone
        self.email = email
        self.idNumber = idNumber
        self.address = address
        self.consent = consent
    }

    public var isRealName: Bool {
        func given(_ text: String?) -> Bool {
            text.map { !$0.unicodeScalars.allSatisfy(\.properties.isWhitespace) } ?? false
        }
        return given(name) && (given(phone) || given(email) || given(address))
    }
}

/// The person who is reported (被反映人).
public struct Accused: Codable, Hashable, Sendable {
    public var name: String
    /// The body that person works in, in words.
    public var organ: String?
    public var position: String?
    /// Who manages the person: an id of the policy's levels (县管, 市管, 省管, 中管 …).
    public var level: String?
    public var region: String?
    /// The unit of this office's tree that the person belongs to or leads, if the source knows it (invariant 5).
    public var unit: UnitID?

    enum CodingKeys: String, CodingKey, CaseIterable { case name, organ, position, level, region, unit }

    public init(
        name: String, organ: String? = nil, position: String? = nil, level: String? = nil, region: String? = nil,
        unit: UnitID? = nil
    ) {
        self.name = name
        self.organ = organ
        self.position = position
        self.level = level
        self.region = region
        self.unit = unit
    }
}

/// One allegation: a category of discipline or law, and the concrete act (纪法分开).
public struct Allegation: Codable, Hashable, Sendable {
    /// An id of the policy's categories.
    public var category: String?
    public var act: String

    enum CodingKeys: String, CodingKey, CaseIterable { case category, act }

    public init(category: String? = nil, act: String) {
        self.category = category
        self.act = act
    }
}

/// An attachment announced with a report; its bytes are sent separately.
public struct Attachment: Codable, Hashable, Sendable {
    public var name: String
    /// `type/subtype`; see `MediaTypeName`.
    public var mediaType: String?
    public var bytes: Int
    /// SHA-256 in lower-case hexadecimal.
    public var sha256: String

    enum CodingKeys: String, CodingKey, CaseIterable { case name, mediaType, bytes, sha256 }

    public init(name: String, mediaType: String? = nil, bytes: Int, sha256: String) {
        self.name = name
        self.mediaType = mediaType
        self.bytes = bytes
        self.sha256 = sha256
    }
}
