-- Makes a certificate due at once, forgets what failed, and wakes the fleet.
--
-- KEYS  1 the due index  2 the attempt  3 the feed (a channel)
-- ARGV  1 certificate id
redis.call('ZADD', KEYS[1], 0, ARGV[1])
redis.call('DEL', KEYS[2])
redis.call('PUBLISH', KEYS[3], cjson.encode({kind = 'due', id = ARGV[1]}))
