-- The tables of the closed loop. The owner runs this file; each worker has a role of its own, which may do what the GRANTs at the
-- end say and nothing else. Names of constraints are part of the design: docs/architecture.md maps invariants to them.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['bihuan_worker', 'bihuan_intake', 'bihuan_routing', 'bihuan_deadlines', 'bihuan_feedback', 'bihuan_operator']
    LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN EXECUTE format('CREATE ROLE %I NOLOGIN', name); END IF;
        EXCEPTION
            -- Roles belong to the whole cluster: the migration of another database was quicker.
            WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
END $$;

-- The office and the parties it knows -------------------------------------------------------------------------------------

-- One row: the office itself, which has a ledger chain of its own.
CREATE TABLE office (
    id          integer PRIMARY KEY DEFAULT 1 CONSTRAINT office_is_one CHECK (id = 1),
    name        text NOT NULL,
    chain       uuid NOT NULL,
    head        bytea NOT NULL,
    entry_count integer NOT NULL,
    -- The time of the chain's last entry: no later one is of an earlier time. Likewise below.
    head_at     timestamptz
);

-- By which the secret that the database was first written with is told from another: an HMAC of a constant, of the vault the
-- SHA-256 of its public key. It opens nothing.
CREATE TABLE secret_check (
    -- `vault`, `digest`, or a kind of box.
    name  text PRIMARY KEY,
    value bytea NOT NULL
);

CREATE TABLE policy_version (
    name      text NOT NULL,
    version   integer NOT NULL,
    digest    bytea NOT NULL,
    yaml      text NOT NULL,
    loaded_at timestamptz NOT NULL,
    CONSTRAINT policy_version_once PRIMARY KEY (name, version)
);

-- Which version decides, since when and by whose hand: the last row counts. Entered by the owner, or by a person's command; read by
-- every lane.
CREATE TABLE policy_activation (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL,
    version      integer NOT NULL,
    activated_at timestamptz NOT NULL,
    activated_by text NOT NULL,
    CONSTRAINT policy_activation_of_a_version FOREIGN KEY (name, version) REFERENCES policy_version
);

CREATE TABLE unit (
    id          text PRIMARY KEY CONSTRAINT unit_id_is_a_name CHECK (id ~ '^[a-z0-9-]{1,40}$'),
    name        text NOT NULL,
    kind        text NOT NULL,
    region      text,
    levels      text[] NOT NULL DEFAULT '{}',
    parent      text REFERENCES unit,
    active      boolean NOT NULL DEFAULT true,
    sealing_key bytea,
    chain       uuid NOT NULL UNIQUE,
    head        bytea NOT NULL,
    entry_count integer NOT NULL,
    head_at     timestamptz
);

-- Every unit with each unit above it and with itself. The barrier asks it, so it never lags behind: whoever enters or moves a unit
-- changes it in the same statement.
CREATE TABLE unit_closure (
    ancestor   text NOT NULL REFERENCES unit,
    descendant text NOT NULL REFERENCES unit,
    depth      integer NOT NULL,
    PRIMARY KEY (ancestor, descendant)
);

CREATE FUNCTION unit_stands_in_tree() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- One at a time: each sees what the other did.
    LOCK TABLE unit_closure IN SHARE ROW EXCLUSIVE MODE;
    IF EXISTS (
        WITH RECURSIVE above (ancestor, depth) AS (
            SELECT parent, 1 FROM unit WHERE parent IS NOT NULL
            UNION
            SELECT unit.parent, above.depth + 1 FROM above JOIN unit ON unit.id = above.ancestor
            WHERE unit.parent IS NOT NULL AND above.depth <= 32
        ) SELECT FROM above WHERE depth > 32
    ) THEN
        RAISE EXCEPTION 'a unit stands below itself, or below more than 32 others'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'unit_stands_in_tree';
    END IF;
    WITH RECURSIVE above (ancestor, descendant, depth) AS (
        SELECT id, id, 0 FROM unit
        UNION ALL
        SELECT unit.parent, above.descendant, above.depth + 1 FROM above JOIN unit ON unit.id = above.ancestor
        WHERE unit.parent IS NOT NULL
    ), gone AS (DELETE FROM unit_closure c WHERE NOT EXISTS (
        SELECT FROM above a WHERE a.ancestor = c.ancestor AND a.descendant = c.descendant))
    INSERT INTO unit_closure SELECT * FROM above
    ON CONFLICT (ancestor, descendant) DO UPDATE SET depth = excluded.depth WHERE unit_closure.depth <> excluded.depth;
    RETURN NULL;
END $$;

CREATE TRIGGER unit_stands_in_tree AFTER INSERT OR UPDATE OF parent ON unit FOR EACH STATEMENT EXECUTE FUNCTION unit_stands_in_tree();

CREATE TABLE source (
    id   text PRIMARY KEY CONSTRAINT source_id_is_a_name CHECK (id ~ '^[a-z0-9-]{1,40}$'),
    name text NOT NULL,
    kind text NOT NULL,
    -- The unit that reports through this source, where it is one.
    unit text REFERENCES unit
);

