-- Takes a node's heart-beat.
--
-- KEYS  1 the node  2 the index of nodes
-- ARGV  1 node id  2 time to live, ms  3... the heart-beat's fields, each name before its text
local ttl = tonumber(ARGV[2])
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], ttl)

-- The index forgets nodes that are gone, and lasts as long as the longest heart-beat in it.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now))
redis.call('ZADD', KEYS[2], string.format('%.0f', now + ttl), ARGV[1])
if redis.call('PTTL', KEYS[2]) < ttl then
  redis.call('PEXPIRE', KEYS[2], ttl)
end
