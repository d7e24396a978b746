import Basics
public import Contract
import Crypto
public import Foundation

/// How the names of the lanes of one process begin: worker, machine and process. Other processes know the lane by it.
public enum LaneName {
    /// `routing-3fa9c1d2.4711-`, of a process of this machine.
    public static func prefix(_ worker: Worker, _ process: pid_t) -> String {
        "\(worker.rawValue)-\(machine).\(process)-"
    }

    /// The process of a lane of this machine.
    public static func process(of lane: String, _ worker: Worker) -> pid_t? {
        let start = "\(worker.rawValue)-\(machine)."
        guard lane.hasPrefix(start) else { return nil }
        return lane.dropFirst(start.count).split(separator: "-").first.flatMap { pid_t($0) }
    }

    /// Short, since the name of a database session has room for few characters.
    private static let machine = Array(SHA256.hash(data: Data(ProcessInfo.processInfo.hostName.utf8)).prefix(4))
        .hexadecimal
}
