-- The read tables of context dod, declared whole (document 002_292caa697ae18d8c).
--
-- Executed with search_path set to a generation's schema, and public for pgvector. Tables and their primary keys come first;
-- everything after them (unique constraints, foreign keys, indexes) is made after loading when a
-- generation is rebuilt. The engine adds `changes`, row-level security and grants to each table.
--
-- No column has a default: every value comes from an event. position is the event's that brought the row in.
--
-- Indexes: a column that names a row leads its index by itself, since a uuid is selective and the
-- foreign keys look it up; words, flags and times are preceded by tenant_id, which row-level security
-- always asks for. (.., time, position) serves keyset pages. updated_at is in no index, so that most
-- updates stay on their page.

create table tenants (
    tenant_id  uuid         not null,
    id         uuid         primary key,
    name       varchar(255) not null,
    status     varchar(20)  not null check (status in ('active', 'suspended', 'deleted')),
    created_at timestamptz  not null,
    updated_at timestamptz  not null,
    position   bigint       not null
);

create table users (
    tenant_id       uuid         not null,
    id              uuid         primary key,
    email           varchar(255) not null,
    name            varchar(255),
    avatar_url      varchar(500),
    role            varchar(20)  not null check (role in ('admin', 'member', 'viewer')),
    status          varchar(20)  not null check (status in ('active', 'inactive')),
    last_sign_in_at timestamptz,
    created_at      timestamptz  not null,
    updated_at      timestamptz  not null,
    position        bigint       not null
);

-- webhook_url is the part of it that people are shown: the whole is a secret, and sealed it is longer than the document's column.
create table im_receivers (
    tenant_id          uuid         not null,
    id                 uuid         primary key,
    name               varchar(255) not null,
    receiver_im        varchar(100) not null,
    im_type            varchar(20)  not null check (im_type in ('slack', 'lark')),
    bot_token          text,
    webhook_url        varchar(500),
    webhook_url_sealed text,
    sign_secret        text,
    api_base           varchar(500),
    app_id             varchar(255),
    destination_id     varchar(255),
    min_severity       varchar(20),
    status             varchar(20)  not null check (status in ('active', 'inactive')),
    created_at         timestamptz  not null,
    updated_at         timestamptz  not null,
    position           bigint       not null
);

create table configurations (
    tenant_id    uuid         not null,
    id           uuid         primary key,
    config_type  varchar(100) not null,
    config_key   varchar(255) not null,
    config_value text         not null,
    hosts        jsonb        not null,
    created_at   timestamptz  not null,
    updated_at   timestamptz  not null,
    position     bigint       not null
);

create table retentions (
    tenant_id   uuid        not null,
    id          uuid        primary key,
    body_days   integer     not null,
    closed_days integer     not null,
    updated_by  uuid,
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    position    bigint      not null
);

create table tools (
    tenant_id   uuid         not null,
    id          uuid         primary key,
    created_by  uuid,
    name        varchar(255) not null,
    description text,
    type        varchar(20)  not null check (type in ('mcp', 'custom_code')),
    config      jsonb        not null,
    status      varchar(20)  not null check (status in ('active', 'inactive')),
    created_at  timestamptz  not null,
    updated_at  timestamptz  not null,
    position    bigint       not null
);

create table skills (
    tenant_id             uuid         not null,
    id                    uuid         primary key,
    created_by            uuid,
    name                  varchar(255) not null,
    problem_description   text         not null,
    sop                   text         not null,
    embedding             vector(1536),
    embedding_model       varchar(255),
    embedding_text_sha256 varchar(64),
    text_sha256           varchar(64)  not null,
    status                varchar(20)  not null check (status in ('active', 'inactive')),
    created_at            timestamptz  not null,
    updated_at            timestamptz  not null,
    position              bigint       not null
);

create table alert_skill_bindings (
    tenant_id     uuid         not null,
    id            uuid         primary key,
    alert_pattern varchar(500) not null,
    pattern_kind  varchar(20)  not null,
    field         varchar(300) not null,
    skill_id      uuid         not null,
    priority      integer      not null,
    created_at    timestamptz  not null,
    updated_at    timestamptz  not null,
    position      bigint       not null
);

