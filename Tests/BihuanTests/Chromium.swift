import Foundation
import Testing

/// A real browser without a window, asked through its debugging pipe: JSON texts that end with a zero byte.
final class Chromium {
    static let program = "/usr/bin/chromium"
    /// Why there is none; `nil` if there is one.
    static let obstacle: String? =
        FileManager.default.isExecutableFile(atPath: program)
        ? nil : "\(program) is missing: deploy/packages chromium fonts-noto-cjk"

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private static let answerTimeoutMilliseconds: Int32 = 60_000

    private let process = Process()
    private let (questions, answers) = (Pipe(), Pipe())
    private let folder: URL
    private var unread = Data()
    private var asked = 0
    private var session: String?
    /// The names of events that came.
    private var events: [String] = []

    init() throws {
        signal(SIGPIPE, SIG_IGN)
        folder = FileManager.default.temporaryDirectory.appending(path: "bihuan-browser-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        process.executableURL = URL(filePath: "/bin/sh")
        // It reads from descriptor 3 and writes to 4. It is root's in a container, so it has no sandbox.
        process.arguments = [
            "-c", #"exec "$0" "$@" 3<&0 4>&1 >/dev/null 2>"$LOG" </dev/null"#, Self.program, "--headless",
            "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
            "--remote-debugging-pipe", "--user-data-dir=\(folder.path)/profile", "about:blank",
        ]
        process.environment = [
            "PATH": "/usr/bin:/bin", "HOME": folder.path, "LANG": "C.UTF-8", "LOG": "\(folder.path)/log",
        ]
        process.standardInput = questions
        process.standardOutput = answers
        try process.run()
        let target = try ask("Target.createTarget", ["url": "about:blank"])
        let attached = try ask("Target.attachToTarget", ["targetId": target["targetId"] ?? "", "flatten": true])
        session = attached["sessionId"] as? String
        _ = try ask("Page.enable")
    }

    func close() {
        _ = try? ask("Browser.close")
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Opens a page on a screen of this size and waits until it is loaded; a page that is longer makes the screen
    /// longer.
    func open(_ url: String, width: Int, height: Int, isDark: Bool = false) throws {
        _ = try ask(
            "Emulation.setEmulatedMedia",
            ["features": [["name": "prefers-color-scheme", "value": isDark ? "dark" : "light"]]])
        try resize(width, height)
        events = []
        _ = try ask("Page.navigate", ["url": url])
        while !events.contains("Page.loadEventFired") { take(try message()) }
        let length = try evaluate("document.documentElement.scrollHeight") as? Int ?? height
        try resize(width, max(height, length))
    }

    private func resize(_ width: Int, _ height: Int) throws {
        _ = try ask(
            "Emulation.setDeviceMetricsOverride",
            ["width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600])
    }

    /// The value of an expression.
    func evaluate(_ script: String) throws -> Any? {
        let answer = try ask("Runtime.evaluate", ["expression": script, "returnByValue": true])
        if let thrown = answer["exceptionDetails"] { throw Failure(description: "the script failed: \(thrown)") }
        return (answer["result"] as? [String: Any])?["value"]
    }

    /// A picture of the screen, or of a part of it, as PNG: the same pixels are the same bytes.
    func picture(of part: (x: Double, y: Double, width: Double, height: Double)? = nil) throws -> Data {
        var parameters: [String: Any] = ["format": "png"]
        if let part {
            parameters["clip"] = ["x": part.x, "y": part.y, "width": part.width, "height": part.height, "scale": 1]
        }
        let answer = try ask("Page.captureScreenshot", parameters)
        return try #require((answer["data"] as? String).flatMap { Data(base64Encoded: $0) })
    }

    // MARK: The pipe

    private func ask(_ method: String, _ parameters: [String: Any] = [:]) throws -> [String: Any] {
        asked += 1
        var question: [String: Any] = ["id": asked, "method": method, "params": parameters]
        if let session { question["sessionId"] = session }
        try questions.fileHandleForWriting.write(contentsOf: try JSONSerialization.data(withJSONObject: question) + [0])
        while true {
            let message = try message()
            guard message["id"] as? Int == asked else {
                take(message)
                continue
            }
            if let error = message["error"] { throw Failure(description: "\(method): \(error)") }
            return message["result"] as? [String: Any] ?? [:]
        }
    }

    private func take(_ message: [String: Any]) {
        if let event = message["method"] as? String { events.append(event) }
    }

    private func message() throws -> [String: Any] {
        let handle = answers.fileHandleForReading
        while true {
            if let end = unread.firstIndex(of: 0) {
                let message = try JSONSerialization.jsonObject(with: unread[..<end]) as? [String: Any]
                unread = Data(unread[unread.index(after: end)...])
                return message ?? [:]
            }
            var waiting = pollfd(fd: handle.fileDescriptor, events: Int16(POLLIN), revents: 0)
            let count = poll(&waiting, 1, Self.answerTimeoutMilliseconds)
            if count < 0, errno == EINTR { continue }
            let more = count > 0 ? handle.availableData : Data()
            guard !more.isEmpty else {
                let log = (try? String(contentsOfFile: "\(folder.path)/log", encoding: .utf8)) ?? ""
                throw Failure(description: "the browser does not answer: \(log.suffix(1000))")
            }
            unread += more
        }
    }
}
