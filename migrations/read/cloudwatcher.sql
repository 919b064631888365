-- The read tables of context cloudwatcher, declared whole (document 001_eec75370b5eea864).
--
-- Executed with search_path set to a generation's schema. Tables and their primary keys come first;
-- everything after them (unique constraints, foreign keys, indexes) is made after loading when a
-- generation is rebuilt. The engine adds `changes`, row-level security and grants to each table.
--
-- Plain tables (parts, suppliers, locations ...) are not here: they are made of the lists that declare them.
--
-- No column has a default: every value comes from an event. position is the event's that brought the row in, and
-- place the row's among those of that event, where there can be several: the two tell the rows of a table apart.
--
-- Indexes: a column that names a row leads its index by itself, since a uuid is selective and the
-- foreign keys look it up; words, flags and times are preceded by tenant_id, which row-level security
-- always asks for. (.., created_at, position) serves keyset pages. updated_at is in no index, so that most
-- updates stay on their page.

create table users (
    tenant_id      uuid         not null,
    id             uuid         primary key,
    email          varchar(255) not null,
    name           varchar(255) not null,
    oauth_provider varchar(50),
    oauth_id       varchar(255),
    is_active      boolean      not null,
    last_login     timestamptz,
    created_at     timestamptz  not null,
    updated_at     timestamptz  not null,
    position       bigint       not null
);

create table roles (
    tenant_id   uuid         not null,
    id          uuid         primary key,
    name        varchar(100) not null,
    description text,
    is_active   boolean      not null,
    created_at  timestamptz  not null,
    updated_at  timestamptz  not null,
    position    bigint       not null
);

create table departments (
    tenant_id   uuid         not null,
    id          uuid         primary key,
    name        varchar(255) not null,
    parent_id   uuid,
    description text,
    manager_id  uuid,
    is_active   boolean      not null,
    created_at  timestamptz  not null,
    updated_at  timestamptz  not null,
    position    bigint       not null
);

create table user_roles (
    tenant_id   uuid        not null,
    id          uuid        primary key,
    user_id     uuid        not null,
    role_id     uuid        not null,
    assigned_at timestamptz not null,
    assigned_by uuid,
    position    bigint      not null
);

create table user_departments (
    tenant_id   uuid        not null,
    id          uuid        primary key,
    user_id     uuid        not null,
    dept_id     uuid        not null,
    assigned_at timestamptz not null,
    position    bigint      not null
);

create table role_permissions (
    tenant_id  uuid         not null,
    id         uuid         primary key,
    role_id    uuid         not null,
    permission varchar(100) not null,
    created_at timestamptz  not null,
    position   bigint       not null,
    place      integer      not null
);

create table requests (
    tenant_id    uuid        not null,
    id           uuid        primary key,
    device_id    varchar(50) not null,
    request_type varchar(50) not null,
    request_key  varchar(100),
    status       varchar(50) not null,
    payload_hash varchar(64) not null,
    payload      jsonb       not null,
    taken_by     uuid,
    taken_until  timestamptz,
    created_by   uuid,
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    position     bigint      not null
) with (fillfactor = 90);

create table request_metadata (
    tenant_id  uuid         not null,
    id         uuid         primary key,
    request_id uuid         not null,
    key        varchar(100) not null,
    value      text         not null,
    created_at timestamptz  not null,
    position   bigint       not null,
    place      integer      not null
);

create table responses (
    tenant_id    uuid        not null,
    id           uuid        primary key,
    request_id   uuid        not null,
    status       varchar(50) not null,
    content      jsonb       not null,
    ai_processed boolean     not null,
    delivered_at timestamptz,
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    position     bigint      not null
) with (fillfactor = 90);

create table response_metadata (
    tenant_id   uuid         not null,
    id          uuid         primary key,
    response_id uuid         not null,
    key         varchar(100) not null,
    value       text         not null,
    created_at  timestamptz  not null,
    position    bigint       not null,
    place       integer      not null
);