CREATE TABLE person (
    id     text PRIMARY KEY CONSTRAINT person_id_is_a_name CHECK (id ~ '^[a-z0-9-]{1,40}$'),
    name   text NOT NULL,
    unit   text REFERENCES unit,
    roles  text[] NOT NULL DEFAULT '{}',
    active boolean NOT NULL DEFAULT true
);

-- A person who has a stake in what is reported about somebody.
CREATE TABLE recusal (
    person       text NOT NULL REFERENCES person,
    accused_name text NOT NULL,
    reason       text NOT NULL,
    PRIMARY KEY (person, accused_name)
);

-- Working days by edition. Empty until a calendar is loaded: until then the policy reader refuses working days.
CREATE TABLE calendar_day (
    calendar  text NOT NULL,
    edition   integer NOT NULL,
    day       date NOT NULL,
    working   boolean NOT NULL,
    published boolean NOT NULL,
    PRIMARY KEY (calendar, edition, day)
);

-- Reports -------------------------------------------------------------------------------------------------------------------

CREATE SEQUENCE report_number;

-- Narrow, because every act on a case locks and rewrites this row; what was written stands in report_text.
CREATE TABLE report (
    id            uuid PRIMARY KEY,
    number        bigint NOT NULL CONSTRAINT report_number_once UNIQUE,
    source        text NOT NULL,
    source_id     text NOT NULL,
    -- Here and below: keyed, since from a plain digest a name is found by trying names.
    digest        bytea NOT NULL,
    state         text NOT NULL CONSTRAINT report_state_known CHECK (state IN (
                      'registered', 'needs_review', 'linked_as_repeat', 'not_accepted', 'referred', 'passed_up', 'routed',
                      'in_hand', 'concluded', 'closed')),
    source_kind   text NOT NULL,
    matter_kind   text,
    region        text,
    real_name     boolean NOT NULL,
    received_at   timestamptz NOT NULL,
    registered_at timestamptz NOT NULL,
    -- How it was registered, and by which row: the verdict that a repeat of the submission gets again.
    verdict       text NOT NULL,
    rule          text NOT NULL,
    -- Why a person must look at it.
    reason        text,
    authority     text,
    repeat_of     uuid REFERENCES report,
    -- The source's own unit is barred: it got a bare receipt and gets no more.
    receipt_only         boolean NOT NULL DEFAULT false,
    -- Of what is passed up sealed: the one person who is told when it waits too long.
    custodian     text REFERENCES person,
    handoff_count integer NOT NULL DEFAULT 0,
    -- Announced with it; they travel apart.
    papers        integer NOT NULL DEFAULT 0,
    head          bytea NOT NULL,
    entry_count   integer NOT NULL,
    head_at       timestamptz,
    CONSTRAINT report_one_per_submission UNIQUE (source, source_id),
    CONSTRAINT report_repeat_names_its_twin CHECK ((state = 'linked_as_repeat') = (repeat_of IS NOT NULL)),
    CONSTRAINT report_decided_by_a_rule CHECK (rule <> '')
) WITH (fillfactor = 70);

-- Here and below, `toast_tuple_target`: a text of usual length stays in its row. Elsewhere, and compressed, it would cost two more
-- rows, their index entries, and time in vain, since sealed bytes do not shrink and a letter waits for milliseconds only.

-- Masked: the reporter's own names, numbers and addresses are replaced.
CREATE TABLE report_text (
    report_id uuid PRIMARY KEY REFERENCES report,
    title     text NOT NULL,
    body      text NOT NULL
) WITH (toast_tuple_target = 8160);

-- The original bytes of the submission, encrypted under a key of the report's own.
CREATE TABLE vault (
    report_id uuid PRIMARY KEY REFERENCES report,
    sealed    bytea NOT NULL
) WITH (toast_tuple_target = 8160);

-- One key for each process and hour of intake, sealed for a public key. A rotation seals these rows anew, and no report.
CREATE TABLE epoch_key (
    id        uuid PRIMARY KEY,
    -- The id of the public key.
    recipient text NOT NULL,
    sealed    bytea NOT NULL,
    made_at   timestamptz NOT NULL
);

-- The report's own key, under the epoch's. Who deletes a row makes exactly that report's original unreadable.
CREATE TABLE report_key (
    report_id uuid PRIMARY KEY,
    epoch_id  uuid NOT NULL REFERENCES epoch_key,
    wrapped   bytea NOT NULL
);

CREATE TABLE accused (
    report_id uuid NOT NULL REFERENCES report,
    ordinal   integer NOT NULL,
    name      text NOT NULL,
    organ     text,
    position  text,
    level     text,
    region    text,
    unit      text,
    PRIMARY KEY (report_id, ordinal)
);

