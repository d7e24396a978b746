/// The width of a text in terminal cells: two for Chinese and other wide characters, none for combining marks.
public func displayWidth(_ text: some StringProtocol) -> Int {
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
    return text.reduce(0) { $0 + cells($1) }
}

/// The text cut to a width in cells, with … at the end if something was cut off.
public func cut(_ text: String, to width: Int) -> String {
    if displayWidth(text) <= width { return text }
    guard width > 0 else { return "" }
    var (kept, used) = ("", 1)
    for character in text {
        used += cells(character)
        if used > width { break }
        kept.append(character)
    }
    return kept + "…"
}

/// The text in lines of at most `width` cells, broken at spaces, and within a word only if it is wider than a line.
public func wrapped(_ text: String, to width: Int) -> [String] {
    var (lines, line, used) = ([String](), "", 0)
    for word in text.split(separator: " ") {
        let wide = displayWidth(word)
        if used > 0, used + 1 + wide <= width {
            line += " " + word
            used += 1 + wide
            continue
        }
        // A long word begins on the line that is open if it has room for some of it.
        if used > 0, wide <= width || used + 2 >= width {
            lines.append(line)
            (line, used) = ("", 0)
        } else if used > 0 {
            line += " "
            used += 1
        }
        for character in word {
            let more = cells(character)
            if used + more > max(width, 2) {
                lines.append(line)
                (line, used) = ("", 0)
            }
            line.append(character)
            used += more
        }
    }
    return used > 0 || lines.isEmpty ? lines + [line] : lines
}

private func cells(_ character: Character) -> Int {
    guard let first = character.unicodeScalars.first else { return 0 }
    if first.value < 0x300 { return 1 }
    if character.unicodeScalars.contains("\u{FE0F}") || isWide(first) || first.properties.isEmojiPresentation {
        return 2
    }
    switch first.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format, .control: return 0
    default: return 1
    }
}

/// East Asian Wide and Fullwidth (Unicode Standard Annex 11), by their blocks.
private func isWide(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0xA4CF, 0xA960...0xA97C,
        0xAC00...0xD7A3,
        0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6B, 0xFF01...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18CFF,
        0x1B000...0x1B2FF,
        0x1F1E6...0x1F1FF, 0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
        true
    default: false
    }
}