create table cloud_file_refs (
    tenant_id       uuid         not null,
    id              uuid         primary key,
    request_id      uuid         not null,
    response_id     uuid,
    file_type       varchar(50)  not null,
    cloud_provider  varchar(50)  not null,
    cloud_path      varchar(500) not null,
    file_size_bytes bigint,
    uploaded_at     timestamptz,
    sync_status     varchar(50)  not null,
    created_at      timestamptz  not null,
    position        bigint       not null
);

create table agent_decisions (
    tenant_id        uuid         not null,
    id               uuid         primary key,
    request_id       uuid         not null,
    agent_name       varchar(100) not null,
    decision_type    varchar(100) not null,
    decision_value   text         not null,
    reasoning        jsonb,
    confidence_score decimal(3, 2),
    created_at       timestamptz  not null,
    position         bigint       not null
);

create table device_connections (
    tenant_id                uuid        not null,
    id                       uuid        primary key,
    device_id                varchar(50) not null,
    user_id                  uuid,
    connection_type          varchar(50) not null,
    ip_address               inet,
    connected_at             timestamptz not null,
    disconnected_at          timestamptz,
    session_duration_seconds integer,
    created_at               timestamptz not null,
    position                 bigint      not null
);

create table part_suppliers (
    tenant_id         uuid        not null,
    id                uuid        primary key,
    part_id           uuid        not null,
    variant_id        uuid,
    supplier_id       uuid        not null,
    sku               varchar(100),
    supplier_cost     decimal(10, 2),
    currency          varchar(3),
    lead_time_days    integer,
    minimum_order_qty integer     not null,
    pack_qty          integer     not null,
    is_preferred      boolean     not null,
    created_at        timestamptz not null,
    updated_at        timestamptz not null,
    position          bigint      not null
);

create table orders (
    tenant_id     uuid        not null,
    id            uuid        primary key,
    request_id    uuid,
    order_type    varchar(50) not null,
    status        varchar(50) not null,
    department_id uuid        not null,
    currency      varchar(3)  not null,
    total         decimal(15, 2),
    submitted_total decimal(15, 2),
    revision      integer     not null,
    tolerance_percent integer not null,
    note          text,
    duplicate_of  uuid,
    location_id   uuid,
    from_location_id uuid,
    stock_refused integer     not null,
    created_by    uuid        not null,
    approved_by   uuid,
    created_at    timestamptz not null,
    approved_at   timestamptz,
    updated_at    timestamptz not null,
    position      bigint      not null
) with (fillfactor = 80);

create table order_items (
    tenant_id              uuid           not null,
    id                     uuid           primary key,
    order_id               uuid           not null,
    part_id                uuid           not null,
    variant_id             uuid,
    supplier_id            uuid           not null,
    quantity_ordered       integer        not null,
    quantity_received      integer        not null,
    unit_price             decimal(10, 2) not null,
    total_price            decimal(12, 2) not null generated always as (quantity_ordered * unit_price) stored,
    expected_delivery_date date,
    supplier_reference     varchar(100),
    confirmed_delivery_date date,
    confirmed_at           timestamptz,
    created_at             timestamptz    not null,
    position               bigint         not null,
    place                  integer        not null
) with (fillfactor = 90);

create table order_history (
    tenant_id         uuid         not null,
    id                uuid         primary key,
    order_id          uuid         not null,
    event_type        varchar(100) not null,
    event_description text         not null,
    user_id           uuid,
    metadata          jsonb        not null,
    created_at        timestamptz  not null,
    position          bigint       not null
);

create table order_approvals (
    tenant_id      uuid           not null,
    id             uuid           primary key,
    order_id       uuid           not null,
    approver_id    uuid           not null,
    approval_level integer        not null,
    status         varchar(50)    not null,
    notes          text,
    decision_at    timestamptz,
    decided_by     uuid,
    revision       integer        not null,
    department_id  uuid           not null,
    order_total    decimal(15, 2) not null,
    currency       varchar(3)     not null,
    due_at         timestamptz    not null,
    is_overdue     boolean        not null,
    is_top         boolean        not null,
    escalated_from uuid,
    split_with     jsonb          not null,
    created_at     timestamptz    not null,
    position       bigint         not null
) with (fillfactor = 80);

