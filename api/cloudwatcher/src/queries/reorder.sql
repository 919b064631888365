from cloudwatcher.inventory t
join cloudwatcher.parts p on p.id = t.part_id
where t.location_id = $location_id and t.quantity_available <= t.reorder_point
