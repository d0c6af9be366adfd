-- Makes a certificate due at once, forgets what failed, and wakes the fleet.
--
-- "At once" is a minute ago, so that a node whose clock is behind this one's finds it due as well.
--
-- KEYS  1 the due index  2 the attempt  3 the feed (a channel)
-- ARGV  1 certificate id
local now = redis.call('TIME')[1] * 1000
redis.call('ZADD', KEYS[1], string.format('%.0f', now - 60000), ARGV[1])
redis.call('DEL', KEYS[2])
redis.call('PUBLISH', KEYS[3], cjson.encode({kind = 'due', id = ARGV[1]}))