-- Beside the document: delegations must be visible to those whom they concern.
create table approval_delegations (
    tenant_id      uuid        not null,
    id             uuid        primary key,
    user_id        uuid        not null,
    delegate_id    uuid        not null,
    starts_at      timestamptz not null,
    ends_at        timestamptz not null,
    department_ids jsonb       not null,
    total_max      decimal(12, 2),
    currency       varchar(3),
    revoked_at     timestamptz,
    created_at     timestamptz not null,
    position       bigint      not null
);

-- Beside the document: what holds for approvals and devices must be readable by those for whom it holds.
create table approval_policies (
    tenant_id      uuid        not null,
    id             uuid        primary key,
    currencies     jsonb       not null,
    departments    jsonb       not null,
    top_deciders   jsonb       not null,
    deadline_hours integer     not null,
    is_active      boolean     not null,
    created_at     timestamptz not null,
    updated_at     timestamptz not null,
    position       bigint      not null
);

create table inventory (
    tenant_id          uuid        not null,
    id                 uuid        primary key,
    part_id            uuid        not null,
    variant_id         uuid,
    location_id        uuid        not null,
    quantity_on_hand   integer     not null,
    quantity_reserved  integer     not null,
    quantity_on_order  integer     not null,
    quantity_available integer     not null generated always as (quantity_on_hand - quantity_reserved) stored,
    reorder_point      integer,
    reorder_quantity   integer,
    last_counted_at    timestamptz,
    last_updated_at    timestamptz not null,
    position           bigint      not null
) with (fillfactor = 80);

-- Beside the document: every change of stock.
create table stock_moves (
    tenant_id         uuid        not null,
    id                uuid        primary key,
    inventory_id      uuid        not null,
    part_id           uuid        not null,
    variant_id        uuid,
    location_id       uuid        not null,
    kind              varchar(20) not null,
    quantity          integer     not null,
    quantity_reserved integer     not null,
    on_hand_after     integer     not null,
    available_after   integer     not null,
    reservation_id    uuid,
    source_kind       varchar(20),
    source_id         uuid,
    reason            text,
    moved_by          uuid,
    created_at        timestamptz not null,
    position          bigint      not null
);

-- Beside the document: whom stock is kept for.
create table stock_reservations (
    tenant_id      uuid        not null,
    id             uuid        primary key,
    reservation_id uuid        not null,
    inventory_id   uuid        not null,
    part_id        uuid        not null,
    variant_id     uuid,
    location_id    uuid        not null,
    status         varchar(20) not null,
    quantity       integer     not null,
    quantity_left  integer     not null,
    source_kind    varchar(20),
    source_id      uuid,
    expires_at     timestamptz,
    created_at     timestamptz not null,
    updated_at     timestamptz not null,
    position       bigint      not null
) with (fillfactor = 80);

-- In the document's diagram alone. A sum over variants, each of which may fill an integer.
create table stock_levels (
    tenant_id    uuid        not null,
    id           uuid        primary key,
    part_id      uuid        not null,
    location_id  uuid        not null,
    qty          bigint      not null,
    last_updated timestamptz not null,
    position     bigint      not null
) with (fillfactor = 80);

create table part_consumption (
    tenant_id         uuid        not null,
    id                uuid        primary key,
    part_id           uuid        not null,
    variant_id        uuid,
    location_id       uuid        not null,
    quantity_consumed integer     not null,
    consumption_date  date        not null,
    consumed_by       uuid,
    notes             text,
    created_at        timestamptz not null,
    position          bigint      not null
);

-- Beside the document: what to reorder, and why.
create table reorder_suggestions (
    tenant_id        uuid        not null,
    id               uuid        primary key,
    inventory_id     uuid        not null,
    part_id          uuid        not null,
    variant_id       uuid,
    location_id      uuid        not null,
    status           varchar(20) not null,
    quantity         integer     not null,
    on_hand          integer     not null,
    reserved         integer     not null,
    on_order         integer     not null,
    projected        integer     not null,
    reorder_point    integer     not null,
    reorder_quantity integer,
    order_id         uuid,
    quantity_ordered integer,
    part_supplier_id uuid,
    created_at       timestamptz not null,
    updated_at       timestamptz not null,
    position         bigint      not null
) with (fillfactor = 80);

