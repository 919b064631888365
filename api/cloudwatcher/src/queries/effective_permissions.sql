from cloudwatcher.user_roles ur
join cloudwatcher.users u on u.id = ur.user_id
join cloudwatcher.roles r on r.id = ur.role_id
join cloudwatcher.role_permissions t on t.role_id = r.id
where ur.user_id = $id and u.is_active and r.is_active