-- Beside the document from here to deliveries: by what rules alerts are let in, grouped and kept quiet.
create table correlation_rules (
    tenant_id      uuid         not null,
    id             uuid         primary key,
    name           varchar(255) not null,
    conditions     jsonb        not null,
    fields         jsonb        not null,
    window_minutes integer      not null,
    priority       integer      not null,
    created_by     uuid,
    created_at     timestamptz  not null,
    updated_at     timestamptz  not null,
    position       bigint       not null
);

create table escalation_policies (
    tenant_id  uuid         not null,
    id         uuid         primary key,
    name       varchar(255) not null,
    conditions jsonb        not null,
    priority   integer      not null,
    steps      jsonb        not null,
    created_by uuid,
    created_at timestamptz  not null,
    updated_at timestamptz  not null,
    position   bigint       not null
);

create table silences (
    tenant_id  uuid         not null,
    id         uuid         primary key,
    name       varchar(255) not null,
    comment    text,
    conditions jsonb        not null,
    kind       varchar(20)  not null,
    starts_at  timestamptz  not null,
    ends_at    timestamptz  not null,
    created_by uuid,
    ended_by   uuid,
    created_at timestamptz  not null,
    updated_at timestamptz  not null,
    position   bigint       not null
);

create table webhook_sources (
    tenant_id                  uuid         not null,
    id                         uuid         primary key,
    name                       varchar(100) not null,
    format                     varchar(50),
    receiver_im                varchar(100),
    signature_scheme           varchar(50),
    signature_header           varchar(100),
    signature_timestamp_header varchar(100),
    sns_topics                 jsonb        not null,
    severities                 jsonb        not null,
    default_severity           varchar(20),
    mappings                   jsonb        not null,
    auto_resolve_minutes       integer,
    heartbeat_minutes          integer,
    flap_count                 integer      not null,
    flap_minutes               integer      not null,
    overload                   varchar(20),
    status                     varchar(20)  not null check (status in ('active', 'inactive')),
    created_by                 uuid,
    created_at                 timestamptz  not null,
    updated_at                 timestamptz  not null,
    position                   bigint       not null
);

create table webhook_tokens (
    tenant_id uuid        not null,
    id        uuid        primary key,
    source_id uuid        not null,
    issued_by uuid,
    issued_at timestamptz not null,
    position  bigint      not null
);

create table heartbeats (
    tenant_id      uuid         not null,
    id             uuid         primary key,
    expectation_id uuid         not null,
    name           varchar(255) not null,
    source_id      uuid         not null,
    conditions     jsonb        not null,
    every_minutes  integer      not null,
    grace_minutes  integer      not null,
    severity       varchar(20)  not null,
    receiver_im    varchar(100),
    status         varchar(20)  not null,
    heard_at       timestamptz,
    due_at         timestamptz  not null,
    alert_id       uuid,
    episodes       integer      not null,
    created_at     timestamptz  not null,
    updated_at     timestamptz  not null,
    position       bigint       not null
) with (fillfactor = 70);

create table deliveries (
    tenant_id           uuid        not null,
    id                  uuid        primary key,
    source_id           uuid        not null,
    token_id            uuid        not null,
    received_at         timestamptz not null,
    content_type        text,
    receiver_im         varchar(100),
    bytes               bigint      not null,
    sha256              varchar(64) not null,
    format              varchar(50),
    status              varchar(20) not null,
    alerts              integer,
    notes               jsonb       not null,
    reason              text,
    topic_arn           varchar(512),
    confirmed_at        timestamptz,
    unconfirmed_because text,
    rounds              integer     not null,
    is_stored           boolean     not null,
    is_dropped          boolean     not null,
    updated_at          timestamptz not null,
    position            bigint      not null
) with (fillfactor = 80);

-- One row a tenant: what of its deliveries' bodies is not dropped.
create table stored_bodies (
    tenant_id  uuid        not null,
    id         uuid        primary key,
    bodies     bigint      not null check (bodies >= 0),
    bytes      bigint      not null check (bytes >= 0),
    updated_at timestamptz not null,
    position   bigint      not null
);

