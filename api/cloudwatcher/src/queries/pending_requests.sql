from cloudwatcher.requests t
where t.device_id = $device_id and t.status = 'pending'
