select s.id as source_id, s.name,
    count(d.id) as received,
    count(d.id) filter (where d.status = 'recognised' and d.format <> 'unmapped') as recognised,
    count(d.id) filter (where d.status = 'recognised' and d.format = 'unmapped') as unmapped,
    count(d.id) filter (where d.status = 'unreadable') as unreadable,
    count(d.id) filter (where d.status = 'received') as waiting,
    coalesce(sum(d.alerts), 0)::bigint as alerts,
    max(d.received_at) as last_received_at
from dod.webhook_sources s
left join dod.deliveries d on d.source_id = s.id and d.received_at > now() - make_interval(hours => $1)
group by s.id, s.name
order by s.name, s.id
limit $2
