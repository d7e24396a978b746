public import Basics
public import BrokerTopology
public import CaseStore
import Casework
public import Contract
import Foundation
public import PostgreSQL

/// The office of the tests: few units, so that a virtual host for it is made in no time.
public enum SmallOffice {
    public static let units: [UnitRow] = [
        unit("d1", "第一监督检查室", "department", region: "p", levels: ["city", "province"]),
        unit("d2", "第二监督检查室", "department", region: "p", levels: ["city", "province"]),
        unit("c01", "甲市纪委监委", "city", region: "p-c01", levels: ["village", "township", "county", "city"]),
        unit("c01-d01", "甲市东区纪委监委", "county", region: "p-c01-d01", parent: "c01", levels: ["village", "township"]),
        unit("superior", "上级纪委监委", "superior", region: nil, levels: []),
        unit("case-office", "案件监督管理室", "case_office", region: nil, levels: []),
    ]
    public static let sources: [SourceRow] = [
        SourceRow(id: SourceID(unchecked: "letter"), name: "来信", kind: "letter", unit: nil),
        SourceRow(id: SourceID(unchecked: "web"), name: "网络举报", kind: "web", unit: nil),
        SourceRow(
            id: SourceID(unchecked: "subordinate"), name: "下级报送", kind: "subordinate", unit: UnitID(unchecked: "c01")),
    ]
    public static let persons: [PersonRow] = [
        person("li", "李组长", roles: ["leader"]), person("wang", "王督查", roles: ["supervisor"]),
        person("sun", "孙运维", roles: ["operator"]), person("zhao", "赵办事员", roles: ["clerk"]),
        person("qian", "钱督查", roles: ["supervisor"], recusedFrom: ["避嫌人"]),
    ]

    public static func definitions(virtualHost: String) -> Definitions {
        Definitions(
            virtualHost: virtualHost, units: units.map(\.id), sources: sources.map(\.id), persons: persons.map(\.id),
            users: parties.map { BrokerUser(party: $0, password: TestServers.password) },
            administrator: (name: "admin", password: TestServers.password),
            // More than a party may have waiting in an office, since tests let more bytes wait than a worker may hold.
            inboundBytesMax: 256 << 20)
    }

    public static var parties: [Party] {
        units.map { .unit($0.id) } + sources.map { .source($0.id) } + persons.map { .person($0.id) }
            + Worker.allCases.map { .office($0) }
    }

    /// Makes the roles, the migrated database that every test's own is copied from, and the list of virtual hosts that
    /// were in use.
    public static func makeTemplate(superuser url: String, owner ownerURL: String) throws {
        let superuser = try Connection(ConnectionSettings(url: url))
        try DatabaseRoles.make(
            on: superuser,
            passwords: Dictionary(uniqueKeysWithValues: DatabaseRole.allCases.map { ($0, TestServers.password) }))
        let workers = Worker.allCases.map { DatabaseRole($0).name }.joined(separator: ", ")
        try superuser.execute("DROP ROLE IF EXISTS \(TestServers.everyWorker)")
        try superuser.execute(
            "CREATE ROLE \(TestServers.everyWorker) LOGIN PASSWORD '\(TestServers.password)' IN ROLE \(workers)")
        try superuser.execute("CREATE TABLE IF NOT EXISTS used_office (number int PRIMARY KEY)")
        try superuser.execute("DROP DATABASE IF EXISTS \(TestServers.template)")
        try superuser.execute("CREATE DATABASE \(TestServers.template) OWNER bihuan_owner")
        superuser.close()
        let owner = try Connection(ConnectionSettings(url: ownerURL))
        try Schema.migrate(owner)
        try enter(into: owner, at: Instant(Date()))
        owner.close()
    }

    /// Enters it into a migrated database, as the owner.
    public static func enter(into database: Connection, at instant: Instant) throws {
        try database.run(EnterOffice(name: "测试办公室", at: instant))
        for unit in units { try database.run(EnterUnit(unit: unit, at: instant)) }
        for source in sources { try database.run(EnterSource(source: source)) }
        for person in persons { try database.run(EnterPerson(person: person)) }
    }

    private static func unit(
        _ id: String, _ name: String, _ kind: String, region: String?, parent: String? = nil, levels: Set<String>
    ) -> UnitRow {
        UnitRow(
            id: UnitID(unchecked: id), name: name, kind: kind, region: region, levels: levels,
            parent: parent.map { UnitID(unchecked: $0) }, active: true, sealingKey: nil)
    }

    private static func person(
        _ id: String, _ name: String, roles: Set<String>, recusedFrom: Set<String> = []
    ) -> PersonRow {
        PersonRow(
            id: PersonID(unchecked: id), name: name, unit: nil, roles: roles, active: true, recusedFrom: recusedFrom)
    }
}