-- One row for each row that an event changed in any other table. By year (UTC): what was long ago is
-- seldom asked for, and the keys of a new row land in the year's own indexes. Every time has its place,
-- and there is no default partition, so that a page in the order of time reads the newest years alone.
create table audit_logs (
    tenant_id     uuid         not null,
    id            uuid         not null,
    table_name    varchar(100) not null,
    operation     varchar(10)  not null,
    record_id     varchar(100) not null,
    user_id       uuid,
    actor_id      uuid         not null,
    old_values    jsonb,
    new_values    jsonb,
    change_reason text,
    ip_address    inet,
    created_at    timestamptz  not null,
    position      bigint       not null,
    place         integer      not null,
    primary key (id, created_at)
) partition by range (created_at);

create table audit_logs_before_2024 partition of audit_logs for values from (minvalue) to ('2024-01-01 00:00+00');
create table audit_logs_2024 partition of audit_logs for values from ('2024-01-01 00:00+00') to ('2025-01-01 00:00+00');
create table audit_logs_2025 partition of audit_logs for values from ('2025-01-01 00:00+00') to ('2026-01-01 00:00+00');
create table audit_logs_2026 partition of audit_logs for values from ('2026-01-01 00:00+00') to ('2027-01-01 00:00+00');
create table audit_logs_2027 partition of audit_logs for values from ('2027-01-01 00:00+00') to ('2028-01-01 00:00+00');
create table audit_logs_2028 partition of audit_logs for values from ('2028-01-01 00:00+00') to ('2029-01-01 00:00+00');
create table audit_logs_2029 partition of audit_logs for values from ('2029-01-01 00:00+00') to ('2030-01-01 00:00+00');
create table audit_logs_2030 partition of audit_logs for values from ('2030-01-01 00:00+00') to ('2031-01-01 00:00+00');
create table audit_logs_2031 partition of audit_logs for values from ('2031-01-01 00:00+00') to ('2032-01-01 00:00+00');
create table audit_logs_2032 partition of audit_logs for values from ('2032-01-01 00:00+00') to ('2033-01-01 00:00+00');
create table audit_logs_2033 partition of audit_logs for values from ('2033-01-01 00:00+00') to ('2034-01-01 00:00+00');
create table audit_logs_2034 partition of audit_logs for values from ('2034-01-01 00:00+00') to ('2035-01-01 00:00+00');
create table audit_logs_2035 partition of audit_logs for values from ('2035-01-01 00:00+00') to ('2036-01-01 00:00+00');
create table audit_logs_from_2036 partition of audit_logs for values from ('2036-01-01 00:00+00') to (maxvalue);

-- Unique in the tenant. A constraint that is led by the id of a row is so by itself, because ids are
-- unique over tenants. Deferred, so that values may change hands within a page.
alter table users add constraint users_email unique (tenant_id, email) deferrable initially deferred;
alter table users add constraint users_oauth_id unique (tenant_id, oauth_id) deferrable initially deferred;
alter table roles add constraint roles_name unique (tenant_id, name) deferrable initially deferred;
alter table user_roles add constraint user_roles_user_id_role_id unique (user_id, role_id) deferrable initially deferred;
alter table user_departments add constraint user_departments_user_id_dept_id unique (user_id, dept_id) deferrable initially deferred;
alter table role_permissions add constraint role_permissions_role_id_permission unique (role_id, permission) deferrable initially deferred;
alter table responses add constraint responses_request_id unique (request_id) deferrable initially deferred;
-- A missing variant is one value: an offer for the part itself.
alter table part_suppliers add constraint part_suppliers_part_id_variant_id_supplier_id unique nulls not distinct (part_id, variant_id, supplier_id) deferrable initially deferred;
-- As the record's id, which follows from these; a missing variant is one value again.
alter table inventory add constraint inventory_part_id_variant_id_location_id unique nulls not distinct (tenant_id, part_id, variant_id, location_id) deferrable initially deferred;
alter table stock_levels add constraint stock_levels_part_id_location_id unique (part_id, location_id) deferrable initially deferred;
alter table orders add constraint orders_request_id unique (request_id) deferrable initially deferred;