create table alerts (
    tenant_id         uuid         not null,
    id                uuid         primary key,
    assigned_to       uuid,
    resolved_by       uuid,
    source            varchar(100) not null,
    alert_type        varchar(255) not null,
    severity          varchar(20)  not null check (severity in ('critical', 'high', 'medium', 'low')),
    original_severity text,
    title             varchar(500) not null,
    description       text,
    labels            jsonb        not null,
    links             jsonb        not null,
    raw_payload       jsonb,
    status            varchar(20)  not null check (status in ('open', 'investigating', 'resolved', 'false_positive', 'ignored')),
    received_at       timestamptz  not null,
    starts_at         timestamptz,
    last_seen_at      timestamptz  not null,
    count             integer      not null,
    acknowledged_at   timestamptz,
    acknowledged_by   uuid,
    resolved_at       timestamptz,
    resolved_how      varchar(20),
    is_flapping       boolean      not null,
    is_heartbeat      boolean      not null,
    silence_id        uuid,
    issue_id          uuid,
    rule_id           uuid,
    group_key         varchar(500),
    source_id         uuid         not null,
    delivery_id       uuid         not null,
    signal_id         uuid         not null,
    episode           integer,
    dedup_key         varchar(255),
    receiver_im       varchar(100),
    created_at        timestamptz  not null,
    updated_at        timestamptz  not null,
    position          bigint       not null
) with (fillfactor = 70);

create table issues (
    tenant_id     uuid         not null,
    id            uuid         primary key,
    assigned_to   uuid,
    created_by    uuid,
    skill_id      uuid,
    matched_by    varchar(20),
    title         varchar(500) not null,
    description   text,
    alert_type    varchar(255) not null,
    source        varchar(100) not null,
    receiver_im   varchar(100),
    severity      varchar(20)  not null,
    status        varchar(50)  not null check (status in ('analyzing', 'in_progress', 'resolved', 'false_positive', 'unable_to_resolve')),
    alerts        integer      not null,
    alerts_open   integer      not null,
    rounds        integer      not null,
    ai_conclusion text,
    concluded_at  timestamptz,
    is_real_issue boolean,
    resolution    text,
    correction    text,
    corrected_at  timestamptz,
    corrected_by  uuid,
    resolved_by   uuid,
    created_at    timestamptz  not null,
    updated_at    timestamptz  not null,
    resolved_at   timestamptz,
    position      bigint       not null
) with (fillfactor = 70);

create table issue_alert_bindings (
    tenant_id  uuid        not null,
    id         uuid        primary key,
    issue_id   uuid        not null,
    alert_id   uuid        not null,
    created_at timestamptz not null,
    position   bigint      not null
);

-- By month (UTC), for a year's steps are many and those of long ago are seldom asked for. Every time has its place, and
-- there is no default partition, so that a page in the order of time reads the newest months alone.
create table issue_logs (
    tenant_id  uuid        not null,
    id         uuid        not null,
    issue_id   uuid        not null,
    log_type   varchar(50) not null check (log_type in ('skill_matched', 'tool_called', 'reasoning', 'conclusion')),
    content    text        not null,
    metadata   jsonb,
    round      integer,
    user_id    uuid,
    created_at timestamptz not null,
    position   bigint      not null,
    primary key (id, created_at)
) partition by range (created_at);