CREATE TABLE allegation (
    report_id uuid NOT NULL REFERENCES report,
    ordinal   integer NOT NULL,
    category  text,
    act       text NOT NULL,
    PRIMARY KEY (report_id, ordinal)
);

-- Papers announced with a report; received_at stays empty while they are pending. `paper` is a keyed digest of the announced
-- SHA-256, which stands sealed only: what a small paper says could be found by it.
CREATE TABLE attachment (
    report_id   uuid NOT NULL REFERENCES report,
    ordinal     integer NOT NULL,
    name        text NOT NULL,
    media_type  text,
    bytes       bigint NOT NULL,
    paper       bytea NOT NULL,
    sha256      bytea NOT NULL,
    received_at timestamptz,
    -- Of a paper that is not whole: parts that nobody closes are not kept for ever.
    first_part_at timestamptz,
    PRIMARY KEY (report_id, ordinal)
);
CREATE INDEX attachment_unfinished ON attachment (first_part_at) WHERE first_part_at IS NOT NULL;

-- The pieces of papers, encrypted; of a paper that is not whole yet those that came.
CREATE TABLE attachment_part (
    report_id uuid NOT NULL REFERENCES report,
    paper     bytea NOT NULL,
    part      integer NOT NULL CONSTRAINT attachment_part_counted_from_one CHECK (part >= 1),
    digest    bytea NOT NULL,
    key_id    text NOT NULL,
    sealed    bytea NOT NULL,
    CONSTRAINT attachment_part_once PRIMARY KEY (report_id, paper, part)
);

-- Of papers that were passed up sealed with their report: how many pieces, and of how many bytes. Nothing else of them is kept.
CREATE TABLE sealed_papers (
    report_id uuid PRIMARY KEY REFERENCES report,
    parts     bigint NOT NULL,
    bytes     bigint NOT NULL
);

-- Units that the accused belong to or lead. Nothing of the report may reach them, nor what stands below them at the time.
CREATE TABLE barred_root (
    report_id uuid NOT NULL REFERENCES report,
    unit      text NOT NULL,
    PRIMARY KEY (report_id, unit)
);

-- Who said the same before: by a keyed digest of reporter (or accused) and text.
CREATE TABLE repeat_key (
    key       bytea PRIMARY KEY,
    report_id uuid NOT NULL
);

-- Handoffs and clocks -------------------------------------------------------------------------------------------------------

CREATE TABLE handoff (
    id              uuid PRIMARY KEY,
    report_id       uuid NOT NULL REFERENCES report,
    attempt         integer NOT NULL,
    unit            text NOT NULL REFERENCES unit,
    kind            text NOT NULL,
    state           text NOT NULL CONSTRAINT handoff_state_known CHECK (state IN (
                        'awaiting_approval', 'released', 'dispatched', 'signed', 'in_hand', 'case_filed', 'concluded', 'closed',
                        'returned', 'recalled', 'undeliverable')),
    express         boolean NOT NULL,
    rule            text NOT NULL CONSTRAINT handoff_decided_by_a_rule CHECK (rule <> ''),
    -- SHA-256 of the body that was sent, which the unit repeats when it signs.
    digest          bytea NOT NULL,
    released_at     timestamptz,
    dispatched_at   timestamptz,
    signed_at       timestamptz,
    signed_by       text,
    disposition     text,
    case_number     text,
    case_filed_on   date,
    case_notified_at timestamptz,
    outcome         text,
    concluded_at    timestamptz,
    times_sent_back integer NOT NULL DEFAULT 0,
    ended_at        timestamptz,
    ended_because   text,
    running_clocks  integer NOT NULL,
    no_clock_reason text,
    CONSTRAINT handoff_attempt_once UNIQUE (report_id, attempt),
    CONSTRAINT handoff_signed_by_its_unit CHECK (
        -- Both or neither, asked first: a comparison with NULL would let a CHECK pass.
        (signed_at IS NULL) = (signed_by IS NULL) AND (signed_by IS NULL OR signed_by = 'unit.' || unit)),
    CONSTRAINT handoff_has_clock_or_reason CHECK (
        state IN ('closed', 'returned', 'recalled', 'undeliverable') OR running_clocks > 0 OR no_clock_reason IS NOT NULL)
) WITH (fillfactor = 60);

-- The body of a handoff's message, made and stored once, encrypted under a key that routing holds. What is approved, sent and sent
-- again are these bytes. A body may be deleted: no chain holds it. Nothing is kept of what was passed up sealed.
CREATE TABLE handoff_body (
    handoff_id uuid PRIMARY KEY REFERENCES handoff,
    -- The id of the event, the same however often it is sent.
    event_id   uuid NOT NULL,
    key_id     text NOT NULL,
    sealed     bytea NOT NULL
) WITH (toast_tuple_target = 8160);

