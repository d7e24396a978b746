import Foundation

/// Stands in for the folding of names until it is here.
enum NameKey {
    static func organ(_ text: String) -> String {
        let kept = text.precomposedStringWithCompatibilityMapping.unicodeScalars.filter {
            !$0.properties.isWhitespace && !$0.properties.isDefaultIgnorableCodePoint && $0.properties.generalCategory != .format
        }
        return String(String.UnicodeScalarView(kept)).lowercased().replacing("勵", with: "励").replacing("區", with: "区")
    }
    static func everyWide(_ name: String) -> Set<String> { [wide(name)] }
    static func wide(_ name: String) -> String {
        var key = organ(name)
        for title in ["同志", "书记", "局长", "主任"] where key.hasSuffix(title) && key.count - title.count >= 2 { key.removeLast(title.count) }
        return key
    }
}
