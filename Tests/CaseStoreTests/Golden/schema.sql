CREATE FUNCTION public.handoff_unit_not_barred() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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
CREATE FUNCTION public.ledger_entry_is_logged() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    INSERT INTO public.change_log (subjects) SELECT array_agg(DISTINCT chain) FROM written HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE FUNCTION public.ledger_only_grows() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the ledger only grows' USING ERRCODE = 'insufficient_privilege', CONSTRAINT = 'ledger_only_grows';
END $$;
CREATE FUNCTION public.outbox_addressee_not_barred() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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
CREATE FUNCTION public.person_notice_not_barred() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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
CREATE FUNCTION public.unit_stands_in_tree() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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
CREATE TABLE public.accused (
    report_id uuid NOT NULL,
    ordinal integer NOT NULL,
    name text NOT NULL,
    organ text,
    "position" text,
    level text,
    region text,
    unit text
);
CREATE TABLE public.allegation (
    report_id uuid NOT NULL,
    ordinal integer NOT NULL,
    category text,
    act text NOT NULL
);
CREATE TABLE public.approval (
    id uuid NOT NULL,
    act text NOT NULL,
    worker text NOT NULL,
    report_id uuid,
    handoff_id uuid,
    command bytea NOT NULL,
    roles text[] NOT NULL,
    rule text NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    state text NOT NULL,
    decided_by text,
    decided_at timestamp with time zone,
    decided_because text,
    CONSTRAINT approval_asked_by_a_rule CHECK ((rule <> ''::text)),
    CONSTRAINT approval_decided_by_somebody CHECK ((((state = ANY (ARRAY['approved'::text, 'rejected'::text])) = (decided_by IS NOT NULL)) AND ((decided_by IS NULL) = (decided_because IS NULL)) AND ((state = 'open'::text) = (decided_at IS NULL)))),
    CONSTRAINT approval_four_eyes CHECK ((decided_by <> asked_by)),
    CONSTRAINT approval_state_known CHECK ((state = ANY (ARRAY['open'::text, 'approved'::text, 'rejected'::text, 'lapsed'::text])))
);
CREATE TABLE public.attachment (
    report_id uuid NOT NULL,
    ordinal integer NOT NULL,
    name text NOT NULL,
    media_type text,
    bytes bigint NOT NULL,
    paper bytea NOT NULL,
    sha256 bytea NOT NULL,
    received_at timestamp with time zone,
    first_part_at timestamp with time zone
);
CREATE TABLE public.attachment_part (
    report_id uuid NOT NULL,
    paper bytea NOT NULL,
    part integer NOT NULL,
    digest bytea NOT NULL,
    key_id text NOT NULL,
    sealed bytea NOT NULL,
    CONSTRAINT attachment_part_counted_from_one CHECK ((part >= 1))
);
CREATE TABLE public.attempt (
    digest bytea NOT NULL,
    count integer NOT NULL,
    noted_at timestamp with time zone NOT NULL
);
CREATE TABLE public.barred_root (
    report_id uuid NOT NULL,
    unit text NOT NULL
);
CREATE TABLE public.calendar_day (
    calendar text NOT NULL,
    edition integer NOT NULL,
    day date NOT NULL,
    working boolean NOT NULL,
    published boolean NOT NULL
);
CREATE TABLE public.change_log (
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    subjects uuid[] NOT NULL
)
WITH (toast_tuple_target='8160');
CREATE TABLE public.change_reader (
    name text NOT NULL,
    incarnation text NOT NULL,
    horizon xid8 NOT NULL,
    starts_anew boolean NOT NULL,
    read_at timestamp with time zone NOT NULL
);
CREATE TABLE public.clock (
    id uuid NOT NULL,
    subject text NOT NULL,
    report_id uuid,
    handoff_id uuid,
    unit text,
    duty text NOT NULL,
    period text NOT NULL,
    owed_by text NOT NULL,
    rule text NOT NULL,
    citation text,
    started_at timestamp with time zone NOT NULL,
    calendar text,
    pauses text[] DEFAULT '{}'::text[] NOT NULL,
    extensions text[] DEFAULT '{}'::text[] NOT NULL,
    due_at timestamp with time zone NOT NULL,
    next_step integer NOT NULL,
    next_at timestamp with time zone,
    set_aside text,
    ended_at timestamp with time zone,
    ended_because text,
    ended_by text,
    CONSTRAINT clock_debtor_known CHECK (((owed_by = 'office'::text) OR (owed_by ~ '^(unit|person)\.[a-z0-9-]{1,40}$'::text))),
    CONSTRAINT clock_due_after_start CHECK ((due_at >= started_at)),
    CONSTRAINT clock_ended_for_a_reason CHECK (((ended_at IS NULL) = (ended_because IS NULL))),
    CONSTRAINT clock_ended_has_no_step CHECK (((ended_at IS NULL) OR (next_at IS NULL))),
    CONSTRAINT clock_explained_by_a_rule CHECK ((rule <> ''::text)),
    CONSTRAINT clock_names_its_subject CHECK ((((subject = 'report'::text) = (report_id IS NOT NULL)) AND ((subject = 'unit'::text) = (unit IS NOT NULL)) AND ((handoff_id IS NULL) OR (report_id IS NOT NULL)))),
    CONSTRAINT clock_subject_known CHECK ((subject = ANY (ARRAY['report'::text, 'unit'::text, 'office'::text])))
)
WITH (fillfactor='80');
CREATE TABLE public.clock_step (
    clock_id uuid NOT NULL,
    step integer NOT NULL,
    action text NOT NULL,
    taken_at timestamp with time zone NOT NULL
);
CREATE TABLE public.dead_letter (
    id uuid NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    type text,
    sender text,
    event_id text,
    inbox_id text,
    queue text NOT NULL,
    routing_key text NOT NULL,
    worker text NOT NULL,
    addressee text,
    subject text,
    reports uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    handoff_id uuid,
    key_id text,
    sealed bytea,
    digest bytea,
    bytes bigint NOT NULL,
    answered boolean NOT NULL,
    received_at timestamp with time zone NOT NULL,
    times integer DEFAULT 1 NOT NULL,
    replays integer DEFAULT 0 NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    settled_at timestamp with time zone,
    settled_by text,
    settled_because text,
    CONSTRAINT dead_letter_kept_or_known CHECK ((((key_id IS NULL) = (sealed IS NULL)) AND ((sealed IS NULL) = (digest IS NOT NULL)))),
    CONSTRAINT dead_letter_settled_by_somebody CHECK ((((state = 'open'::text) = (settled_at IS NULL)) AND ((state = 'open'::text) = (settled_by IS NULL)) AND ((state = 'open'::text) = (settled_because IS NULL)))),
    CONSTRAINT dead_letter_state_known CHECK ((state = ANY (ARRAY['open'::text, 'replayed'::text, 'discarded'::text])))
);
CREATE TABLE public.dead_letter_unkept (
    sender text NOT NULL,
    count bigint NOT NULL,
    last_at timestamp with time zone NOT NULL
);
CREATE TABLE public.duty_opening (
    duty text NOT NULL,
    each text NOT NULL,
    period text NOT NULL,
    opened_at timestamp with time zone NOT NULL
);
CREATE TABLE public.epoch_key (
    id uuid NOT NULL,
    recipient text NOT NULL,
    sealed bytea NOT NULL,
    made_at timestamp with time zone NOT NULL
);
CREATE TABLE public.handoff (
    id uuid NOT NULL,
    report_id uuid NOT NULL,
    attempt integer NOT NULL,
    unit text NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    express boolean NOT NULL,
    rule text NOT NULL,
    digest bytea NOT NULL,
    released_at timestamp with time zone,
    dispatched_at timestamp with time zone,
    signed_at timestamp with time zone,
    signed_by text,
    disposition text,
    case_number text,
    case_filed_on date,
    case_notified_at timestamp with time zone,
    outcome text,
    concluded_at timestamp with time zone,
    times_sent_back integer DEFAULT 0 NOT NULL,
    ended_at timestamp with time zone,
    ended_because text,
    running_clocks integer NOT NULL,
    no_clock_reason text,
    CONSTRAINT handoff_decided_by_a_rule CHECK ((rule <> ''::text)),
    CONSTRAINT handoff_has_clock_or_reason CHECK (((state = ANY (ARRAY['closed'::text, 'returned'::text, 'recalled'::text, 'undeliverable'::text])) OR (running_clocks > 0) OR (no_clock_reason IS NOT NULL))),
    CONSTRAINT handoff_signed_by_its_unit CHECK ((((signed_at IS NULL) = (signed_by IS NULL)) AND ((signed_by IS NULL) OR (signed_by = ('unit.'::text || unit))))),
    CONSTRAINT handoff_state_known CHECK ((state = ANY (ARRAY['awaiting_approval'::text, 'released'::text, 'dispatched'::text, 'signed'::text, 'in_hand'::text, 'case_filed'::text, 'concluded'::text, 'closed'::text, 'returned'::text, 'recalled'::text, 'undeliverable'::text])))
)
WITH (fillfactor='60');
CREATE TABLE public.handoff_body (
    handoff_id uuid NOT NULL,
    event_id uuid NOT NULL,
    key_id text NOT NULL,
    sealed bytea NOT NULL
)
WITH (toast_tuple_target='8160');
CREATE TABLE public.handoff_note (
    handoff_id uuid NOT NULL,
    sender text NOT NULL,
    event_id text NOT NULL,
    kind text NOT NULL,
    written_at timestamp with time zone NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.held_message (
    id bigint NOT NULL,
    sender text NOT NULL,
    event_id text NOT NULL,
    handoff_id uuid NOT NULL,
    report_id uuid NOT NULL,
    type text NOT NULL,
    key_id text NOT NULL,
    sealed bytea NOT NULL,
    held_at timestamp with time zone NOT NULL,
    ripe boolean DEFAULT false NOT NULL
);
ALTER TABLE public.held_message ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.held_message_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.inbox (
    sender text NOT NULL,
    event_id text NOT NULL,
    digest bytea NOT NULL,
    verdict text NOT NULL,
    reply_type text,
    reply bytea,
    subject text NOT NULL,
    report_id uuid,
    received_at timestamp with time zone NOT NULL,
    CONSTRAINT inbox_reply_has_type CHECK (((reply IS NULL) = (reply_type IS NULL))),
    CONSTRAINT inbox_verdict_known CHECK ((verdict = ANY (ARRAY['taken'::text, 'refused'::text, 'held'::text, 'dead'::text])))
);
CREATE TABLE public.lane_lease (
    lane text NOT NULL,
    worker text NOT NULL,
    holder text NOT NULL,
    backend_pid integer NOT NULL,
    backend_start timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    reads boolean DEFAULT false NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE public.ledger_checkpoint (
    number integer NOT NULL,
    signed_at timestamp with time zone NOT NULL,
    entry_count bigint NOT NULL,
    root bytea NOT NULL,
    previous bytea NOT NULL,
    public_key bytea NOT NULL,
    signature bytea NOT NULL,
    CONSTRAINT ledger_checkpoint_covers_something CHECK ((entry_count >= 1)),
    CONSTRAINT ledger_checkpoint_key_is_ed25519 CHECK ((octet_length(public_key) = 32)),
    CONSTRAINT ledger_checkpoint_previous_is_sha256 CHECK ((octet_length(previous) = 32)),
    CONSTRAINT ledger_checkpoint_root_is_sha256 CHECK ((octet_length(root) = 32)),
    CONSTRAINT ledger_checkpoint_signature_is_ed25519 CHECK ((octet_length(signature) = 64)),
    CONSTRAINT ledger_checkpoint_starts_at_one CHECK ((number >= 1))
);
CREATE TABLE public.ledger_checkpoint_range (
    chain uuid NOT NULL,
    first_sequence integer NOT NULL,
    last_sequence integer NOT NULL,
    checkpoint integer NOT NULL,
    CONSTRAINT ledger_checkpoint_range_has_entries CHECK (((first_sequence >= 1) AND (last_sequence >= first_sequence)))
);
CREATE TABLE public.ledger_entry (
    chain uuid NOT NULL,
    sequence integer NOT NULL,
    bytes bytea NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT ledger_entry_hash_is_sha256 CHECK ((octet_length(hash) = 32)),
    CONSTRAINT ledger_entry_starts_at_one CHECK ((sequence >= 1))
);
CREATE TABLE public.office (
    id integer DEFAULT 1 NOT NULL,
    name text NOT NULL,
    chain uuid NOT NULL,
    head bytea NOT NULL,
    entry_count integer NOT NULL,
    head_at timestamp with time zone,
    CONSTRAINT office_is_one CHECK ((id = 1))
);
CREATE TABLE public.outbox (
    event_id uuid NOT NULL,
    worker text NOT NULL,
    lane text NOT NULL,
    exchange text NOT NULL,
    routing_key text NOT NULL,
    type text NOT NULL,
    subject text NOT NULL,
    addressee text NOT NULL,
    reports uuid[] NOT NULL,
    handoff_id uuid,
    body bytea,
    body_of uuid,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT outbox_body_or_reference CHECK (((body IS NULL) <> (body_of IS NULL))),
    CONSTRAINT outbox_carries_no_submission CHECK ((type <> 'bihuan.report.submitted.v1'::text)),
    CONSTRAINT outbox_names_addressee CHECK ((addressee ~ '^(unit|source|person|office)\.[a-z0-9-]{1,40}$'::text))
)
WITH (toast_tuple_target='8160', autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_cost_delay='0');
CREATE TABLE public.person (
    id text NOT NULL,
    name text NOT NULL,
    unit text,
    roles text[] DEFAULT '{}'::text[] NOT NULL,
    active boolean DEFAULT true NOT NULL,
    CONSTRAINT person_id_is_a_name CHECK ((id ~ '^[a-z0-9-]{1,40}$'::text))
);
CREATE TABLE public.person_notice (
    id uuid NOT NULL,
    person text NOT NULL,
    report_id uuid,
    handoff_id uuid,
    clock_id uuid,
    kind text NOT NULL,
    rule text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone
);
CREATE TABLE public.policy_activation (
    number bigint NOT NULL,
    name text NOT NULL,
    version integer NOT NULL,
    activated_at timestamp with time zone NOT NULL,
    activated_by text NOT NULL
);
ALTER TABLE public.policy_activation ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.policy_activation_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.policy_version (
    name text NOT NULL,
    version integer NOT NULL,
    digest bytea NOT NULL,
    yaml text NOT NULL,
    loaded_at timestamp with time zone NOT NULL
);
CREATE TABLE public.probe (
    worker text NOT NULL,
    probed_at timestamp with time zone NOT NULL
);
CREATE TABLE public.queue_lease (
    queue text NOT NULL,
    worker text NOT NULL,
    lane text NOT NULL,
    read_to_end boolean DEFAULT false NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE public.recusal (
    person text NOT NULL,
    accused_name text NOT NULL,
    reason text NOT NULL
);
CREATE TABLE public.repeat_key (
    key bytea NOT NULL,
    report_id uuid NOT NULL
);
CREATE TABLE public.report (
    id uuid NOT NULL,
    number bigint NOT NULL,
    source text NOT NULL,
    source_id text NOT NULL,
    digest bytea NOT NULL,
    state text NOT NULL,
    source_kind text NOT NULL,
    matter_kind text,
    region text,
    real_name boolean NOT NULL,
    received_at timestamp with time zone NOT NULL,
    registered_at timestamp with time zone NOT NULL,
    verdict text NOT NULL,
    rule text NOT NULL,
    reason text,
    authority text,
    repeat_of uuid,
    receipt_only boolean DEFAULT false NOT NULL,
    custodian text,
    handoff_count integer DEFAULT 0 NOT NULL,
    papers integer DEFAULT 0 NOT NULL,
    head bytea NOT NULL,
    entry_count integer NOT NULL,
    head_at timestamp with time zone,
    CONSTRAINT report_decided_by_a_rule CHECK ((rule <> ''::text)),
    CONSTRAINT report_repeat_names_its_twin CHECK (((state = 'linked_as_repeat'::text) = (repeat_of IS NOT NULL))),
    CONSTRAINT report_state_known CHECK ((state = ANY (ARRAY['registered'::text, 'needs_review'::text, 'linked_as_repeat'::text, 'not_accepted'::text, 'referred'::text, 'passed_up'::text, 'routed'::text, 'in_hand'::text, 'concluded'::text, 'closed'::text])))
)
WITH (fillfactor='70');
CREATE TABLE public.report_key (
    report_id uuid NOT NULL,
    epoch_id uuid NOT NULL,
    wrapped bytea NOT NULL
);
CREATE SEQUENCE public.report_number
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE VIEW public.report_status AS
 SELECT report.source,
    report.source_id,
    report.number,
    report.state
   FROM public.report;
CREATE TABLE public.report_text (
    report_id uuid NOT NULL,
    title text NOT NULL,
    body text NOT NULL
)
WITH (toast_tuple_target='8160');
CREATE TABLE public.schema_migration (
    name text NOT NULL,
    checksum bytea NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.sealed_papers (
    report_id uuid NOT NULL,
    parts bigint NOT NULL,
    bytes bigint NOT NULL
);
CREATE TABLE public.secret_check (
    name text NOT NULL,
    value bytea NOT NULL
);
CREATE TABLE public.source (
    id text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    unit text,
    CONSTRAINT source_id_is_a_name CHECK ((id ~ '^[a-z0-9-]{1,40}$'::text))
);
CREATE TABLE public.unit (
    id text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    region text,
    levels text[] DEFAULT '{}'::text[] NOT NULL,
    parent text,
    active boolean DEFAULT true NOT NULL,
    sealing_key bytea,
    chain uuid NOT NULL,
    head bytea NOT NULL,
    entry_count integer NOT NULL,
    head_at timestamp with time zone,
    CONSTRAINT unit_id_is_a_name CHECK ((id ~ '^[a-z0-9-]{1,40}$'::text))
);
CREATE TABLE public.unit_closure (
    ancestor text NOT NULL,
    descendant text NOT NULL,
    depth integer NOT NULL
);
CREATE TABLE public.vault (
    report_id uuid NOT NULL,
    sealed bytea NOT NULL
)
WITH (toast_tuple_target='8160');
ALTER TABLE ONLY public.accused
    ADD CONSTRAINT accused_pkey PRIMARY KEY (report_id, ordinal);
ALTER TABLE ONLY public.allegation
    ADD CONSTRAINT allegation_pkey PRIMARY KEY (report_id, ordinal);
ALTER TABLE ONLY public.approval
    ADD CONSTRAINT approval_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.attachment_part
    ADD CONSTRAINT attachment_part_once PRIMARY KEY (report_id, paper, part);
ALTER TABLE ONLY public.attachment
    ADD CONSTRAINT attachment_pkey PRIMARY KEY (report_id, ordinal);
ALTER TABLE ONLY public.attempt
    ADD CONSTRAINT attempt_pkey PRIMARY KEY (digest);
ALTER TABLE ONLY public.barred_root
    ADD CONSTRAINT barred_root_pkey PRIMARY KEY (report_id, unit);
ALTER TABLE ONLY public.calendar_day
    ADD CONSTRAINT calendar_day_pkey PRIMARY KEY (calendar, edition, day);
ALTER TABLE ONLY public.change_reader
    ADD CONSTRAINT change_reader_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.clock
    ADD CONSTRAINT clock_once UNIQUE NULLS NOT DISTINCT (report_id, handoff_id, unit, duty, period);
ALTER TABLE ONLY public.clock
    ADD CONSTRAINT clock_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.clock_step
    ADD CONSTRAINT clock_step_once PRIMARY KEY (clock_id, step);
ALTER TABLE ONLY public.dead_letter
    ADD CONSTRAINT dead_letter_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.dead_letter_unkept
    ADD CONSTRAINT dead_letter_unkept_pkey PRIMARY KEY (sender);
ALTER TABLE ONLY public.duty_opening
    ADD CONSTRAINT duty_opening_once PRIMARY KEY (duty, each);
ALTER TABLE ONLY public.epoch_key
    ADD CONSTRAINT epoch_key_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.handoff
    ADD CONSTRAINT handoff_attempt_once UNIQUE (report_id, attempt);
ALTER TABLE ONLY public.handoff_body
    ADD CONSTRAINT handoff_body_pkey PRIMARY KEY (handoff_id);
ALTER TABLE ONLY public.handoff_note
    ADD CONSTRAINT handoff_note_once PRIMARY KEY (handoff_id, sender, event_id);
ALTER TABLE ONLY public.handoff
    ADD CONSTRAINT handoff_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.held_message
    ADD CONSTRAINT held_message_once UNIQUE (sender, event_id);
ALTER TABLE ONLY public.held_message
    ADD CONSTRAINT held_message_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT inbox_once PRIMARY KEY (sender, event_id);
ALTER TABLE ONLY public.lane_lease
    ADD CONSTRAINT lane_lease_pkey PRIMARY KEY (lane);
ALTER TABLE ONLY public.ledger_checkpoint
    ADD CONSTRAINT ledger_checkpoint_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.ledger_checkpoint_range
    ADD CONSTRAINT ledger_checkpoint_range_once PRIMARY KEY (chain, first_sequence);
ALTER TABLE ONLY public.ledger_entry
    ADD CONSTRAINT ledger_entry_one_chain PRIMARY KEY (chain, sequence);
ALTER TABLE ONLY public.office
    ADD CONSTRAINT office_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (event_id);
ALTER TABLE ONLY public.person_notice
    ADD CONSTRAINT person_notice_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.person
    ADD CONSTRAINT person_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.policy_activation
    ADD CONSTRAINT policy_activation_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.policy_version
    ADD CONSTRAINT policy_version_once PRIMARY KEY (name, version);
ALTER TABLE ONLY public.probe
    ADD CONSTRAINT probe_pkey PRIMARY KEY (worker);
ALTER TABLE ONLY public.queue_lease
    ADD CONSTRAINT queue_lease_pkey PRIMARY KEY (queue);
ALTER TABLE ONLY public.recusal
    ADD CONSTRAINT recusal_pkey PRIMARY KEY (person, accused_name);
ALTER TABLE ONLY public.repeat_key
    ADD CONSTRAINT repeat_key_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.report_key
    ADD CONSTRAINT report_key_pkey PRIMARY KEY (report_id);
ALTER TABLE ONLY public.report
    ADD CONSTRAINT report_number_once UNIQUE (number);
ALTER TABLE ONLY public.report
    ADD CONSTRAINT report_one_per_submission UNIQUE (source, source_id);
ALTER TABLE ONLY public.report
    ADD CONSTRAINT report_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.report_text
    ADD CONSTRAINT report_text_pkey PRIMARY KEY (report_id);
ALTER TABLE ONLY public.schema_migration
    ADD CONSTRAINT schema_migration_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.sealed_papers
    ADD CONSTRAINT sealed_papers_pkey PRIMARY KEY (report_id);
ALTER TABLE ONLY public.secret_check
    ADD CONSTRAINT secret_check_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.source
    ADD CONSTRAINT source_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.unit
    ADD CONSTRAINT unit_chain_key UNIQUE (chain);
ALTER TABLE ONLY public.unit_closure
    ADD CONSTRAINT unit_closure_pkey PRIMARY KEY (ancestor, descendant);
ALTER TABLE ONLY public.unit
    ADD CONSTRAINT unit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.vault
    ADD CONSTRAINT vault_pkey PRIMARY KEY (report_id);
CREATE UNIQUE INDEX approval_open_once ON public.approval USING btree (act, report_id, handoff_id) NULLS NOT DISTINCT WHERE (state = 'open'::text);
CREATE INDEX attachment_unfinished ON public.attachment USING btree (first_part_at) WHERE (first_part_at IS NOT NULL);
CREATE INDEX change_log_by_xid ON public.change_log USING btree (xid);
CREATE INDEX clock_due ON public.clock USING btree (next_at) WHERE (next_at IS NOT NULL);
CREATE INDEX clock_of_duty ON public.clock USING btree (duty, period, unit) WHERE (handoff_id IS NULL);
CREATE INDEX clock_set_aside ON public.clock USING btree (id) WHERE (set_aside IS NOT NULL);
CREATE INDEX dead_letter_by_act ON public.dead_letter USING btree (inbox_id) WHERE (inbox_id IS NOT NULL);
CREATE INDEX dead_letter_by_age ON public.dead_letter USING btree (received_at, id);
CREATE INDEX dead_letter_open_of_sender ON public.dead_letter USING btree (COALESCE(sender, ''::text)) WHERE (state = 'open'::text);
CREATE INDEX held_message_by_age ON public.held_message USING btree (held_at) WHERE (NOT ripe);
CREATE INDEX held_message_by_report ON public.held_message USING btree (report_id);
CREATE INDEX held_message_ripe ON public.held_message USING btree (id) WHERE ripe;
CREATE INDEX ledger_checkpoint_range_by_checkpoint ON public.ledger_checkpoint_range USING btree (checkpoint, chain);
CREATE INDEX outbox_by_age ON public.outbox USING btree (created_at);
CREATE INDEX queue_lease_by_lane ON public.queue_lease USING btree (lane);
CREATE TRIGGER handoff_unit_not_barred AFTER INSERT ON public.handoff REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.handoff_unit_not_barred();
CREATE TRIGGER ledger_entry_is_logged AFTER INSERT ON public.ledger_entry REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_entry_is_logged();
ALTER TABLE public.ledger_entry ENABLE ALWAYS TRIGGER ledger_entry_is_logged;
CREATE TRIGGER ledger_only_grows BEFORE DELETE OR UPDATE OR TRUNCATE ON public.ledger_checkpoint FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_only_grows();
CREATE TRIGGER ledger_only_grows BEFORE DELETE OR UPDATE OR TRUNCATE ON public.ledger_checkpoint_range FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_only_grows();
CREATE TRIGGER ledger_only_grows BEFORE DELETE OR UPDATE OR TRUNCATE ON public.ledger_entry FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_only_grows();
CREATE TRIGGER outbox_addressee_not_barred AFTER INSERT ON public.outbox REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.outbox_addressee_not_barred();
CREATE TRIGGER person_notice_not_barred AFTER INSERT ON public.person_notice REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION public.person_notice_not_barred();
CREATE TRIGGER unit_stands_in_tree AFTER INSERT OR UPDATE OF parent ON public.unit FOR EACH STATEMENT EXECUTE FUNCTION public.unit_stands_in_tree();
ALTER TABLE ONLY public.accused
    ADD CONSTRAINT accused_report_id_fkey FOREIGN KEY (report_id) REFERENCES public.report(id);
ALTER TABLE ONLY public.allegation
    ADD CONSTRAINT allegation_report_id_fkey FOREIGN KEY (report_id) REFERENCES public.report(id);
ALTER TABLE ONLY public.approval
    ADD CONSTRAINT approval_asked_by_fkey FOREIGN KEY (asked_by) REFERENCES public.person(id);
ALTER TABLE ONLY public.approval
    ADD CONSTRAINT approval_decided_by_fkey FOREIGN KEY (decided_by) REFERENCES public.person(id);
ALTER TABLE ONLY public.approval
    ADD CONSTRAINT approval_handoff_id_fkey FOREIGN KEY (handoff_id) REFERENCES public.handoff(id);
ALTER TABLE ONLY public.approval
    ADD CONSTRAINT approval_report_id_fkey FOREIGN KEY (report_id) REFERENCES public.report(id);
ALTER TABLE ONLY public.attachment_part
    ADD CONSTRAINT attachment_part_report_id_fkey FOREIGN KEY (report_id) REFERENCES public.report(id);
ALTER TABLE ONLY public.attachment
    ADD CONSTRAINT attachment_report_id_fkey FOREIGN KEY (report_id) REFERENCES public.report(id);
ALTER TABLE ONLY public.barred_root
    ADD CONSTRAINT barred_root_report_id_fkey FOREIGN KEY (report_id) REFERENCES public.report(id);
ALTER TABLE ONLY public.clock
    ADD CONSTRAINT clock_handoff_id_fkey FOREIGN KEY (handoff_id) REFERENCES public.handoff(id);
ALTER TABLE ONLY public.clock
    ADD CONSTRAINT clock_unit_fkey FOREIGN KEY (unit) REFERENCES public.unit(id);
ALTER TABLE ONLY public.handoff_body
    ADD CONSTRAINT handoff_body_handoff_id_fkey FOREIGN KEY (handoff_id) REFERENCES public.handoff(id);
ALTER TABLE ONLY public.handoff_note
    ADD CONSTRAINT handoff_note_handoff_id_fkey FOREIGN KEY (handoff_id) REFERENCES public.handoff(id);
ALTER TABLE ONLY public.handoff
    ADD CONSTRAINT handoff_report_id_fkey FOREIGN KEY (report_id) REFERENCES public.report(id);
ALTER TABLE ONLY public.handoff
    ADD CONSTRAINT handoff_unit_fkey FOREIGN KEY (unit) REFERENCES public.unit(id);
ALTER TABLE ONLY public.held_message
    ADD CONSTRAINT held_message_handoff_id_fkey FOREIGN KEY (handoff_id) REFERENCES public.handoff(id);
ALTER TABLE ONLY public.held_message
    ADD CONSTRAINT held_message_report_id_fkey FOREIGN KEY (report_id) REFERENCES public.report(id);
ALTER TABLE ONLY public.ledger_checkpoint_range
    ADD CONSTRAINT ledger_checkpoint_range_checkpoint_fkey FOREIGN KEY (checkpoint) REFERENCES public.ledger_checkpoint(number) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_body_of_fkey FOREIGN KEY (body_of) REFERENCES public.handoff_body(handoff_id);
ALTER TABLE ONLY public.person_notice
    ADD CONSTRAINT person_notice_person_fkey FOREIGN KEY (person) REFERENCES public.person(id);
ALTER TABLE ONLY public.person
    ADD CONSTRAINT person_unit_fkey FOREIGN KEY (unit) REFERENCES public.unit(id);
ALTER TABLE ONLY public.policy_activation
    ADD CONSTRAINT policy_activation_of_a_version FOREIGN KEY (name, version) REFERENCES public.policy_version(name, version);
ALTER TABLE ONLY public.recusal
    ADD CONSTRAINT recusal_person_fkey FOREIGN KEY (person) REFERENCES public.person(id);
ALTER TABLE ONLY public.report
    ADD CONSTRAINT report_custodian_fkey FOREIGN KEY (custodian) REFERENCES public.person(id);
ALTER TABLE ONLY public.report_key
    ADD CONSTRAINT report_key_epoch_id_fkey FOREIGN KEY (epoch_id) REFERENCES public.epoch_key(id);
ALTER TABLE ONLY public.report
    ADD CONSTRAINT report_repeat_of_fkey FOREIGN KEY (repeat_of) REFERENCES public.report(id);
ALTER TABLE ONLY public.report_text
    ADD CONSTRAINT report_text_report_id_fkey FOREIGN KEY (report_id) REFERENCES public.report(id);
ALTER TABLE ONLY public.sealed_papers
    ADD CONSTRAINT sealed_papers_report_id_fkey FOREIGN KEY (report_id) REFERENCES public.report(id);
ALTER TABLE ONLY public.source
    ADD CONSTRAINT source_unit_fkey FOREIGN KEY (unit) REFERENCES public.unit(id);
ALTER TABLE ONLY public.unit_closure
    ADD CONSTRAINT unit_closure_ancestor_fkey FOREIGN KEY (ancestor) REFERENCES public.unit(id);
ALTER TABLE ONLY public.unit_closure
    ADD CONSTRAINT unit_closure_descendant_fkey FOREIGN KEY (descendant) REFERENCES public.unit(id);
ALTER TABLE ONLY public.unit
    ADD CONSTRAINT unit_parent_fkey FOREIGN KEY (parent) REFERENCES public.unit(id);
ALTER TABLE ONLY public.vault
    ADD CONSTRAINT vault_report_id_fkey FOREIGN KEY (report_id) REFERENCES public.report(id);
GRANT SELECT ON TABLE public.accused TO bihuan_worker;
GRANT INSERT ON TABLE public.accused TO bihuan_intake;
GRANT SELECT ON TABLE public.accused TO bihuan_operator;
GRANT SELECT ON TABLE public.allegation TO bihuan_worker;
GRANT INSERT ON TABLE public.allegation TO bihuan_intake;
GRANT SELECT ON TABLE public.allegation TO bihuan_operator;
GRANT SELECT ON TABLE public.approval TO bihuan_worker;
GRANT INSERT ON TABLE public.approval TO bihuan_routing;
GRANT INSERT ON TABLE public.approval TO bihuan_feedback;
GRANT INSERT ON TABLE public.approval TO bihuan_deadlines;
GRANT SELECT ON TABLE public.approval TO bihuan_operator;
GRANT UPDATE(state) ON TABLE public.approval TO bihuan_routing;
GRANT UPDATE(state) ON TABLE public.approval TO bihuan_feedback;
GRANT UPDATE(state) ON TABLE public.approval TO bihuan_deadlines;
GRANT UPDATE(decided_by) ON TABLE public.approval TO bihuan_routing;
GRANT UPDATE(decided_by) ON TABLE public.approval TO bihuan_feedback;
GRANT UPDATE(decided_by) ON TABLE public.approval TO bihuan_deadlines;
GRANT UPDATE(decided_at) ON TABLE public.approval TO bihuan_routing;
GRANT UPDATE(decided_at) ON TABLE public.approval TO bihuan_feedback;
GRANT UPDATE(decided_at) ON TABLE public.approval TO bihuan_deadlines;
GRANT UPDATE(decided_because) ON TABLE public.approval TO bihuan_routing;
GRANT UPDATE(decided_because) ON TABLE public.approval TO bihuan_feedback;
GRANT UPDATE(decided_because) ON TABLE public.approval TO bihuan_deadlines;
GRANT SELECT ON TABLE public.attachment TO bihuan_worker;
GRANT INSERT ON TABLE public.attachment TO bihuan_intake;
GRANT SELECT ON TABLE public.attachment TO bihuan_operator;
GRANT UPDATE(received_at) ON TABLE public.attachment TO bihuan_intake;
GRANT UPDATE(first_part_at) ON TABLE public.attachment TO bihuan_intake;
GRANT SELECT ON TABLE public.attachment_part TO bihuan_worker;
GRANT INSERT,DELETE ON TABLE public.attachment_part TO bihuan_intake;
GRANT SELECT ON TABLE public.attachment_part TO bihuan_operator;
GRANT SELECT,INSERT,DELETE ON TABLE public.attempt TO bihuan_worker;
GRANT SELECT ON TABLE public.attempt TO bihuan_operator;
GRANT UPDATE(count) ON TABLE public.attempt TO bihuan_worker;
GRANT UPDATE(noted_at) ON TABLE public.attempt TO bihuan_worker;
GRANT SELECT ON TABLE public.barred_root TO bihuan_worker;
GRANT INSERT ON TABLE public.barred_root TO bihuan_intake;
GRANT INSERT ON TABLE public.barred_root TO bihuan_routing;
GRANT SELECT ON TABLE public.barred_root TO bihuan_operator;
GRANT SELECT ON TABLE public.calendar_day TO bihuan_worker;
GRANT SELECT ON TABLE public.calendar_day TO bihuan_operator;
GRANT SELECT ON TABLE public.change_log TO bihuan_worker;
GRANT SELECT ON TABLE public.change_log TO bihuan_operator;
GRANT SELECT ON TABLE public.change_reader TO bihuan_worker;
GRANT SELECT ON TABLE public.change_reader TO bihuan_operator;
GRANT SELECT,INSERT ON TABLE public.clock TO bihuan_worker;
GRANT SELECT ON TABLE public.clock TO bihuan_operator;
GRANT UPDATE(next_step) ON TABLE public.clock TO bihuan_worker;
GRANT UPDATE(next_at) ON TABLE public.clock TO bihuan_worker;
GRANT UPDATE(set_aside) ON TABLE public.clock TO bihuan_worker;
GRANT UPDATE(ended_at) ON TABLE public.clock TO bihuan_worker;
GRANT UPDATE(ended_because) ON TABLE public.clock TO bihuan_worker;
GRANT UPDATE(ended_by) ON TABLE public.clock TO bihuan_worker;
GRANT SELECT ON TABLE public.clock_step TO bihuan_worker;
GRANT INSERT ON TABLE public.clock_step TO bihuan_deadlines;
GRANT SELECT ON TABLE public.clock_step TO bihuan_operator;
GRANT SELECT,INSERT ON TABLE public.dead_letter TO bihuan_worker;
GRANT SELECT ON TABLE public.dead_letter TO bihuan_operator;
GRANT UPDATE(reason) ON TABLE public.dead_letter TO bihuan_worker;
GRANT UPDATE(detail) ON TABLE public.dead_letter TO bihuan_worker;
GRANT UPDATE(times) ON TABLE public.dead_letter TO bihuan_worker;
GRANT UPDATE(replays) ON TABLE public.dead_letter TO bihuan_worker;
GRANT UPDATE(state) ON TABLE public.dead_letter TO bihuan_worker;
GRANT UPDATE(settled_at) ON TABLE public.dead_letter TO bihuan_worker;
GRANT UPDATE(settled_by) ON TABLE public.dead_letter TO bihuan_worker;
GRANT UPDATE(settled_because) ON TABLE public.dead_letter TO bihuan_worker;
GRANT SELECT,INSERT ON TABLE public.dead_letter_unkept TO bihuan_worker;
GRANT SELECT ON TABLE public.dead_letter_unkept TO bihuan_operator;
GRANT UPDATE(count) ON TABLE public.dead_letter_unkept TO bihuan_worker;
GRANT UPDATE(last_at) ON TABLE public.dead_letter_unkept TO bihuan_worker;
GRANT SELECT ON TABLE public.duty_opening TO bihuan_worker;
GRANT INSERT ON TABLE public.duty_opening TO bihuan_deadlines;
GRANT SELECT ON TABLE public.duty_opening TO bihuan_operator;
GRANT UPDATE(period) ON TABLE public.duty_opening TO bihuan_deadlines;
GRANT UPDATE(opened_at) ON TABLE public.duty_opening TO bihuan_deadlines;
GRANT INSERT ON TABLE public.epoch_key TO bihuan_intake;
GRANT SELECT ON TABLE public.handoff TO bihuan_worker;
GRANT INSERT ON TABLE public.handoff TO bihuan_intake;
GRANT INSERT ON TABLE public.handoff TO bihuan_routing;
GRANT SELECT ON TABLE public.handoff TO bihuan_operator;
GRANT UPDATE(state) ON TABLE public.handoff TO bihuan_worker;
GRANT UPDATE(released_at) ON TABLE public.handoff TO bihuan_worker;
GRANT UPDATE(dispatched_at) ON TABLE public.handoff TO bihuan_worker;
GRANT UPDATE(signed_at) ON TABLE public.handoff TO bihuan_worker;
GRANT UPDATE(signed_by) ON TABLE public.handoff TO bihuan_worker;
GRANT UPDATE(disposition) ON TABLE public.handoff TO bihuan_worker;
GRANT UPDATE(case_number) ON TABLE public.handoff TO bihuan_worker;
GRANT UPDATE(case_filed_on) ON TABLE public.handoff TO bihuan_worker;
GRANT UPDATE(case_notified_at) ON TABLE public.handoff TO bihuan_worker;
GRANT UPDATE(outcome) ON TABLE public.handoff TO bihuan_worker;
GRANT UPDATE(concluded_at) ON TABLE public.handoff TO bihuan_worker;
GRANT UPDATE(times_sent_back) ON TABLE public.handoff TO bihuan_worker;
GRANT UPDATE(ended_at) ON TABLE public.handoff TO bihuan_worker;
GRANT UPDATE(ended_because) ON TABLE public.handoff TO bihuan_worker;
GRANT UPDATE(running_clocks) ON TABLE public.handoff TO bihuan_worker;
GRANT UPDATE(no_clock_reason) ON TABLE public.handoff TO bihuan_worker;
GRANT SELECT ON TABLE public.handoff_body TO bihuan_worker;
GRANT INSERT ON TABLE public.handoff_body TO bihuan_routing;
GRANT SELECT ON TABLE public.handoff_body TO bihuan_operator;
GRANT SELECT ON TABLE public.handoff_note TO bihuan_worker;
GRANT INSERT ON TABLE public.handoff_note TO bihuan_feedback;
GRANT SELECT ON TABLE public.handoff_note TO bihuan_operator;
GRANT SELECT ON TABLE public.held_message TO bihuan_worker;
GRANT INSERT,DELETE ON TABLE public.held_message TO bihuan_feedback;
GRANT SELECT ON TABLE public.held_message TO bihuan_operator;
GRANT UPDATE(ripe) ON TABLE public.held_message TO bihuan_feedback;
GRANT SELECT,INSERT ON TABLE public.inbox TO bihuan_worker;
GRANT SELECT ON TABLE public.inbox TO bihuan_operator;
GRANT UPDATE(verdict) ON TABLE public.inbox TO bihuan_worker;
GRANT UPDATE(reply_type) ON TABLE public.inbox TO bihuan_worker;
GRANT UPDATE(reply) ON TABLE public.inbox TO bihuan_worker;
GRANT UPDATE(report_id) ON TABLE public.inbox TO bihuan_worker;
GRANT SELECT,INSERT,DELETE ON TABLE public.lane_lease TO bihuan_worker;
GRANT SELECT ON TABLE public.lane_lease TO bihuan_operator;
GRANT UPDATE(holder) ON TABLE public.lane_lease TO bihuan_worker;
GRANT UPDATE(backend_pid) ON TABLE public.lane_lease TO bihuan_worker;
GRANT UPDATE(backend_start) ON TABLE public.lane_lease TO bihuan_worker;
GRANT UPDATE(expires_at) ON TABLE public.lane_lease TO bihuan_worker;
GRANT UPDATE(reads) ON TABLE public.lane_lease TO bihuan_worker;
GRANT SELECT ON TABLE public.ledger_checkpoint TO bihuan_worker;
GRANT SELECT ON TABLE public.ledger_checkpoint TO bihuan_operator;
GRANT SELECT ON TABLE public.ledger_checkpoint_range TO bihuan_worker;
GRANT SELECT ON TABLE public.ledger_checkpoint_range TO bihuan_operator;
REVOKE ALL ON TABLE public.ledger_entry FROM bihuan_owner;
GRANT SELECT,INSERT,REFERENCES,TRIGGER ON TABLE public.ledger_entry TO bihuan_owner;
GRANT SELECT,INSERT ON TABLE public.ledger_entry TO bihuan_worker;
GRANT SELECT ON TABLE public.ledger_entry TO bihuan_operator;
GRANT SELECT ON TABLE public.office TO bihuan_worker;
GRANT SELECT ON TABLE public.office TO bihuan_operator;
GRANT UPDATE(head) ON TABLE public.office TO bihuan_worker;
GRANT UPDATE(entry_count) ON TABLE public.office TO bihuan_worker;
GRANT UPDATE(head_at) ON TABLE public.office TO bihuan_worker;
GRANT SELECT,INSERT,DELETE ON TABLE public.outbox TO bihuan_worker;
GRANT SELECT ON TABLE public.outbox TO bihuan_operator;
GRANT SELECT ON TABLE public.person TO bihuan_worker;
GRANT SELECT ON TABLE public.person TO bihuan_operator;
GRANT SELECT,INSERT ON TABLE public.person_notice TO bihuan_worker;
GRANT SELECT ON TABLE public.person_notice TO bihuan_operator;
GRANT SELECT ON TABLE public.policy_activation TO bihuan_worker;
GRANT INSERT ON TABLE public.policy_activation TO bihuan_deadlines;
GRANT SELECT ON TABLE public.policy_activation TO bihuan_operator;
GRANT SELECT ON TABLE public.policy_version TO bihuan_worker;
GRANT SELECT ON TABLE public.policy_version TO bihuan_operator;
GRANT SELECT,INSERT ON TABLE public.probe TO bihuan_worker;
GRANT SELECT ON TABLE public.probe TO bihuan_operator;
GRANT UPDATE(probed_at) ON TABLE public.probe TO bihuan_worker;
GRANT SELECT ON TABLE public.queue_lease TO bihuan_worker;
GRANT INSERT ON TABLE public.queue_lease TO bihuan_intake;
GRANT INSERT ON TABLE public.queue_lease TO bihuan_feedback;
GRANT SELECT ON TABLE public.queue_lease TO bihuan_operator;
GRANT UPDATE(lane) ON TABLE public.queue_lease TO bihuan_intake;
GRANT UPDATE(lane) ON TABLE public.queue_lease TO bihuan_feedback;
GRANT UPDATE(read_to_end) ON TABLE public.queue_lease TO bihuan_intake;
GRANT UPDATE(read_to_end) ON TABLE public.queue_lease TO bihuan_feedback;
GRANT SELECT ON TABLE public.recusal TO bihuan_worker;
GRANT SELECT ON TABLE public.recusal TO bihuan_operator;
GRANT SELECT ON TABLE public.repeat_key TO bihuan_worker;
GRANT INSERT ON TABLE public.repeat_key TO bihuan_intake;
GRANT SELECT ON TABLE public.repeat_key TO bihuan_operator;
GRANT SELECT ON TABLE public.report TO bihuan_worker;
GRANT INSERT ON TABLE public.report TO bihuan_intake;
GRANT SELECT ON TABLE public.report TO bihuan_operator;
GRANT UPDATE(state) ON TABLE public.report TO bihuan_worker;
GRANT UPDATE(matter_kind) ON TABLE public.report TO bihuan_worker;
GRANT UPDATE(reason) ON TABLE public.report TO bihuan_worker;
GRANT UPDATE(authority) ON TABLE public.report TO bihuan_worker;
GRANT UPDATE(handoff_count) ON TABLE public.report TO bihuan_worker;
GRANT UPDATE(head) ON TABLE public.report TO bihuan_worker;
GRANT UPDATE(entry_count) ON TABLE public.report TO bihuan_worker;
GRANT UPDATE(head_at) ON TABLE public.report TO bihuan_worker;
GRANT INSERT ON TABLE public.report_key TO bihuan_intake;
GRANT USAGE ON SEQUENCE public.report_number TO bihuan_intake;
GRANT SELECT ON TABLE public.report_status TO bihuan_worker;
GRANT SELECT ON TABLE public.report_status TO bihuan_operator;
GRANT SELECT ON TABLE public.report_text TO bihuan_worker;
GRANT INSERT ON TABLE public.report_text TO bihuan_intake;
GRANT SELECT ON TABLE public.report_text TO bihuan_operator;
GRANT SELECT ON TABLE public.schema_migration TO bihuan_worker;
GRANT SELECT ON TABLE public.schema_migration TO bihuan_operator;
GRANT SELECT ON TABLE public.sealed_papers TO bihuan_worker;
GRANT INSERT ON TABLE public.sealed_papers TO bihuan_intake;
GRANT SELECT ON TABLE public.sealed_papers TO bihuan_operator;
GRANT UPDATE(parts) ON TABLE public.sealed_papers TO bihuan_intake;
GRANT UPDATE(bytes) ON TABLE public.sealed_papers TO bihuan_intake;
GRANT SELECT,INSERT ON TABLE public.secret_check TO bihuan_worker;
GRANT SELECT ON TABLE public.secret_check TO bihuan_operator;
GRANT SELECT ON TABLE public.source TO bihuan_worker;
GRANT SELECT ON TABLE public.source TO bihuan_operator;
GRANT SELECT ON TABLE public.unit TO bihuan_worker;
GRANT SELECT ON TABLE public.unit TO bihuan_operator;
GRANT UPDATE(head) ON TABLE public.unit TO bihuan_worker;
GRANT UPDATE(entry_count) ON TABLE public.unit TO bihuan_worker;
GRANT UPDATE(head_at) ON TABLE public.unit TO bihuan_worker;
GRANT SELECT ON TABLE public.unit_closure TO bihuan_worker;
GRANT SELECT ON TABLE public.unit_closure TO bihuan_operator;
GRANT INSERT ON TABLE public.vault TO bihuan_intake;
GRANT SELECT(report_id) ON TABLE public.vault TO bihuan_worker;
GRANT SELECT(report_id) ON TABLE public.vault TO bihuan_operator;
