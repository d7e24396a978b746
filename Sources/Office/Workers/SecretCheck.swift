public import CaseStore
public import PostgreSQL

/// A secret is not the one that the database was written with. With it the stored values could not be decrypted, or
/// repeated values would not be recognised.
public struct WrongSecret: PlainlyWorded, CustomStringConvertible {
    let name: SecretName

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
            vault.key is not the key that this database was written with, so nothing that lies sealed could be \
            opened: restore the key from \
            its backup; where it was exchanged on purpose, delete the row 'vault' of secret_check as the \
            database's owner
            """
        }
    }
}

public enum SecretCheck {
    /// Compares the secrets with those that were used first, and stores their check values if there are none.
    /// - Throws: `WrongSecret` if a secret differs.
    public static func demand(_ vault: Vault, _ digestKey: DigestKey, in database: PostgreSQL.Connection) throws {
        for (name, value) in [(SecretName.digest, digestKey.checkValue), (.vault, vault.checkValue)] {
            if try database.run(ReadSecretCheck(name)).rows.isEmpty {
                try database.run(EnterSecretCheck(name, value: value))
            }
            guard try database.run(ReadSecretCheck(name)).rows == [value] else { throw WrongSecret(name: name) }
        }
    }
}
