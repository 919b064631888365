from (
    with recursive below (id, depth, path) as (
        select d.id, 0, array[d.id] from cloudwatcher.departments d where d.id = $id
        union all
        select d.id, above.depth + 1, above.path || d.id
        from below above
        join cloudwatcher.departments d on d.parent_id = above.id
        -- A department that is moved with all below it may come to lie deeper than the 32 levels down to which
        -- one is entered. Nobody can close a circle; should there ever be one, this still ends.
        where above.depth < 64 and d.id <> all (above.path)
    )
    select * from below
) below, cloudwatcher.departments t
where t.id = below.id
