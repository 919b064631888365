from cloudwatcher.part_suppliers t
join cloudwatcher.suppliers s on s.id = t.supplier_id
cross join lateral (
    select ceil(greatest(coalesce($quantity::integer, 1), t.minimum_order_qty)::numeric / t.pack_qty) * t.pack_qty as quantity,
        coalesce(t.currency, $currency::text, '') as currency
) need
where t.part_id = $part_id
  and (t.variant_id = $variant_id or $variant_id::uuid is null and t.variant_id is null)
  and ($currency::text is null or need.currency = $currency::text)
  and s.is_active
