import Basics
import BrokerTopology
import Casework
import Contract
import Foundation
import Testing

/// `docs/contract/asyncapi.yaml` says which message travels where; so does the code.
@Suite("AsyncAPI document")
struct AsyncAPITests {
    let document: JSONValue

    init() throws { document = try PublishedContract.asyncAPI() }

    enum Channel: String, CaseIterable {
        case intake, feedback, command, unitInbox, unitExpress, unitNotice, sourceNotice, personReply
    }

    /// Where a type travels, as its definition says.
    static func channels(of type: MessageType) -> Set<Channel> {
        let definition = type.definition
        let incoming: Channel? =
            switch definition.sender {
            case .source: .intake
            case .unit: .feedback
            case .person: .command
            case .office: nil
            }
        let outgoing = definition.destinations.flatMap { destination -> [Channel] in
            switch destination {
            case .unitInbox: [.unitInbox, .unitExpress]
            case .unitNotice: [.unitNotice]
            case .sourceNotice: [.sourceNotice]
            case .personReply: [.personReply]
            case .worker: []
            }
        }
        return Set(outgoing + [incoming].compactMap(\.self))
    }

    /// Planned types are received in `feedback`, or sent to the unit: news of a handoff with the handoff, the rest as
    /// notices.
    static func channels(of type: PlannedMessageType) throws -> Set<Channel> {
        let source = try PublishedContract.schema(type)["properties"]?["source"]?["$ref"]?.text
        if source?.hasSuffix("/unitParty") == true { return [.feedback] }
        return type == .handoffSupplemented ? [.unitInbox, .unitExpress] : [.unitNotice]
    }

