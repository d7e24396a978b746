import Basics
import Casework

/// Writes a report's text: frame, opening, allegations, evidence, sometimes a long story, and the end.
package struct Letter {
    /// The kind of source.
    package let source: String
    package let realName: Bool

    package init(source: String, realName: Bool) {
        self.source = source
        self.realName = realName
    }

    package func write(_ charges: [Charge], _ scene: inout Scene) -> String {
        var text = frame(&scene)
        // A few reporters write down everything they know.
        let exhaustive = scene.random.chance(4)
        add(openings(&scene), to: &text, &scene)
        body(charges, exhaustive: exhaustive, into: &text, &scene)
        if !scene.second.isEmpty { add(Wording.colleagues, to: &text, &scene) }
        if exhaustive || scene.random.chance(55) {
            add(Wording.background, count: exhaustive ? 4 : 1, to: &text, &scene)
        }
        if exhaustive || scene.random.chance(12) { chronicle(atLeast: exhaustive ? 16 : 4, into: &text, &scene) }
        if exhaustive || scene.random.chance(65) { add(Wording.evidence, count: exhaustive ? 3 : 1, to: &text, &scene) }
        add(Wording.demands, to: &text, &scene)
        sign(Wording.signatures, Wording.anonymousSignatures, &text, &scene)
        return text
    }

    /// Writes a matter. A request for help begins and ends differently from an appeal or a suggestion.
    package func write(_ matter: Matter, isRequest: Bool, _ scene: inout Scene) -> String {
        // The frames of bodies that pass reports on mention an accused, and here there is none.
        var text = ["visit", "phone"].contains(source) ? frame(&scene) : ""
        scene.random.pick(isRequest ? Matter.openings : Matter.plainOpenings).write(into: &text, &scene)
        scene.random.pick(matter.tellings).write(into: &text, &scene)
        text += "\n"
        if scene.random.chance(7) { chronicle(into: &text, &scene, steps: Self.neutralSteps) }
        scene.random.pick(isRequest ? Matter.endings : Matter.plainEndings).write(into: &text, &scene)
        sign(Matter.signatures, [""], &text, &scene)
        return text
    }

    // MARK: Steps

    private func frame(_ scene: inout Scene) -> String {
        let frames = Wording.frame(source, real: realName)
        return frames.isEmpty ? "" : scene.random.pick(frames).written(&scene)
    }

    private func openings(_ scene: inout Scene) -> [Phrase] {
        if scene.voice == .recorded { return Wording.recordedOpenings }
        return source == "web" && scene.random.chance(45) ? Wording.bluntOpenings : Wording.openings
    }

    /// Writes one or more paragraphs for each allegation: under headings, numbered, or in sequence.
    private func body(_ charges: [Charge], exhaustive: Bool, into text: inout String, _ scene: inout Scene) {
        let form = charges.count == 1 ? 2 : scene.random.weighted([35, 25, 40])
        for (index, charge) in charges.enumerated() {
            switch form {
            case 0: text += "\(Self.numerals[index])、关于\(charge.topic)的问题。"
            case 1: text += "\(index + 1). "
            default: if index > 0 { scene.random.pick(Wording.connectors).write(into: &text, &scene) }
            }
            let tellings = scene.random.pick(exhaustive ? 4 : scene.random.chance(30) ? 2 : 1, of: charge.tellings)
            scene.give(scene.amounts.indices.contains(index) ? scene.amounts[index] : nil)
            for telling in tellings {
                telling.write(into: &text, &scene)
                text += "\n"
            }
        }
        scene.give(nil)
    }

    private func add(_ phrases: [Phrase], count: Int = 1, to text: inout String, _ scene: inout Scene) {
        for phrase in scene.random.pick(count, of: phrases) {
            phrase.write(into: &text, &scene)
            text += "\n"
        }
    }

    /// Writes the course of events, day by day.
    private func chronicle(
        atLeast: Int = 4, into text: inout String, _ scene: inout Scene, steps: [Phrase] = Wording.steps
    ) {
        text += scene.random.pick(["事情的经过是：\n", "附：有关经过\n", "时间线整理如下：\n"])
        let count = scene.random.number(min(atLeast, steps.count)...steps.count)
        guard var day = CivilDate(year: scene.firstYear, month: scene.random.number(1...9), day: 5) else { return }
        for step in scene.random.pick(count, of: steps) {
            day = CivilDate(daysSinceEpoch: day.daysSinceEpoch + scene.random.number(2...38))
            let date = day.components
            text += "\(date.year)年\(date.month)月\(date.day)日，"
            step.write(into: &text, &scene)
            text += "\n"
        }
    }

    private func sign(_ named: [Phrase], _ unnamed: [Phrase], _ text: inout String, _ scene: inout Scene) {
        guard scene.voice == .own else { return }
        if realName {
            if scene.random.chance(68) { text += "\n" + scene.random.pick(named).written(&scene) }
        } else if scene.random.chance(60) {
            text += "\n" + scene.random.pick(unnamed).written(&scene)
        }
    }

    private static let numerals = ["一", "二", "三", "四"]

    private static let neutralSteps: [Phrase] = [
        "{me}第一次到{W}反映情况，接待人员登记后让{me}回去等消息。", "拨打热线，接线员记录了诉求，说{n}个工作日内答复。",
        "{we}到现场拍照，照片共{n}张。", "收到短信，说诉求“已办结”，可问题原样未动。", "{W}来了两名工作人员，看了一圈，说不归他们管。",
        "再次到{C}有关窗口咨询，被告知负责人出差。", "双方在社区坐下来谈了一次，口头答应{n}天内解决。", "{who}代表大家递交了书面申请，没有拿到回执。",
    ]
}