create index users_is_active on users (tenant_id, is_active, created_at, position);
create index users_name on users (tenant_id, name);
create index users_created_at on users (tenant_id, created_at, position);

create index roles_created_at on roles (tenant_id, created_at, position);

create index departments_name on departments (tenant_id, name);
create index departments_parent_id on departments (parent_id);
create index departments_manager_id on departments (manager_id);
create index departments_created_at on departments (tenant_id, created_at, position);

create index user_roles_role_id on user_roles (role_id);
create index user_roles_assigned_by on user_roles (assigned_by);
create index user_roles_assigned_at on user_roles (tenant_id, assigned_at, position);

create index user_departments_dept_id on user_departments (dept_id);
create index user_departments_assigned_at on user_departments (tenant_id, assigned_at, position);

create index role_permissions_permission on role_permissions (tenant_id, permission);
create index role_permissions_created_at on role_permissions (tenant_id, created_at, position, place);

-- Query pattern 1 of the document: a device's pending requests, newest first.
create index requests_device_id on requests (tenant_id, device_id, status, created_at, position);
create index requests_status on requests (tenant_id, status, created_at, position);
create index requests_request_type on requests (tenant_id, request_type, created_at, position);
create index requests_created_at on requests (tenant_id, created_at, position);
create index requests_payload_hash on requests (tenant_id, payload_hash);
create index requests_created_by on requests (created_by);
create index requests_taken_by on requests (taken_by);
create index requests_request_key on requests (tenant_id, request_key);

create index request_metadata_request_id on request_metadata (request_id, key);
create index request_metadata_key on request_metadata (tenant_id, key, created_at, position, place);
-- A longer value would not fit into an index.
create index request_metadata_key_value on request_metadata (tenant_id, key, value) where char_length(value) <= 500;
create index request_metadata_created_at on request_metadata (tenant_id, created_at, position, place);

create index responses_status on responses (tenant_id, status, created_at, position);
create index responses_ai_processed on responses (tenant_id, ai_processed, created_at, position);
create index responses_created_at on responses (tenant_id, created_at, position);

create index response_metadata_response_id on response_metadata (response_id, key);
create index response_metadata_key on response_metadata (tenant_id, key, created_at, position, place);
create index response_metadata_created_at on response_metadata (tenant_id, created_at, position, place);

create index cloud_file_refs_request_id on cloud_file_refs (request_id, created_at, position);
create index cloud_file_refs_response_id on cloud_file_refs (response_id);
create index cloud_file_refs_cloud_provider on cloud_file_refs (tenant_id, cloud_provider, created_at, position);
create index cloud_file_refs_sync_status on cloud_file_refs (tenant_id, sync_status, created_at, position);
create index cloud_file_refs_created_at on cloud_file_refs (tenant_id, created_at, position);

create index agent_decisions_request_id on agent_decisions (request_id, created_at, position);
create index agent_decisions_agent_name on agent_decisions (tenant_id, agent_name, created_at, position);
create index agent_decisions_decision_type on agent_decisions (tenant_id, decision_type, created_at, position);
create index agent_decisions_created_at on agent_decisions (tenant_id, created_at, position);

create index device_connections_device_id on device_connections (tenant_id, device_id, connected_at, position);
create index device_connections_user_id on device_connections (user_id, connected_at, position);
create index device_connections_connected_at on device_connections (tenant_id, connected_at, position);
create index device_connections_created_at on device_connections (tenant_id, created_at, position);

create index part_suppliers_supplier_id on part_suppliers (supplier_id);
create index part_suppliers_variant_id on part_suppliers (variant_id);
create index part_suppliers_sku on part_suppliers (tenant_id, sku);
create index part_suppliers_is_preferred on part_suppliers (tenant_id, is_preferred, created_at, position);
create index part_suppliers_created_at on part_suppliers (tenant_id, created_at, position);

