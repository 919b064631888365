-- Asks that are open for person $1: those that name them, and those of people who delegated to them.
-- Left out is what they may not decide: orders that they drafted, or of which they decided another level, and
-- what was asked of somebody who is no longer the active manager with the permission.
with recursive mine as (
    select null::uuid as delegation_id, $1::uuid as approver_id, '[]'::jsonb as department_ids, null::numeric as total_max,
        null::text as currency
    union all
    select d.id, d.user_id, d.department_ids, d.total_max, d.currency
    from cloudwatcher.approval_delegations d
    where d.delegate_id = $1 and d.revoked_at is null and d.starts_at <= now() and d.ends_at > now()
), above (department_id, ancestor_id, depth) as (
    select d.id, d.id, 0 from cloudwatcher.departments d
    where exists (select from mine m where m.department_ids <> '[]')
    union all
    select a.department_id, d.parent_id, a.depth + 1
    from above a join cloudwatcher.departments d on d.id = a.ancestor_id
    where d.parent_id is not null and a.depth < 32
)
select distinct on (oa.due_at, oa.position) oa.due_at, oa.position, jsonb_build_object(
    'id', oa.id,
    'order_id', oa.order_id,
    'revision', oa.revision,
    'level', oa.approval_level,
    'order_total', oa.order_total::text,
    'total_now', o.total::text,
    'currency', oa.currency,
    'due_at', oa.due_at,
    'is_overdue', oa.is_overdue,
    'escalated_from', oa.escalated_from,
    'split_with', oa.split_with,
    'approver_id', oa.approver_id,
    'delegation_id', m.delegation_id,
    'asked_at', oa.created_at,
    'department_id', o.department_id,
    'created_by', o.created_by,
    'note', o.note,
    'items', (
        select jsonb_agg(jsonb_build_object(
            'item_id', i.id, 'part_id', i.part_id, 'part_code', p.part_code, 'name', p.name,
            'variant_id', i.variant_id, 'supplier_id', i.supplier_id, 'supplier', s.name,
            'quantity', i.quantity_ordered, 'unit_price', i.unit_price::text, 'total_price', i.total_price::text,
            'expected_delivery_date', i.expected_delivery_date) order by i.created_at, i.position, i.place)
        from cloudwatcher.order_items i
        join cloudwatcher.parts p on p.id = i.part_id
        join cloudwatcher.suppliers s on s.id = i.supplier_id
        where i.order_id = o.id)) as ask
from mine m
join cloudwatcher.order_approvals oa on oa.approver_id = m.approver_id and oa.status = 'pending'
join cloudwatcher.orders o on o.id = oa.order_id
-- Whoever was asked must still be the one to ask, or the decision is refused.
join cloudwatcher.departments asked on asked.id = oa.department_id
  and case
      when oa.is_top then exists (
          select from cloudwatcher.approval_policies p where p.is_active and p.top_deciders ? oa.approver_id::text)
      else asked.manager_id = oa.approver_id and asked.is_active end
where o.created_by <> $1
  and (select count(distinct u.id) from cloudwatcher.users u
       join cloudwatcher.user_roles ur on ur.user_id = u.id
       join cloudwatcher.roles r on r.id = ur.role_id and r.is_active
       join cloudwatcher.role_permissions rp on rp.role_id = r.id
       where u.id in ($1, oa.approver_id) and u.is_active
         and rp.permission in ('*', 'orders.*', 'orders.approve')) = case when oa.approver_id = $1 then 1 else 2 end
  and (m.total_max is null
       or (oa.order_total <= m.total_max and (m.currency is null or m.currency = oa.currency)))
  and (m.department_ids = '[]' or exists (
      select from above a where a.department_id = o.department_id and m.department_ids ? a.ancestor_id::text))
  and not exists (
      select from cloudwatcher.order_approvals other
      where other.order_id = oa.order_id and other.revision = oa.revision
        and other.status = 'approved' and $1 in (other.decided_by, other.approver_id))
  and ($2::timestamptz is null or (oa.due_at, oa.position) > ($2, $3))
order by oa.due_at, oa.position, m.delegation_id nulls first
limit $4