-- What acts said: progress, dispositions, case numbers, reasons of returns and recalls, summaries. One for each act but signatures,
-- whose second the state refuses: by it an act is known that the inbox was pruned of.
CREATE TABLE handoff_note (
    handoff_id uuid NOT NULL REFERENCES handoff,
    sender     text NOT NULL,
    event_id   text NOT NULL,
    kind       text NOT NULL,
    written_at timestamptz NOT NULL,
    body       text NOT NULL,
    CONSTRAINT handoff_note_once PRIMARY KEY (handoff_id, sender, event_id)
);

-- What a debtor owes, and until when. A clock belongs to a subject: a report (with the handoff that it watches), a unit or the
-- office, whose row is locked before the clock is touched.
CREATE TABLE clock (
    id           uuid PRIMARY KEY,
    subject      text NOT NULL CONSTRAINT clock_subject_known CHECK (subject IN ('report', 'unit', 'office')),
    report_id    uuid,
    handoff_id   uuid REFERENCES handoff,
    unit         text REFERENCES unit,
    -- `sign`, `feedback`, `overdue`; or a row of the policy's duties.
    duty         text NOT NULL,
    -- Of a handoff's clock the round: a conclusion that was sent back starts its clocks again. Of a duty `2026-11`, `2026-Q3`.
    period       text NOT NULL,
    owed_by      text NOT NULL CONSTRAINT clock_debtor_known CHECK (
                     owed_by = 'office' OR owed_by ~ '^(unit|person)\.[a-z0-9-]{1,40}$'),
    -- The inputs, from which rules derive every date: the row, the start, the edition of the calendar, what does not count
    -- (`from/until`) and by which lengths the limit was extended.
    rule         text NOT NULL CONSTRAINT clock_explained_by_a_rule CHECK (rule <> ''),
    citation     text,
    started_at   timestamptz NOT NULL,
    calendar     text,
    pauses       text[] NOT NULL DEFAULT '{}',
    extensions   text[] NOT NULL DEFAULT '{}',
    -- Derived.
    due_at       timestamptz NOT NULL,
    next_step    integer NOT NULL,
    -- When it must be looked at: for the next step of its ladder, or again after a fault; empty when it or its ladder ended.
    next_at      timestamptz,
    -- Why it cannot be worked on.
    set_aside    text,
    ended_at     timestamptz,
    ended_because text,
    ended_by     text,
    CONSTRAINT clock_once UNIQUE NULLS NOT DISTINCT (report_id, handoff_id, unit, duty, period),
    CONSTRAINT clock_names_its_subject CHECK (
        (subject = 'report') = (report_id IS NOT NULL) AND (subject = 'unit') = (unit IS NOT NULL)
        AND (handoff_id IS NULL OR report_id IS NOT NULL)),
    CONSTRAINT clock_ended_has_no_step CHECK (ended_at IS NULL OR next_at IS NULL),
    CONSTRAINT clock_ended_for_a_reason CHECK ((ended_at IS NULL) = (ended_because IS NULL)),
    CONSTRAINT clock_due_after_start CHECK (due_at >= started_at)
) WITH (fillfactor = 80);

-- A sweep costs what is due, not what exists.
CREATE INDEX clock_due ON clock (next_at) WHERE next_at IS NOT NULL;
-- Duties that are owed, and those of a unit.
CREATE INDEX clock_of_duty ON clock (duty, period, unit) WHERE handoff_id IS NULL;
CREATE INDEX clock_set_aside ON clock (id) WHERE set_aside IS NOT NULL;

-- A step of a ladder happens once.
CREATE TABLE clock_step (
    clock_id uuid NOT NULL,
    step     integer NOT NULL,
    action   text NOT NULL,
    taken_at timestamptz NOT NULL,
    CONSTRAINT clock_step_once PRIMARY KEY (clock_id, step)
);

-- Up to which period the clocks of a duty are open. The first row is written when the duty is first seen: it begins with the
-- period that is then running. `each` is the length of its periods, since a new version of the policy may change it.
CREATE TABLE duty_opening (
    duty      text NOT NULL,
    each      text NOT NULL,
    period    text NOT NULL,
    opened_at timestamptz NOT NULL,
    CONSTRAINT duty_opening_once PRIMARY KEY (duty, each)
);

-- The office's own notices are rows.
CREATE TABLE person_notice (
    id         uuid PRIMARY KEY,
    person     text NOT NULL REFERENCES person,
    -- What it is about: a report, and a handoff of it; or a clock of a unit's or the office's own duty; or a duty as such.
    report_id  uuid,
    handoff_id uuid,
    clock_id   uuid,
    kind       text NOT NULL,
    rule       text NOT NULL,
    created_at timestamptz NOT NULL,
    seen_at    timestamptz
);