create index orders_status on orders (tenant_id, status, created_at, position);
create index orders_department_id on orders (department_id, created_at, position);
create index orders_created_by on orders (created_by, created_at, position);
create index orders_created_at on orders (tenant_id, created_at, position);

-- An approver looks for what waits for them, the one that is due first before the others.
create index order_approvals_approver_id on order_approvals (approver_id, created_at, position);
create index order_approvals_inbox on order_approvals (approver_id, due_at, position) where status = 'pending';
create index order_approvals_order_id on order_approvals (order_id, approval_level, created_at, position);
create index order_approvals_status on order_approvals (tenant_id, status, created_at, position);
create index order_approvals_due_at on order_approvals (tenant_id, due_at, position);
create index order_approvals_created_at on order_approvals (tenant_id, created_at, position);

create index approval_policies_is_active on approval_policies (tenant_id, is_active, created_at, position);
create index approval_policies_created_at on approval_policies (tenant_id, created_at, position);

create index approval_delegations_user_id on approval_delegations (user_id, created_at, position);
create index approval_delegations_delegate_id on approval_delegations (delegate_id, created_at, position);
create index approval_delegations_ends_at on approval_delegations (tenant_id, ends_at, position);
create index approval_delegations_created_at on approval_delegations (tenant_id, created_at, position);

create index order_items_order_id on order_items (order_id, created_at, position, place);
create index order_items_part_id on order_items (part_id, created_at, position, place);
create index order_items_supplier_id on order_items (supplier_id, created_at, position, place);
create index order_items_created_at on order_items (tenant_id, created_at, position, place);

create index order_history_order_id on order_history (order_id, created_at, position);
create index order_history_event_type on order_history (tenant_id, event_type, created_at, position);
create index order_history_created_at on order_history (tenant_id, created_at, position);

create index inventory_part_id on inventory (part_id, id);
create index inventory_variant_id on inventory (variant_id, id);
create index inventory_location_id on inventory (location_id, id);
create index inventory_quantity_available on inventory (tenant_id, quantity_available, position);
create index inventory_reorder_point on inventory (tenant_id, reorder_point, id);
-- Query pattern 2 of the document: what a location has to reorder, the scarcest first.
create index inventory_reorder on inventory (location_id, quantity_available, position) where quantity_available <= reorder_point;

create index stock_moves_inventory_id on stock_moves (inventory_id, created_at, position);
create index stock_moves_part_id on stock_moves (part_id, created_at, position);
create index stock_moves_location_id on stock_moves (location_id, created_at, position);
create index stock_moves_source_id on stock_moves (source_id, created_at, position);
create index stock_moves_created_at on stock_moves (tenant_id, created_at, position);

create index stock_reservations_reservation_id on stock_reservations (reservation_id);
create index stock_reservations_inventory_id on stock_reservations (inventory_id, created_at, position);
create index stock_reservations_location_id on stock_reservations (location_id, created_at, position);
create index stock_reservations_status on stock_reservations (tenant_id, status, created_at, position);
create index stock_reservations_source_id on stock_reservations (source_id, created_at, position);
create index stock_reservations_created_at on stock_reservations (tenant_id, created_at, position);

create index stock_levels_location_id on stock_levels (location_id, id);
create index stock_levels_qty on stock_levels (tenant_id, qty, position);

create index part_consumption_part_id on part_consumption (part_id, created_at, position);
create index part_consumption_location_id on part_consumption (location_id, created_at, position);
create index part_consumption_consumption_date on part_consumption (tenant_id, consumption_date, position);
create index part_consumption_consumed_by on part_consumption (consumed_by, created_at, position);
create index part_consumption_created_at on part_consumption (tenant_id, created_at, position);

create index reorder_suggestions_inventory_id on reorder_suggestions (inventory_id, created_at, position);
create index reorder_suggestions_part_id on reorder_suggestions (part_id, created_at, position);
create index reorder_suggestions_location_id on reorder_suggestions (location_id, created_at, position);
create index reorder_suggestions_status on reorder_suggestions (tenant_id, status, created_at, position);
create index reorder_suggestions_order_id on reorder_suggestions (order_id);
create index reorder_suggestions_created_at on reorder_suggestions (tenant_id, created_at, position);