create table issue_logs_before_2026_01 partition of issue_logs for values from (minvalue) to ('2026-01-01 00:00+00');
create table issue_logs_2026_01 partition of issue_logs for values from ('2026-01-01 00:00+00') to ('2026-02-01 00:00+00');
create table issue_logs_2026_02 partition of issue_logs for values from ('2026-02-01 00:00+00') to ('2026-03-01 00:00+00');
create table issue_logs_2026_03 partition of issue_logs for values from ('2026-03-01 00:00+00') to ('2026-04-01 00:00+00');
create table issue_logs_2026_04 partition of issue_logs for values from ('2026-04-01 00:00+00') to ('2026-05-01 00:00+00');
create table issue_logs_2026_05 partition of issue_logs for values from ('2026-05-01 00:00+00') to ('2026-06-01 00:00+00');
create table issue_logs_2026_06 partition of issue_logs for values from ('2026-06-01 00:00+00') to ('2026-07-01 00:00+00');
create table issue_logs_2026_07 partition of issue_logs for values from ('2026-07-01 00:00+00') to ('2026-08-01 00:00+00');
create table issue_logs_2026_08 partition of issue_logs for values from ('2026-08-01 00:00+00') to ('2026-09-01 00:00+00');
create table issue_logs_2026_09 partition of issue_logs for values from ('2026-09-01 00:00+00') to ('2026-10-01 00:00+00');
create table issue_logs_2026_10 partition of issue_logs for values from ('2026-10-01 00:00+00') to ('2026-11-01 00:00+00');
create table issue_logs_2026_11 partition of issue_logs for values from ('2026-11-01 00:00+00') to ('2026-12-01 00:00+00');
create table issue_logs_2026_12 partition of issue_logs for values from ('2026-12-01 00:00+00') to ('2027-01-01 00:00+00');
create table issue_logs_2027_01 partition of issue_logs for values from ('2027-01-01 00:00+00') to ('2027-02-01 00:00+00');
create table issue_logs_2027_02 partition of issue_logs for values from ('2027-02-01 00:00+00') to ('2027-03-01 00:00+00');
create table issue_logs_2027_03 partition of issue_logs for values from ('2027-03-01 00:00+00') to ('2027-04-01 00:00+00');
create table issue_logs_2027_04 partition of issue_logs for values from ('2027-04-01 00:00+00') to ('2027-05-01 00:00+00');
create table issue_logs_2027_05 partition of issue_logs for values from ('2027-05-01 00:00+00') to ('2027-06-01 00:00+00');
create table issue_logs_2027_06 partition of issue_logs for values from ('2027-06-01 00:00+00') to ('2027-07-01 00:00+00');
create table issue_logs_2027_07 partition of issue_logs for values from ('2027-07-01 00:00+00') to ('2027-08-01 00:00+00');
create table issue_logs_2027_08 partition of issue_logs for values from ('2027-08-01 00:00+00') to ('2027-09-01 00:00+00');
create table issue_logs_2027_09 partition of issue_logs for values from ('2027-09-01 00:00+00') to ('2027-10-01 00:00+00');
create table issue_logs_2027_10 partition of issue_logs for values from ('2027-10-01 00:00+00') to ('2027-11-01 00:00+00');
create table issue_logs_2027_11 partition of issue_logs for values from ('2027-11-01 00:00+00') to ('2027-12-01 00:00+00');
create table issue_logs_2027_12 partition of issue_logs for values from ('2027-12-01 00:00+00') to ('2028-01-01 00:00+00');
create table issue_logs_from_2028_01 partition of issue_logs for values from ('2028-01-01 00:00+00') to (maxvalue);

-- Beside the document: what became of each message.
create table messages (
    tenant_id     uuid         not null,
    id            uuid         primary key,
    issue_id      uuid         not null,
    receiver_im   varchar(100) not null,
    receiver_id   uuid,
    status        varchar(20)  not null,
    tells         varchar(50)  not null,
    revision      integer      not null,
    sent_revision integer      not null,
    im_id         varchar(255),
    channel       varchar(255),
    because       text,
    sent_at       timestamptz,
    created_at    timestamptz  not null,
    updated_at    timestamptz  not null,
    position      bigint       not null
) with (fillfactor = 80);

-- Beside the document: what is done while nobody sees to an issue.
create table escalations (
    tenant_id   uuid         not null,
    id          uuid         primary key,
    issue_id    uuid         not null,
    policy_id   uuid         not null,
    policy_name varchar(255) not null,
    round       integer      not null,
    status      varchar(20)  not null,
    steps       jsonb        not null,
    steps_taken integer      not null,
    next_at     timestamptz,
    created_at  timestamptz  not null,
    updated_at  timestamptz  not null,
    position    bigint       not null
) with (fillfactor = 80);

-- Unique in the tenant. A constraint that is led by the id of a row is so by itself, because ids are
-- unique over tenants. Deferred, so that values may change hands within a page.
alter table users add constraint users_email unique (tenant_id, email) deferrable initially deferred;
alter table im_receivers add constraint im_receivers_receiver_im unique (tenant_id, receiver_im) deferrable initially deferred;
alter table configurations add constraint configurations_config_type_config_key unique (tenant_id, config_type, config_key) deferrable initially deferred;
alter table tools add constraint tools_name unique (tenant_id, name) deferrable initially deferred;
alter table webhook_sources add constraint webhook_sources_name unique (tenant_id, name) deferrable initially deferred;
alter table issue_alert_bindings add constraint issue_alert_bindings_alert_id unique (tenant_id, alert_id) deferrable initially deferred;