-- A command of a person that waits until a second one approves it, as it was sent. It belongs to the report that it is about, or to
-- the office, whose row is locked before it; its clock is the one with its id as period.
CREATE TABLE approval (
    id          uuid PRIMARY KEY,
    act         text NOT NULL,
    -- The worker that heard the command and carries it out.
    worker      text NOT NULL,
    report_id   uuid REFERENCES report,
    handoff_id  uuid REFERENCES handoff,
    command     bytea NOT NULL,
    -- Of which the second person needs one.
    roles       text[] NOT NULL,
    rule        text NOT NULL CONSTRAINT approval_asked_by_a_rule CHECK (rule <> ''),
    asked_by    text NOT NULL REFERENCES person,
    asked_at    timestamptz NOT NULL,
    state       text NOT NULL CONSTRAINT approval_state_known CHECK (state IN ('open', 'approved', 'rejected', 'lapsed')),
    decided_by  text REFERENCES person,
    decided_at  timestamptz,
    decided_because text,
    CONSTRAINT approval_four_eyes CHECK (decided_by <> asked_by),
    CONSTRAINT approval_decided_by_somebody CHECK (
        (state IN ('approved', 'rejected')) = (decided_by IS NOT NULL)
        AND (decided_by IS NULL) = (decided_because IS NULL) AND (state = 'open') = (decided_at IS NULL))
);
-- One request at a time for the same act on the same thing.
CREATE UNIQUE INDEX approval_open_once ON approval (act, report_id, handoff_id) NULLS NOT DISTINCT WHERE state = 'open';

-- The ledger ----------------------------------------------------------------------------------------------------------------

-- One chain per subject (a report's is its id; units and the office name theirs). hash = SHA-256(previous hash ‖ sequence as
-- eight bytes, most significant first ‖ bytes); the first entry follows 32 zero bytes.
CREATE TABLE ledger_entry (
    chain    uuid NOT NULL,
    sequence integer NOT NULL CONSTRAINT ledger_entry_starts_at_one CHECK (sequence >= 1),
    bytes    bytea NOT NULL,
    hash     bytea NOT NULL CONSTRAINT ledger_entry_hash_is_sha256 CHECK (octet_length(hash) = 32),
    CONSTRAINT ledger_entry_one_chain PRIMARY KEY (chain, sequence)
);

CREATE FUNCTION ledger_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger only grows' USING ERRCODE = 'insufficient_privilege', CONSTRAINT = 'ledger_only_grows';
END $$;

CREATE TRIGGER ledger_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_only_grows();

-- A signed statement of what stood in the ledger: the Merkle root over all entries since the checkpoint before, in the order
-- of chain and sequence. It names the checkpoint before by the SHA-256 of what was signed then (32 zero bytes for the first).
-- Made by the owner role alone.
CREATE TABLE ledger_checkpoint (
    number      integer PRIMARY KEY CONSTRAINT ledger_checkpoint_starts_at_one CHECK (number >= 1),
    signed_at   timestamptz NOT NULL,
    entry_count bigint NOT NULL CONSTRAINT ledger_checkpoint_covers_something CHECK (entry_count >= 1),
    root        bytea NOT NULL CONSTRAINT ledger_checkpoint_root_is_sha256 CHECK (octet_length(root) = 32),
    previous    bytea NOT NULL CONSTRAINT ledger_checkpoint_previous_is_sha256 CHECK (octet_length(previous) = 32),
    public_key  bytea NOT NULL CONSTRAINT ledger_checkpoint_key_is_ed25519 CHECK (octet_length(public_key) = 32),
    signature   bytea NOT NULL CONSTRAINT ledger_checkpoint_signature_is_ed25519 CHECK (octet_length(signature) = 64)
);

-- Which entries a checkpoint covers: of each chain that had grown, those from first to last.
CREATE TABLE ledger_checkpoint_range (
    chain          uuid NOT NULL,
    first_sequence integer NOT NULL,
    last_sequence  integer NOT NULL,
    -- Written before its checkpoint, whose root is computed from what the ranges say; looked up at the commit.
    checkpoint     integer NOT NULL REFERENCES ledger_checkpoint DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ledger_checkpoint_range_once PRIMARY KEY (chain, first_sequence),
    CONSTRAINT ledger_checkpoint_range_has_entries CHECK (first_sequence >= 1 AND last_sequence >= first_sequence)
);
CREATE INDEX ledger_checkpoint_range_by_checkpoint ON ledger_checkpoint_range (checkpoint, chain);

CREATE TRIGGER ledger_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_only_grows();
CREATE TRIGGER ledger_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_checkpoint_range
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_only_grows();

-- What is new ---------------------------------------------------------------------------------------------------------------

-- Which chains a transaction appended to: one row for each statement that adds entries, so one for each transaction of a worker.
-- docs/ledger.md describes how it is read. A batch of usual size stays in its row.
CREATE TABLE change_log (
    xid      xid8 NOT NULL DEFAULT pg_current_xact_id(),
    subjects uuid[] NOT NULL
) WITH (toast_tuple_target = 8160);
CREATE INDEX change_log_by_xid ON change_log (xid);