-- What happened to a row, whatever its table: its key is a uuid of its own in nearly all of them.
create index audit_logs_record_id on audit_logs (record_id, created_at, position, place);
create index audit_logs_table_name on audit_logs (tenant_id, table_name, created_at, position, place);
create index audit_logs_operation on audit_logs (tenant_id, operation, created_at, position, place);
create index audit_logs_user_id on audit_logs (user_id, created_at, position, place);
create index audit_logs_created_at on audit_logs (tenant_id, created_at, position, place);

-- Nobody searches inside the values, and sampling them is most of the work of analyze.
alter table audit_logs alter column old_values set statistics 0;
alter table audit_logs alter column new_values set statistics 0;

-- Deferred, so that a page may post children before their parents. Folds delete their own children;
-- the document's cascades are declared and never fire.
alter table departments add constraint departments_parent foreign key (parent_id) references departments deferrable initially deferred;
alter table departments add constraint departments_manager foreign key (manager_id) references users deferrable initially deferred;
alter table user_roles add constraint user_roles_user foreign key (user_id) references users on delete cascade deferrable initially deferred;
alter table user_roles add constraint user_roles_role foreign key (role_id) references roles on delete cascade deferrable initially deferred;
alter table user_roles add constraint user_roles_assigned_by_user foreign key (assigned_by) references users deferrable initially deferred;
alter table user_departments add constraint user_departments_user foreign key (user_id) references users on delete cascade deferrable initially deferred;
alter table user_departments add constraint user_departments_department foreign key (dept_id) references departments on delete cascade deferrable initially deferred;
alter table role_permissions add constraint role_permissions_role foreign key (role_id) references roles on delete cascade deferrable initially deferred;
alter table requests add constraint requests_taken_by_user foreign key (taken_by) references users deferrable initially deferred;
alter table requests add constraint requests_created_by_user foreign key (created_by) references users deferrable initially deferred;
alter table request_metadata add constraint request_metadata_request foreign key (request_id) references requests on delete cascade deferrable initially deferred;
alter table responses add constraint responses_request foreign key (request_id) references requests on delete cascade deferrable initially deferred;
alter table response_metadata add constraint response_metadata_response foreign key (response_id) references responses on delete cascade deferrable initially deferred;
alter table cloud_file_refs add constraint cloud_file_refs_request foreign key (request_id) references requests on delete cascade deferrable initially deferred;
alter table cloud_file_refs add constraint cloud_file_refs_response foreign key (response_id) references responses on delete cascade deferrable initially deferred;
alter table agent_decisions add constraint agent_decisions_request foreign key (request_id) references requests deferrable initially deferred;
alter table device_connections add constraint device_connections_user foreign key (user_id) references users deferrable initially deferred;
alter table part_suppliers add constraint part_suppliers_part foreign key (part_id) references parts on delete cascade deferrable initially deferred;
alter table part_suppliers add constraint part_suppliers_variant foreign key (variant_id) references part_variants on delete cascade deferrable initially deferred;
alter table part_suppliers add constraint part_suppliers_supplier foreign key (supplier_id) references suppliers on delete cascade deferrable initially deferred;
alter table orders add constraint orders_request foreign key (request_id) references requests deferrable initially deferred;
alter table orders add constraint orders_department foreign key (department_id) references departments deferrable initially deferred;
alter table orders add constraint orders_duplicate_of_order foreign key (duplicate_of) references orders deferrable initially deferred;
alter table orders add constraint orders_location foreign key (location_id) references locations deferrable initially deferred;
alter table orders add constraint orders_from_location foreign key (from_location_id) references locations deferrable initially deferred;
alter table orders add constraint orders_created_by_user foreign key (created_by) references users deferrable initially deferred;
alter table orders add constraint orders_approved_by_user foreign key (approved_by) references users deferrable initially deferred;
alter table order_approvals add constraint order_approvals_order foreign key (order_id) references orders on delete cascade deferrable initially deferred;
alter table order_approvals add constraint order_approvals_approver foreign key (approver_id) references users deferrable initially deferred;
alter table order_approvals add constraint order_approvals_decided_by_user foreign key (decided_by) references users deferrable initially deferred;
alter table order_approvals add constraint order_approvals_department foreign key (department_id) references departments deferrable initially deferred;
alter table order_approvals add constraint order_approvals_escalated_from_user foreign key (escalated_from) references users deferrable initially deferred;
alter table approval_delegations add constraint approval_delegations_user foreign key (user_id) references users deferrable initially deferred;
alter table approval_delegations add constraint approval_delegations_delegate foreign key (delegate_id) references users deferrable initially deferred;
alter table order_items add constraint order_items_order foreign key (order_id) references orders on delete cascade deferrable initially deferred;
alter table order_items add constraint order_items_part foreign key (part_id) references parts deferrable initially deferred;
alter table order_items add constraint order_items_variant foreign key (variant_id) references part_variants deferrable initially deferred;
alter table order_items add constraint order_items_supplier foreign key (supplier_id) references suppliers deferrable initially deferred;
alter table order_history add constraint order_history_order foreign key (order_id) references orders on delete cascade deferrable initially deferred;
alter table order_history add constraint order_history_user foreign key (user_id) references users deferrable initially deferred;
alter table inventory add constraint inventory_part foreign key (part_id) references parts on delete cascade deferrable initially deferred;
alter table inventory add constraint inventory_variant foreign key (variant_id) references part_variants on delete cascade deferrable initially deferred;
alter table inventory add constraint inventory_location foreign key (location_id) references locations on delete cascade deferrable initially deferred;
alter table part_consumption add constraint part_consumption_part foreign key (part_id) references parts deferrable initially deferred;
alter table part_consumption add constraint part_consumption_variant foreign key (variant_id) references part_variants deferrable initially deferred;
alter table part_consumption add constraint part_consumption_location foreign key (location_id) references locations deferrable initially deferred;
alter table stock_moves add constraint stock_moves_part foreign key (part_id) references parts deferrable initially deferred;
alter table stock_moves add constraint stock_moves_variant foreign key (variant_id) references part_variants deferrable initially deferred;
alter table stock_moves add constraint stock_moves_location foreign key (location_id) references locations deferrable initially deferred;
alter table stock_reservations add constraint stock_reservations_part foreign key (part_id) references parts deferrable initially deferred;
alter table stock_reservations add constraint stock_reservations_variant foreign key (variant_id) references part_variants deferrable initially deferred;
alter table stock_reservations add constraint stock_reservations_location foreign key (location_id) references locations deferrable initially deferred;
alter table reorder_suggestions add constraint reorder_suggestions_part foreign key (part_id) references parts deferrable initially deferred;
alter table reorder_suggestions add constraint reorder_suggestions_variant foreign key (variant_id) references part_variants deferrable initially deferred;
alter table reorder_suggestions add constraint reorder_suggestions_location foreign key (location_id) references locations deferrable initially deferred;
alter table stock_levels add constraint stock_levels_part foreign key (part_id) references parts deferrable initially deferred;
alter table stock_levels add constraint stock_levels_location foreign key (location_id) references locations deferrable initially deferred;
alter table stock_moves add constraint stock_moves_inventory foreign key (inventory_id) references inventory deferrable initially deferred;
alter table stock_reservations add constraint stock_reservations_inventory foreign key (inventory_id) references inventory deferrable initially deferred;
alter table reorder_suggestions add constraint reorder_suggestions_inventory foreign key (inventory_id) references inventory deferrable initially deferred;
alter table stock_moves add constraint stock_moves_moved_by_user foreign key (moved_by) references users deferrable initially deferred;
alter table part_consumption add constraint part_consumption_consumed_by_user foreign key (consumed_by) references users deferrable initially deferred;
alter table reorder_suggestions add constraint reorder_suggestions_order foreign key (order_id) references orders deferrable initially deferred;

alter table audit_logs add constraint audit_logs_user foreign key (user_id) references users deferrable initially deferred;
