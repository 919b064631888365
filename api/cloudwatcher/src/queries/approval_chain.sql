from cloudwatcher.order_approvals t
join cloudwatcher.orders o on o.id = t.order_id
join cloudwatcher.users asked on asked.id = t.approver_id
left join cloudwatcher.users decider on decider.id = t.decided_by
where t.order_id = $id