-- Who reads the log, and up to where: all rows below its horizon were read. `incarnation` names the cluster and the database in
-- which the horizon was taken; in another one, such as a restored dump, it means nothing.
CREATE TABLE change_reader (
    name        text PRIMARY KEY,
    incarnation text NOT NULL,
    horizon     xid8 NOT NULL,
    -- It has not read the whole ledger yet: until it has, everything is new, and the log is kept from the horizon on.
    starts_anew boolean NOT NULL,
    read_at     timestamptz NOT NULL
);

-- As the owner, and into this table whatever the session's search path says: a worker can neither forget a row nor forge one.
CREATE FUNCTION ledger_entry_is_logged() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO public.change_log (subjects) SELECT array_agg(DISTINCT chain) FROM written HAVING count(*) > 0;
    RETURN NULL;
END $$;

CREATE TRIGGER ledger_entry_is_logged AFTER INSERT ON ledger_entry
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_is_logged();
-- Also in a session that switched triggers off in order to fill tables.
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER ledger_entry_is_logged;

-- Messages ------------------------------------------------------------------------------------------------------------------

-- Twice equals once: the act is known by who sent it and its id.
CREATE TABLE inbox (
    sender      text NOT NULL,
    event_id    text NOT NULL,
    digest      bytea NOT NULL,
    verdict     text NOT NULL CONSTRAINT inbox_verdict_known CHECK (verdict IN ('taken', 'refused', 'held', 'dead')),
    -- The answer as it was sent, so that a repeat gets the same bytes again.
    reply_type  text,
    reply       bytea,
    subject     text NOT NULL,
    report_id   uuid,
    received_at timestamptz NOT NULL,
    CONSTRAINT inbox_once PRIMARY KEY (sender, event_id),
    CONSTRAINT inbox_reply_has_type CHECK ((reply IS NULL) = (reply_type IS NULL))
);

