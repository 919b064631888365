from cloudwatcher.part_suppliers t
join cloudwatcher.suppliers s on s.id = t.supplier_id
where t.part_id = $part_id
  and (t.variant_id = $variant_id or $variant_id::uuid is null and t.variant_id is null)
  and s.is_active
