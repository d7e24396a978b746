// Invented submissions with the sizes of those of `bihuan-lab demo`. They are derived from the submission's
// number, so that every process can compute them without reading a message. README.md lists the shares and sizes.
#include "floor.h"

#include <stdio.h>
#include <string.h>

party sources[PARTIES_MAX], units[PARTIES_MAX];
int source_count, unit_count;
char barred_unit[41];

// Phrases ----------------------------------------------------------------------------------------------------------------

// Characters of three bytes each; common ones occur more often.
static const char characters[] =
    "村民反映书记的征地补偿款没有发到农户手里乡镇工作人员说已经全额拨付账目多年不公开要求查账被拒绝亲属承包工程低价发包集体林地"
    "虚报面积冒领补贴危房改造指标收取好处费公款吃喝挪用资金归个人使用县里市里省里单位领导利用职权安排子女上岗招标走过场围标串标"
    "材料以次充好道路开裂监督委员会形同虚设举报以后遭到打击报复医院学校教师采购回扣银行贷款违规审批土地矿产水利农业林业交通住建"
    "我们多次到有关部门请求调查处理至今没有答复希望上级纪委认真核实严肃追究责任还群众一个公道此致敬礼附件清单照片录音合同复印件"
    "某年春节期间在酒店设宴收受烟酒礼金数万元其妻经营公司承揽项目获利丰厚名下房产车辆与收入明显不符群众意见很大影响恶劣";
enum { POOL_CHARACTERS = 1 << 16 };
static char pool[POOL_CHARACTERS * 3 + 1];

void make_content(void) {
    size_t kinds = (sizeof characters - 1) / 3;
    for (size_t i = 0; i < POOL_CHARACTERS; i++) {
        // A quarter are runs of ten characters repeated from shortly before, so that the text compresses about as
        // the corpus does.
        uint64_t chance = mixed(7, i / 10);
        if (i >= 400 && chance % 4 == 0) memcpy(pool + 3 * i, pool + 3 * (i - 10 * (1 + chance / 4 % 38)), 3);
        else memcpy(pool + 3 * i, characters + 3 * (mixed(11, i) % kinds), 3);
    }
}

const char *phrase(unsigned at, int count) { return pool + 3 * (at % (unsigned)(POOL_CHARACTERS - count)); }

// Shapes -----------------------------------------------------------------------------------------------------------------

typedef struct { int per_mille, bytes; } quantile;

// The length of the masked text, for routed reports and for others.
static const quantile routed_texts[] = {
    {0, 217}, {50, 380}, {100, 459}, {200, 596}, {300, 696}, {400, 788}, {500, 883}, {600, 1001}, {700, 1168}, {800, 1424}, {850, 1668},
    {900, 2536}, {950, 4112}, {980, 4957}, {990, 5392}, {995, 5657}, {1000, 7364}};
static const quantile other_texts[] = {{0, 172}, {100, 284}, {500, 385}, {800, 470}, {900, 560}, {1000, 1100}};

static int drawn_length(const quantile *from, unsigned per_mille) {
    while (from[1].per_mille < (int)per_mille) from++;
    int span = from[1].per_mille - from[0].per_mille;
    int bytes = from[0].bytes + (from[1].bytes - from[0].bytes) * ((int)per_mille - from[0].per_mille) / span;
    return bytes / 3 * 3;
}

typedef struct { int per_mille, accused, allegations; } named;
static const named named_people[] = {
    {113, 0, 0}, {490, 1, 1}, {683, 1, 2}, {754, 1, 3}, {779, 1, 4}, {866, 2, 1}, {908, 2, 2}, {926, 2, 3}, {932, 2, 4}, {963, 3, 1},
    {980, 3, 2}, {988, 3, 3}, {996, 4, 1}, {998, 4, 2}, {1000, 4, 3}};

const char *drawn_unit(uint64_t chance, bool department) {
    for (int i = 0; i < unit_count; i++) {
        const party *unit = &units[(chance + (uint64_t)i) % (uint64_t)unit_count];
        if ((strcmp(unit->kind, "department") == 0) == department) return unit->id;
    }
    return units[chance % (uint64_t)unit_count].id;
}