-- Messages a lane is about to send, append-only; a confirmed row is deleted.
CREATE TABLE outbox (
    event_id    uuid PRIMARY KEY,
    worker      text NOT NULL,
    lane        text NOT NULL,
    exchange    text NOT NULL,
    routing_key text NOT NULL,
    type        text NOT NULL CONSTRAINT outbox_carries_no_submission CHECK (type <> 'bihuan.report.submitted.v1'),
    subject     text NOT NULL,
    addressee   text NOT NULL CONSTRAINT outbox_names_addressee CHECK (addressee ~ '^(unit|source|person|office)\.[a-z0-9-]{1,40}$'),
    reports     uuid[] NOT NULL,
    handoff_id  uuid,
    body        bytea,
    -- The handoff whose stored body is to be sent.
    body_of     uuid REFERENCES handoff_body,
    created_at  timestamptz NOT NULL,
    CONSTRAINT outbox_body_or_reference CHECK ((body IS NULL) <> (body_of IS NULL))
) WITH (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- What a lane left behind is found without a look at every page that sent letters once filled. Letters of one transaction share
-- their moment, and so an entry.
CREATE INDEX outbox_by_age ON outbox (created_at);

-- Whose the rows of a lane are: its own, or the relay's that took its place. A lease is free when its time is over, and at once
-- when the session of its holder is gone. Its time is the database's own clock: nothing of the business is decided by it.
CREATE TABLE lane_lease (
    lane          text PRIMARY KEY,
    worker        text NOT NULL,
    -- The lane that sends these rows; it renews all that it holds together.
    holder        text NOT NULL,
    backend_pid   integer NOT NULL,
    backend_start timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    -- Whether the lane reads queues of parties: then it has a share of them.
    reads         boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);

-- Which lane reads the queue of a party: one at a time. The row is free when that lane no longer holds its own name.
CREATE TABLE queue_lease (
    queue       text PRIMARY KEY,
    worker      text NOT NULL,
    lane        text NOT NULL,
    -- Of a queue that all parties once shared: it was read to its end, so that the queues of the parties may be read.
    read_to_end boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);
CREATE INDEX queue_lease_by_lane ON queue_lease (lane);

-- Ahead of its state: tried again after each event of its handoff, a bite at a time.
CREATE TABLE held_message (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sender     text NOT NULL,
    event_id   text NOT NULL,
    handoff_id uuid NOT NULL REFERENCES handoff,
    report_id  uuid NOT NULL REFERENCES report,
    type       text NOT NULL,
    key_id     text NOT NULL,
    sealed     bytea NOT NULL,
    held_at    timestamptz NOT NULL,
    -- What it waited for has come, and it has not been tried since.
    ripe       boolean NOT NULL DEFAULT false,
    CONSTRAINT held_message_once UNIQUE (sender, event_id)
);
CREATE INDEX held_message_by_report ON held_message (report_id);
CREATE INDEX held_message_by_age ON held_message (held_at) WHERE NOT ripe;
CREATE INDEX held_message_ripe ON held_message (id) WHERE ripe;

-- What a lane could not handle. The bytes are encrypted; of what cannot be read, and of what only a superior may handle, there are none,
-- but how many they were and their keyed digest.
CREATE TABLE dead_letter (
    id          uuid PRIMARY KEY,
    reason      text NOT NULL,
    detail      text NOT NULL,
    type        text,
    sender      text,
    event_id    text,
    -- Where the act stands in the inbox; empty for what the office sent itself.
    inbox_id    text,
    queue       text NOT NULL,
    routing_key text NOT NULL,
    -- Who hears commands about it.
    worker      text NOT NULL,
    -- What an office's own message was about, and to whom: the barrier is asked again before it is sent again.
    addressee   text,
    subject     text,
    reports     uuid[] NOT NULL DEFAULT '{}',
    handoff_id  uuid,
    key_id      text,
    sealed      bytea,
    digest      bytea,
    bytes       bigint NOT NULL,
    answered    boolean NOT NULL,
    received_at timestamptz NOT NULL,
    -- How often it came.
    times       integer NOT NULL DEFAULT 1,
    -- How often it was tried again and ended here again.
    replays     integer NOT NULL DEFAULT 0,
    state       text NOT NULL DEFAULT 'open' CONSTRAINT dead_letter_state_known CHECK (state IN ('open', 'replayed', 'discarded')),
    settled_at  timestamptz,
    settled_by  text,
    settled_because text,
    CONSTRAINT dead_letter_kept_or_known CHECK (
        (key_id IS NULL) = (sealed IS NULL) AND (sealed IS NULL) = (digest IS NOT NULL)),
    CONSTRAINT dead_letter_settled_by_somebody CHECK (
        (state = 'open') = (settled_at IS NULL) AND (state = 'open') = (settled_by IS NULL) AND (state = 'open') = (settled_because IS NULL))
);
CREATE INDEX dead_letter_by_age ON dead_letter (received_at, id);
CREATE INDEX dead_letter_open_of_sender ON dead_letter (coalesce(sender, '')) WHERE state = 'open';

-- How many messages of a sender were not kept as dead letters, since too many of them waited for a person already.
CREATE TABLE dead_letter_unkept (
    sender  text PRIMARY KEY,
    count   bigint NOT NULL,
    last_at timestamptz NOT NULL
);
CREATE INDEX dead_letter_by_act ON dead_letter (inbox_id) WHERE inbox_id IS NOT NULL;

-- How often a message that kept coming back was tried, written before it is tried.
CREATE TABLE attempt (
    digest   bytea PRIMARY KEY,
    count    integer NOT NULL,
    noted_at timestamptz NOT NULL
);

-- Written by a lane in which a message fails, to see whether anything commits: only then is the message to blame.
CREATE TABLE probe (
    worker    text PRIMARY KEY,
    probed_at timestamptz NOT NULL
);

-- The barrier at the one exit -----------------------------------------------------------------------------------------------

-- Fails closed: a row that names a barred unit never gets into the outbox, whatever the rules thought. Whose unit an addressee is, is
-- asked only where somebody is barred at all.
CREATE FUNCTION outbox_addressee_not_barred() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM written w
        JOIN barred_root b ON b.report_id = ANY (w.reports)
        LEFT JOIN unit_closure c ON c.ancestor = b.unit
        CROSS JOIN LATERAL (SELECT coalesce(c.descendant, b.unit)) AS barred (unit)
        WHERE (w.addressee = 'unit.' || barred.unit
            OR EXISTS (SELECT FROM source s WHERE s.unit = barred.unit AND w.addressee = 'source.' || s.id)
            OR EXISTS (SELECT FROM person p WHERE p.unit = barred.unit AND w.addressee = 'person.' || p.id))
          -- The bare receipt says nothing and may go.
          AND w.type <> 'bihuan.report.received.v1'
    ) THEN
        RAISE EXCEPTION 'the barrier: the addressee is barred'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'outbox_addressee_not_barred';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER outbox_addressee_not_barred AFTER INSERT ON outbox
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION outbox_addressee_not_barred();

CREATE FUNCTION handoff_unit_not_barred() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM written w
        JOIN barred_root b ON b.report_id = w.report_id
        LEFT JOIN unit_closure c ON c.ancestor = b.unit
        WHERE w.unit = coalesce(c.descendant, b.unit)
    ) THEN
        RAISE EXCEPTION 'the barrier: the unit is barred'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'handoff_unit_not_barred';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER handoff_unit_not_barred AFTER INSERT ON handoff
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION handoff_unit_not_barred();

-- By the person's unit alone: names of people are compared by rules, which SQL has not.
CREATE FUNCTION person_notice_not_barred() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM written w
        JOIN barred_root b ON b.report_id = w.report_id
        LEFT JOIN unit_closure c ON c.ancestor = b.unit
        JOIN person p ON p.id = w.person AND p.unit = coalesce(c.descendant, b.unit)
    ) THEN
        RAISE EXCEPTION 'the barrier: the person works in a barred unit'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'person_notice_not_barred';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER person_notice_not_barred AFTER INSERT ON person_notice
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION person_notice_not_barred();

