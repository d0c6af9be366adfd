-- Asks for the revocation of one generation, makes the certificate due at once, and wakes the fleet.
-- A request that stands already stays as it is.
--
-- "At once" is a minute ago, so that a node whose clock is behind this one's finds it due as well.
--
-- KEYS  1 the request  2 the certificate's requests by generation  3 the due index
--       4 the feed (a channel)
-- ARGV  1 certificate id  2 generation  3... the request's fields, each name before its text
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], unpack(ARGV, 3))
  redis.call('ZADD', KEYS[2], ARGV[2], ARGV[2])
end
local now = redis.call('TIME')[1] * 1000
redis.call('ZADD', KEYS[3], string.format('%.0f', now - 60000), ARGV[1])
redis.call('PUBLISH', KEYS[4], cjson.encode({kind = 'due', id = ARGV[1]}))
