import Casework
import Foundation
import Submitting
import Testing
@testable import Basics

@Suite("The shipped maps")
struct ShippedMapTests {
    static func map(_ name: String) throws -> String {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../deploy/maps")
            .standardizedFileURL
        return try String(contentsOf: folder.appending(path: name), encoding: .utf8)
    }

    @Test(
        "a hotline's CSV is read alike in UTF-8 and in GB18030, with commas and with semicolons",
        arguments: ["utf-8-sig", "gb18030", "utf-16"], [",", ";"])
    func readsHotlineCSV(encoding: String, separator: String) throws {
        let rows = [
            ["工单编号", "来电时间", "来电人", "联系电话", "身份证号", "被反映人", "被反映单位", "诉求内容", "区域", "办理结果"],
            [
                "20230101123456780001", "2019/3/5 8:05", "王䶮", "13800138000", "110101199003071234", "张三", "某镇政府",
                "\"路灯\"\"不亮\"\"\r\n请修\"", "甲市", "已办",
            ],
            ["20230101123456780002", "43529.336805", "不详", "/", "", "", "", "水管破裂", "丙市", ""],
            ["2.02301E+19", "2019年3月5日", "", "", "", "", "", "丢了位数", "", ""],
            ["T-4", "03/04/2019", "", "", "", "", "", "哪个是月份", "", ""],
        ].map { $0.joined(separator: separator) }.joined(separator: "\r\n")
        let results = try ReportFileTests.read(
            try ReportFileTests.written(rows, in: encoding), map: try Self.map("csv-hotline.yaml"))
        let reports = results.compactMap { try? $0.get() }
        #expect(reports.map(\.id) == ["hotline-20230101123456780001", "hotline-20230101123456780002"])
        #expect(
            reports.allSatisfy {
                $0.source.rawValue == "phone" && $0.submission.receivedAt == Instant("2019-03-05T08:05:00+08:00")
            })
        #expect(
            reports[0].submission.reporters == [
                Reporter(name: "王䶮", phone: "13800138000", idNumber: "110101199003071234")
            ])
        #expect(reports[0].submission.accused == [Accused(name: "张三", organ: "某镇政府")])
        #expect(reports[0].submission.text == "路灯\"不亮\"\r\n请修" && reports[0].submission.region == "p-c01")
        #expect(reports[1].submission.reporters.isEmpty && reports[1].submission.region == "p")
        #expect(results.dropFirst(2).allSatisfy { if case .failure = $0 { true } else { false } })
    }

    @Test("times of several programs are read; unreadable ones are named as problems, and blanks are none")
    func readsTimesOfSeveralPrograms() throws {
        let moments: [(at: String, moment: String?)] = [
            ("2019/3/5 8:05", "2019-03-05T00:05:00Z"), ("2019/03/05 08:05:00", "2019-03-05T00:05:00Z"),
            ("2019-03-05 08:05:00.0", "2019-03-05T00:05:00Z"),
            ("2019-03-05 08:05:00.123", "2019-03-05T00:05:00.123Z"), ("2019年3月5日", "2019-03-04T16:00:00Z"),
            ("43529.336805", "2019-03-05T00:05:00Z"),
            ("  ", nil), ("null", nil), ("不详", nil),
        ]
        let impossible = ["0000-00-00 00:00:00", "2019-03-05 24:00:00"]
        let lines = (moments.map(\.at) + impossible).map {
            "{\"no\":\"\($0.utf8.count)-\($0.hashValue.magnitude)\",\"text\":\"x路灯不亮\",\"at\":\"\($0)\"}"
        }
        let results = try ReportFileTests.read(
            Array(lines.joined(separator: "\n").utf8), map: try Self.map("dates.yaml"))
        for (result, (at, moment)) in zip(results, moments) {
            let received = try result.get().submission.receivedAt
            #expect(received == moment.flatMap { Instant($0) }, "\(at)")
        }
        for result in results.suffix(2) {
            guard case .failure(let problem) = result else {
                Issue.record("a date that does not exist was read")
                continue
            }
            #expect(problem.reason.contains("the date in \"at\" does not exist"))
        }
    }
}
