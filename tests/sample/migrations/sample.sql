-- The read tables of context sample, declared whole.

create table jars (
    tenant_id   uuid        not null,
    id          uuid        primary key,
    label       varchar(40) not null,
    labelled_by uuid,
    labelled_at timestamptz not null,
    position    bigint      not null
);

-- Deferred, so that a label may change hands within a page.
alter table jars add constraint jars_label unique (tenant_id, label) deferrable initially deferred;
create index jars_labelled_by on jars (labelled_by);
create index jars_labelled_at on jars (tenant_id, labelled_at, position);
