package import CaseStore
public import PostgreSQL

/// A secret is not the one that the database was written with. With it the stored values could not be decrypted, or
/// repeated values would not be recognised.
public struct WrongSecret: PlainlyWorded, CustomStringConvertible {
    package let name: SecretName

    package init(name: SecretName) { self.name = name }

    public var description: String {
        switch name {
        case .digest:
            """
            digest.key is not the key that this database was written with, so nothing that came before would be \
            known again: restore \
            the key from its backup
            """
        case .vault:
            """
            vault.publicKey is not the key that this database was written with, so one private key could not open \
            all originals: restore it in bihuan.yaml; where it was exchanged on purpose, delete the row 'vault' of \
            secret_check as the database's owner
            """
        case .box(let kind):
            """
            \(kind.rawValue).key is not the key that this database was written with, so nothing that lies sealed \
            under it could be opened: restore the key from its backup
            """
        }
    }
}

public enum SecretCheck {
    /// Compares the secrets with those that were used first, and stores their check values if there are none.
    /// - Throws: `WrongSecret` if a secret differs.
    public static func demand(of settings: LaneSettings, in database: PostgreSQL.Connection) throws {
        let boxes = settings.boxes.checkValues.map { (SecretName.box($0.kind), $0.value) }
        for (name, value) in [(.digest, settings.digestKey.checkValue), (.vault, settings.vault.checkValue)] + boxes {
            if try database.run(ReadSecretCheck(name)).rows.isEmpty {
                try database.run(EnterSecretCheck(name, value: value))
            }
            guard try database.run(ReadSecretCheck(name)).rows == [value] else { throw WrongSecret(name: name) }
        }
    }
}
