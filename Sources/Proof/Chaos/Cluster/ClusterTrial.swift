/// One disturbance of a cluster: what is done to a host, for how long it stays so, and how it is undone.
package struct ClusterTrial: Sendable {
    package let what: String
    /// Acts of `deploy/cluster/local`, each with its host.
    let begin: [[String]]
    let heldSeconds: Double
    let end: [[String]]

    /// The node that the trial takes from its queues.
    package var lostBroker: String? {
        begin.first { ["stop", "kill", "power-off", "part", "cut"].contains($0[0]) && $0[1].hasPrefix("mq") }?[1]
    }

    /// In the order in which they are made. The three stops come first and nothing spreads the leaders between them:
    /// as a rule a leader moves only when its node is stopped, so each queue loses the node of its leader once.
    package static let all = [
        ClusterTrial(what: "nothing", begin: [], heldSeconds: 20, end: []),
        stop("mq1"), stop("mq2"), stop("mq3"),
        ClusterTrial(
            what: "mq2 cut off from the other nodes", begin: [["part", "mq2"]], heldSeconds: 30,
            end: [["join", "mq2"]]),
        ClusterTrial(
            what: "mq3 without power", begin: [["power-off", "mq3"]], heldSeconds: 30, end: [["power-on", "mq3"]]),
        ClusterTrial(
            what: "w1 without power", begin: [["power-off", "w1"]], heldSeconds: 45, end: [["power-on", "w1"]]),
        ClusterTrial(
            what: "pg1 without power, pg2 promoted", begin: [["power-off", "pg1"], ["promote", "pg2"]],
            heldSeconds: 30, end: [["power-on", "pg1"], ["follow", "pg1"]]),
    ]

    /// The host of a node: `mq1` for `rabbit@mq1.cluster`.
    static func broker(of node: String) -> String? {
        node.split(separator: "@").last?.split(separator: ".").first.map(String.init)
    }

    static func stop(_ node: String) -> ClusterTrial {
        ClusterTrial(what: "\(node) stopped", begin: [["stop", node]], heldSeconds: 15, end: [["start", node]])
    }
}