shape shape_of(long number) {
    uint64_t seed = mixed(opt.run, (uint64_t)opt.round);
    unsigned chance[7];
    for (int i = 0; i < 7; i++) chance[i] = (unsigned)(mixed(seed + (uint64_t)i, (uint64_t)number) >> 11);
    shape s = {0};
    s.registered = opt.all_close || chance[0] % 1000 < 724;
    // One in eight of the others repeats the text of a routed one.
    bool names = s.registered || chance[1] % 8 == 0;
    if (names) {
        const named *people = named_people;
        while (people->per_mille <= (int)(chance[2] % 1000)) people++;
        s.accused = people->accused;
        s.allegations = people->allegations;
    }
    s.has_key = s.registered && chance[3] % 1000 < 976;
    s.bars = s.registered && barred_unit[0] && chance[4] % 1000 < 37;
    s.text_length = drawn_length(names ? routed_texts : other_texts, chance[5] % 1001);
    s.title_length = names ? 78 : 36;
    s.text = phrase(chance[6], s.text_length / 3);
    s.title = phrase(chance[6] / 3, s.title_length / 3);
    s.source = sources[chance[1] / 8 % (unsigned)source_count].id;
    return s;
}

// Messages ---------------------------------------------------------------------------------------------------------------

void submission_id(char out[32], long number) { write_text(out, 32, "f%07x%x-%ld", opt.run & 0xFFFFFFF, (unsigned)opt.round, number); }

void accused_part(buffer *to, const char *name, const char *organ, const char *position, const char *level, const char *region) {
    add_text(to, "{\"level\":\"%s\",\"name\":\"%s\",\"organ\":\"%s\",\"position\":\"%s\",\"region\":\"%s\"}", level, name, organ, position, region);
}

void add_tail(buffer *to, const char *id, const char *in_reply_to, const char *source, const char *subject, const char *time,
    const char *type) {
    add_text(to, ",\"datacontenttype\":\"application/json\",\"id\":\"%s\",", id);
    if (in_reply_to) add_text(to, "\"inreplyto\":\"%s\",", in_reply_to);
    add_text(to, "\"source\":\"%s\",\"specversion\":\"1.0\",\"subject\":\"%s\",\"time\":\"%s\",\"type\":\"%s\"}", source, subject, time, type);
}

void add_submission(buffer *to, long number, const shape *s) {
    char id[32], time[32], source[64];
    submission_id(id, number);
    write_instant(time, wall_microseconds());
    write_text(source, sizeof source, "source.%s", s->source);
    add_text(to, "{\"data\":{\"accused\":[");
    for (int i = 0; i < s->accused; i++) {
        if (i > 0) add_text(to, ",");
        char name[10], organ[37], position[13];
        write_text(name, sizeof name, "%.9s", s->text);
        write_text(organ, sizeof organ, "%.33s", s->text + 9);
        write_text(position, sizeof position, "%.12s", s->text + 45);
        accused_part(to, name, organ, position, "county", "p-c03-d01");
    }
    add_text(to, "],\"allegations\":[");
    for (int i = 0; i < s->allegations; i++)
        add_text(to, "%s{\"act\":\"%.57s\",\"category\":\"corruption\"}", i > 0 ? "," : "", s->text + 60);
    add_text(to, "],\"attachments\":[],\"matterKind\":\"accusation\",\"receivedAt\":\"%s\",\"region\":\"p-c03-d01\",\"reporters\":[", time);
    // Half of the reporters give their names.
    if (number % 2 == 0)
        add_text(to, "{\"address\":\"%.60s\",\"idNumber\":\"430000190001010000\",\"name\":\"%.9s\",\"phone\":\"19900000000\"}",
            s->text + 120, s->text + 99);
    add_text(to, "],\"text\":\"");
    add_bytes(to, s->text, (size_t)s->text_length);
    add_text(to, "\",\"title\":\"%.*s\"}", s->title_length, s->title);
    add_tail(to, id, NULL, source, id, time, "bihuan.report.submitted.v1");
}

const char *event_id(const amqp_bytes_t *body, size_t *length) {
    // The fields after the data are short, and no data ends in such a key.
    enum { TAIL_MAX = 420 };
    static const char key[] = ",\"id\":\"";
    const char *start = body->bytes, *end = start + body->len;
    const char *from = body->len > TAIL_MAX ? end - TAIL_MAX : start;
    const char *found = memmem(from, (size_t)(end - from), key, sizeof key - 1);
    if (!found) die("a message without an id");
    found += sizeof key - 1;
    const char *quote = memchr(found, '"', (size_t)(end - found));
    if (!quote) die("a message whose id has no end");
    *length = (size_t)(quote - found);
    return found;
}