create index tenants_created_at on tenants (tenant_id, created_at, position);

create index users_name on users (tenant_id, name);
create index users_role on users (tenant_id, role, created_at, position);
create index users_status on users (tenant_id, status, created_at, position);
create index users_created_at on users (tenant_id, created_at, position);

create index im_receivers_im_type on im_receivers (tenant_id, im_type, created_at, position);
create index im_receivers_status on im_receivers (tenant_id, status, created_at, position);
create index im_receivers_created_at on im_receivers (tenant_id, created_at, position);

create index configurations_created_at on configurations (tenant_id, created_at, position);

create index retentions_created_at on retentions (tenant_id, created_at, position);

create index tools_created_by on tools (created_by);
create index tools_status on tools (tenant_id, status, created_at, position);
create index tools_created_at on tools (tenant_id, created_at, position);

create index skills_created_by on skills (created_by);
create index skills_name on skills (tenant_id, name);
create index skills_status on skills (tenant_id, status, created_at, position);
create index skills_created_at on skills (tenant_id, created_at, position);
-- Of the kind that needs no rows to be made well, which the document's does.
create index skills_embedding on skills using hnsw (embedding vector_cosine_ops);

create index alert_skill_bindings_skill_id on alert_skill_bindings (skill_id);
create index alert_skill_bindings_priority on alert_skill_bindings (tenant_id, priority, position);
create index alert_skill_bindings_created_at on alert_skill_bindings (tenant_id, created_at, position);

create index correlation_rules_priority on correlation_rules (tenant_id, priority, position);
create index correlation_rules_created_at on correlation_rules (tenant_id, created_at, position);

create index escalation_policies_priority on escalation_policies (tenant_id, priority, position);
create index escalation_policies_created_at on escalation_policies (tenant_id, created_at, position);

create index silences_ends_at on silences (tenant_id, ends_at, position);
create index silences_created_at on silences (tenant_id, created_at, position);

create index webhook_sources_status on webhook_sources (tenant_id, status, created_at, position);
create index webhook_sources_created_at on webhook_sources (tenant_id, created_at, position);

create index webhook_tokens_source_id on webhook_tokens (source_id);
create index webhook_tokens_issued_at on webhook_tokens (tenant_id, issued_at, position);

create index heartbeats_source_id on heartbeats (source_id, created_at, position);
create index heartbeats_status on heartbeats (tenant_id, status, created_at, position);
create index heartbeats_created_at on heartbeats (tenant_id, created_at, position);

create index deliveries_source_id on deliveries (source_id, received_at, position);
create index deliveries_format on deliveries (tenant_id, format, received_at, position);
create index deliveries_status on deliveries (tenant_id, status, received_at, position);
create index deliveries_received_at on deliveries (tenant_id, received_at, position);

create index alerts_assigned_to on alerts (assigned_to, received_at, position);
create index alerts_resolved_by on alerts (resolved_by);
create index alerts_source on alerts (tenant_id, source, received_at, position);
create index alerts_alert_type on alerts (tenant_id, alert_type, received_at, position);
create index alerts_severity on alerts (tenant_id, severity, received_at, position);
create index alerts_status on alerts (tenant_id, status, received_at, position);
create index alerts_received_at on alerts (tenant_id, received_at, position);
create index alerts_silence_id on alerts (silence_id, received_at, position);
create index alerts_issue_id on alerts (issue_id, received_at, position);
create index alerts_source_id on alerts (source_id, received_at, position);
create index alerts_delivery_id on alerts (delivery_id);
create index alerts_signal_id on alerts (signal_id, received_at, position);
create index alerts_dedup_key on alerts (tenant_id, dedup_key, received_at, position);

create index issues_assigned_to on issues (assigned_to, created_at, position);
create index issues_created_by on issues (created_by);
create index issues_skill_id on issues (skill_id, created_at, position);
create index issues_alert_type on issues (tenant_id, alert_type, created_at, position);
create index issues_severity on issues (tenant_id, severity, created_at, position);
create index issues_status on issues (tenant_id, status, created_at, position);
create index issues_created_at on issues (tenant_id, created_at, position);

