-- Puts a certificate on the list of those wanted, makes it due if it has no due time, and wakes the
-- fleet.
--
-- It is due a minute ago, so that a node whose clock is behind this one's finds it due as well.
--
-- KEYS  1 those wanted  2 the due index  3 the feed (a channel)
-- ARGV  1 certificate id  2 what is wanted, JSON
local now = redis.call('TIME')[1] * 1000
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], 'NX', string.format('%.0f', now - 60000), ARGV[1])
redis.call('PUBLISH', KEYS[3], cjson.encode({kind = 'wanted', id = ARGV[1]}))