-- What others may rely on ---------------------------------------------------------------------------------------------------

CREATE VIEW report_status AS
    SELECT source, source_id, number, state FROM report;

-- Rights --------------------------------------------------------------------------------------------------------------------

-- A role for each worker, with what its own work writes, and one for commands that only read. What all workers share stands with the
-- group that they belong to. A test compares these rights with a table, one by one.

GRANT SELECT ON ALL TABLES IN SCHEMA public TO bihuan_worker;
-- Originals are written and never read: who opens one acts as the owner, with the vault's private key.
REVOKE SELECT ON vault, report_key, epoch_key FROM bihuan_worker;
GRANT SELECT (report_id) ON vault TO bihuan_worker;

-- The lane: what comes in, what goes out, who reads which queue, what could not be handled, what was done.
GRANT INSERT ON secret_check, person_notice, ledger_entry, inbox, outbox, lane_lease, dead_letter, dead_letter_unkept, attempt, probe TO
    bihuan_worker;
GRANT UPDATE (state, matter_kind, reason, authority, handoff_count, head, entry_count, head_at) ON report TO bihuan_worker;
GRANT UPDATE (head, entry_count, head_at) ON unit, office TO bihuan_worker;
GRANT UPDATE (verdict, reply_type, reply, report_id) ON inbox TO bihuan_worker;
GRANT UPDATE (count, last_at) ON dead_letter_unkept TO bihuan_worker;
GRANT UPDATE (count, noted_at) ON attempt TO bihuan_worker;
GRANT UPDATE (holder, backend_pid, backend_start, expires_at, reads) ON lane_lease TO bihuan_worker;
GRANT UPDATE (probed_at) ON probe TO bihuan_worker;
GRANT UPDATE (times, replays, reason, detail, state, settled_at, settled_by, settled_because) ON dead_letter TO bihuan_worker;
GRANT DELETE ON outbox, lane_lease, attempt TO bihuan_worker;

-- Clocks begin and end with acts, and take their steps in a sweep.
GRANT INSERT ON clock TO bihuan_worker;
GRANT UPDATE (next_step, next_at, set_aside, ended_at, ended_because, ended_by) ON clock TO bihuan_worker;
-- Column by column: whom a handoff went to and what a rule said stays as it was written.
GRANT UPDATE (state, released_at, dispatched_at, signed_at, signed_by, disposition, case_number, case_filed_on, case_notified_at,
    outcome, concluded_at, times_sent_back, ended_at, ended_because, running_clocks, no_clock_reason) ON handoff TO bihuan_worker;

-- Intake: the only one that registers a report; and the handoff of one that is passed up sealed.
GRANT USAGE ON SEQUENCE report_number TO bihuan_intake;
GRANT INSERT ON report, report_text, vault, epoch_key, report_key, accused, allegation, attachment, attachment_part, sealed_papers,
    barred_root, repeat_key, handoff, queue_lease TO bihuan_intake;
GRANT UPDATE (received_at, first_part_at) ON attachment TO bihuan_intake;
GRANT UPDATE (parts, bytes) ON sealed_papers TO bihuan_intake;
GRANT UPDATE (lane, read_to_end) ON queue_lease TO bihuan_intake;
GRANT DELETE ON attachment_part TO bihuan_intake;

-- Routing: makes handoffs and their bodies, and bars units that were entered since. Of commands that wait for a second person each worker keeps its own.
GRANT INSERT ON handoff, handoff_body, approval, barred_root TO bihuan_routing;
GRANT UPDATE (state, decided_by, decided_at, decided_because) ON approval TO bihuan_routing;

-- Feedback: what units answer.
GRANT INSERT ON handoff_note, held_message, queue_lease, approval TO bihuan_feedback;
GRANT UPDATE (state, decided_by, decided_at, decided_because) ON approval TO bihuan_feedback;
GRANT UPDATE (ripe) ON held_message TO bihuan_feedback;
GRANT UPDATE (lane, read_to_end) ON queue_lease TO bihuan_feedback;
GRANT DELETE ON held_message TO bihuan_feedback;

-- Deadlines: the steps of clocks, and the duties that begin.
GRANT INSERT ON clock_step, duty_opening, approval TO bihuan_deadlines;
GRANT UPDATE (state, decided_by, decided_at, decided_because) ON approval TO bihuan_deadlines;
-- And a policy that a person activates: of the versions that the owner entered.
GRANT INSERT ON policy_activation TO bihuan_deadlines;
GRANT UPDATE (period, opened_at) ON duty_opening TO bihuan_deadlines;

-- Commands read what `status`, `topology`, `trace` and the lists show.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO bihuan_operator;
REVOKE SELECT ON vault, report_key, epoch_key FROM bihuan_operator;
GRANT SELECT (report_id) ON vault TO bihuan_operator;

REVOKE UPDATE, DELETE, TRUNCATE ON ledger_entry FROM PUBLIC, bihuan_worker, CURRENT_USER;