create index issue_alert_bindings_issue_id on issue_alert_bindings (issue_id, created_at, position);
create index issue_alert_bindings_alert on issue_alert_bindings (alert_id);
create index issue_alert_bindings_created_at on issue_alert_bindings (tenant_id, created_at, position);

create index issue_logs_issue_id on issue_logs (issue_id, created_at, position);
create index issue_logs_log_type on issue_logs (tenant_id, log_type, created_at, position);
create index issue_logs_created_at on issue_logs (tenant_id, created_at, position);

create index messages_issue_id on messages (issue_id, created_at, position);
create index messages_receiver_im on messages (tenant_id, receiver_im, created_at, position);
create index messages_status on messages (tenant_id, status, created_at, position);
create index messages_created_at on messages (tenant_id, created_at, position);

create index escalations_issue_id on escalations (issue_id, created_at, position);
create index escalations_status on escalations (tenant_id, status, created_at, position);
create index escalations_created_at on escalations (tenant_id, created_at, position);

-- Deferred, so that a page may post children before their parents. The document's cascades fire when a deleted tenant's rows
-- go, and never else: what leaves for an archive is deleted before what it refers to.
alter table users add constraint users_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table im_receivers add constraint im_receivers_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table configurations add constraint configurations_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table retentions add constraint retentions_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table tools add constraint tools_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table tools add constraint tools_created_by_user foreign key (created_by) references users on delete set null deferrable initially deferred;
alter table skills add constraint skills_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table skills add constraint skills_created_by_user foreign key (created_by) references users on delete set null deferrable initially deferred;
alter table alert_skill_bindings add constraint alert_skill_bindings_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table alert_skill_bindings add constraint alert_skill_bindings_skill foreign key (skill_id) references skills on delete cascade deferrable initially deferred;
alter table correlation_rules add constraint correlation_rules_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table escalation_policies add constraint escalation_policies_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table silences add constraint silences_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table webhook_sources add constraint webhook_sources_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table webhook_tokens add constraint webhook_tokens_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table webhook_tokens add constraint webhook_tokens_source foreign key (source_id) references webhook_sources on delete cascade deferrable initially deferred;
alter table heartbeats add constraint heartbeats_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table heartbeats add constraint heartbeats_source foreign key (source_id) references webhook_sources on delete cascade deferrable initially deferred;
alter table deliveries add constraint deliveries_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table deliveries add constraint deliveries_source foreign key (source_id) references webhook_sources on delete cascade deferrable initially deferred;
alter table stored_bodies add constraint stored_bodies_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table alerts add constraint alerts_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table alerts add constraint alerts_assigned_to_user foreign key (assigned_to) references users on delete set null deferrable initially deferred;
alter table alerts add constraint alerts_resolved_by_user foreign key (resolved_by) references users on delete set null deferrable initially deferred;
alter table issues add constraint issues_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table issues add constraint issues_assigned_to_user foreign key (assigned_to) references users on delete set null deferrable initially deferred;
alter table issues add constraint issues_created_by_user foreign key (created_by) references users on delete set null deferrable initially deferred;
alter table issues add constraint issues_skill foreign key (skill_id) references skills on delete set null deferrable initially deferred;
alter table issue_alert_bindings add constraint issue_alert_bindings_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table issue_alert_bindings add constraint issue_alert_bindings_issue foreign key (issue_id) references issues on delete cascade deferrable initially deferred;
alter table issue_alert_bindings add constraint issue_alert_bindings_alert foreign key (alert_id) references alerts on delete cascade deferrable initially deferred;
alter table issue_logs add constraint issue_logs_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table issue_logs add constraint issue_logs_issue foreign key (issue_id) references issues on delete cascade deferrable initially deferred;
alter table messages add constraint messages_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table messages add constraint messages_issue foreign key (issue_id) references issues on delete cascade deferrable initially deferred;
alter table escalations add constraint escalations_tenant foreign key (tenant_id) references tenants on delete cascade deferrable initially deferred;
alter table escalations add constraint escalations_issue foreign key (issue_id) references issues on delete cascade deferrable initially deferred;