    @Test("the document is AsyncAPI 3.0.0, with every field that the specification requires")
    func isCompleteAsyncAPI() throws {
        #expect(document["asyncapi"]?.text == "3.0.0")
        #expect(
            document["info"]?["title"]?.text?.isEmpty == false && document["info"]?["version"]?.text?.isEmpty == false)
        for (name, server) in document["servers"]?.object ?? [:] {
            #expect(
                server["host"]?.text?.isEmpty == false && server["protocol"]?.text?.hasPrefix("amqp") == true, "\(name)"
            )
            #expect(server["security"]?.list?.isEmpty == false, "\(name)")
        }
        for (name, operation) in document["operations"]?.object ?? [:] {
            #expect(["send", "receive"].contains(operation["action"]?.text), "\(name)")
            #expect(operation["channel"]?["$ref"]?.text?.hasPrefix("#/channels/") == true, "\(name)")
            if operation["action"]?.text == "send" {
                #expect(operation["bindings"]?["amqp"]?["deliveryMode"]?.whole == 2, "\(name)")
            }
        }
    }

    /// The fixed fields of the specification's objects, of those that the document uses.
    static let fields: [(path: [String], isMap: Bool, fields: Set<String>)] = [
        (
            [], false,
            ["asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"]
        ),
        (
            ["info"], false,
            ["title", "version", "description", "termsOfService", "contact", "license", "tags", "externalDocs"]
        ),
        (
            ["servers"], true,
            [
                "host", "protocol", "protocolVersion", "pathname", "description", "title", "summary", "variables",
                "security", "tags", "externalDocs", "bindings",
            ]
        ),
        (
            ["channels"], true,
            [
                "address", "messages", "title", "summary", "description", "servers", "parameters", "tags",
                "externalDocs", "bindings",
            ]
        ),
        (
            ["operations"], true,
            [
                "action", "channel", "title", "summary", "description", "security", "tags", "externalDocs", "bindings",
                "traits", "messages", "reply",
            ]
        ),
        (
            ["components"], false,
            [
                "schemas", "servers", "channels", "operations", "messages", "securitySchemes", "serverVariables",
                "parameters", "correlationIds", "replies", "replyAddresses", "externalDocs", "tags", "operationTraits",
                "messageTraits", "serverBindings", "channelBindings", "operationBindings", "messageBindings",
            ]
        ),
        (
            ["components", "messages"], true,
            [
                "headers", "payload", "correlationId", "contentType", "name", "title", "summary", "description", "tags",
                "externalDocs", "bindings", "examples", "traits",
            ]
        ),
    ]

    @Test("its objects have no field that the specification does not know", arguments: fields.indices)
    func usesOnlyKnownFields(row: Int) throws {
        let (path, isMap, known) = Self.fields[row]
        let object = try #require(document.value(at: path.map { .key($0) })?.object)
        for one in isMap ? Array(object.values) : [.object(object)] {
            let unknown = Set((one.object ?? [:]).keys.filter { $0 != "$ref" && !$0.hasPrefix("x-") }).subtracting(
                known)
            #expect(unknown == [], "\(path.joined(separator: "."))")
        }
    }

    @Test("every reference resolves")
    func resolvesReferences() throws {
        let references = document.fields.filter { $0.last == .key("$ref") }.compactMap { document.value(at: $0)?.text }
        #expect(references.count > 100)
        for reference in Set(references) {
            let parts = reference.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
            if parts[0].isEmpty {
                let steps = parts[1].split(separator: "/").map { JSONValue.Step.key(String($0)) }
                #expect(document.value(at: steps) != nil, "\(reference)")
            } else {
                let path = PublishedContract.folder.appending(path: String(parts[0])).path
                #expect(parts.count == 1 && FileManager.default.fileExists(atPath: path), "\(reference)")
            }
        }
    }

    @Test("every type of the contract is a message with its schema, and marked as planned where it is")
    func listsEveryType() throws {
        var planned: Set<String> = []
        var handled: Set<String> = []
        for (key, message) in document["components"]?["messages"]?.object ?? [:] {
            let name = try #require(message["name"]?.text, "\(key)")
            let path = try #require(message["payload"]?["schema"]?["$ref"]?.text, "\(key)")
            #expect(try PublishedContract.json(path)["title"]?.text == name, "\(key)")
            #expect(message["bindings"]?["amqp"]?["messageType"]?.text == name, "\(key)")
            let isPlanned = message["x-status"]?.text == "planned"
            #expect(message["summary"]?.text?.hasPrefix("Planned:") == isPlanned, "\(key)")
            // The one type that travels in both directions.
            if key == "attachmentPartToUnit" {
                #expect(!isPlanned && name == MessageType.attachmentPart.rawValue)
            } else {
                #expect((isPlanned ? planned : handled).contains(name) == false, "\(name) is described twice")
                if isPlanned { planned.insert(name) } else { handled.insert(name) }
            }
        }
        #expect(planned == Set(PlannedMessageType.allCases.map(\.rawValue)))
        #expect(handled == Set(PublishedSchemaTests.publicTypes.map(\.rawValue)))
    }

    private func types(in channel: Channel) throws -> [String] {
        let messages = try #require(document["channels"]?[channel.rawValue]?["messages"]?.object)
        return try messages.keys.map { key in
            #expect(messages[key]?["$ref"]?.text == "#/components/messages/\(key)")
            return try #require(document["components"]?["messages"]?[key]?["name"]?.text)
        }
    }

    @Test("every type travels in its channels and in no other", arguments: Channel.allCases)
    func putsTypesInRightChannels(channel: Channel) throws {
        let handled = MessageType.allCases.filter { Self.channels(of: $0).contains(channel) }.map(\.rawValue)
        let planned = try PlannedMessageType.allCases.filter { try Self.channels(of: $0).contains(channel) }.map(
            \.rawValue)
        #expect(try Set(types(in: channel)) == Set(handled + planned))
        #expect(Set(document["channels"]?.object?.keys.map { $0 } ?? []) == Set(Channel.allCases.map(\.rawValue)))
    }

    // MARK: Addresses

    /// All addresses that a channel's parameters make of it.
    private func addresses(of channel: Channel, _ fixed: [String: String]) throws -> Set<String> {
        let channel = try #require(document["channels"]?[channel.rawValue])
        var addresses = [try #require(channel["address"]?.text)]
        for (name, parameter) in channel["parameters"]?.object ?? [:] {
            let values = try parameter["enum"]?.list?.compactMap(\.text) ?? [#require(fixed[name], "\(name)")]
            addresses = addresses.flatMap { address in values.map { address.replacing("{\(name)}", with: $0) } }
        }
        return Set(addresses)
    }

    static let exchanges: [(Channel, String, Party)] = [
        (.intake, Topology.Exchange.intake, .source(SourceID(unchecked: "web"))),
        (.feedback, Topology.Exchange.feedback, .unit(UnitID(unchecked: "d1"))),
        (.command, Topology.Exchange.command, .person(PersonID(unchecked: "li"))),
    ]

    @Test("the routing keys are those that the office accepts", arguments: exchanges)
    func usesRoutingKeysOfOffice(channel: Channel, exchange: String, sender: Party) throws {
        let binding = document["channels"]?[channel.rawValue]?["bindings"]?["amqp"]
        #expect(binding?["is"]?.text == "routingKey" && binding?["exchange"]?["name"]?.text == exchange)
        #expect(binding?["exchange"]?["type"]?.text == "topic")
        let name = sender.description.split(separator: ".")
        let addresses = try addresses(of: channel, [String(name[0]): String(name[1])])
        let planned = try PlannedMessageType.allCases.filter { try Self.channels(of: $0).contains(channel) }.map {
            "\(sender).\($0.short)"
        }
        let keys =
            MessageType.allCases.filter { Self.channels(of: $0).contains(channel) }.flatMap {
                $0.routingKeys(from: sender)
            } + planned
        // The parameters of a command also make keys for workers that do not receive it.
        #expect(channel == .command ? addresses.isSuperset(of: keys) : addresses == Set(keys))
        #expect(!keys.isEmpty)
    }

    static let queues: [(Channel, String)] = [
        (.unitInbox, Topology.Queue.inbox(UnitID(unchecked: "d1"))),
        (.unitExpress, Topology.Queue.express(UnitID(unchecked: "d1"))),
        (.unitNotice, Topology.Queue.notice(UnitID(unchecked: "d1"))),
        (.sourceNotice, Topology.Queue.notice(SourceID(unchecked: "d1"))),
        (.personReply, Topology.Queue.reply(PersonID(unchecked: "d1"))),
    ]

    @Test("the queue names are those of the topology", arguments: queues)
    func usesQueueNamesOfTopology(channel: Channel, queue: String) throws {
        #expect(try addresses(of: channel, ["unit": "d1", "source": "d1", "person": "d1"]) == [queue])
        let described = try #require(document["channels"]?[channel.rawValue])
        #expect(described["bindings"]?["amqp"]?["is"]?.text == "queue")
        #expect(described["bindings"]?["amqp"]?["queue"]?["name"] == described["address"])
    }

    // MARK: Operations

    @Test("every message of a channel has a sender and a receiver, and no operation names any other")
    func listsSenderAndReceiver() throws {
        var done: [String: Set<String>] = ["send": [], "receive": []]
        for (name, operation) in document["operations"]?.object ?? [:] {
            let channel = try #require(operation["channel"]?["$ref"]?.text)
            let action = try #require(operation["action"]?.text)
            for message in operation["messages"]?.list ?? [] {
                let reference = try #require(message["$ref"]?.text)
                #expect(reference.hasPrefix("\(channel)/messages/"), "\(name)")
                done[action]?.insert(reference)
            }
            guard let reply = operation["reply"] else { continue }
            let answers = try #require(reply["channel"]?["$ref"]?.text)
            for message in reply["messages"]?.list ?? [] {
                #expect(message["$ref"]?.text?.hasPrefix("\(answers)/messages/") == true, "\(name)")
            }
        }
        let all = Set(
            (document["channels"]?.object ?? [:]).flatMap { channel, value in
                (value["messages"]?.object ?? [:]).keys.map { "#/channels/\(channel)/messages/\($0)" }
            })
        #expect(done["send"] == all)
        #expect(done["receive"] == all)
    }
}
