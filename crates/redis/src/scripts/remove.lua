-- Takes a certificate out of the fleet, for who holds the lease on it.
--
-- KEYS  1 the lease  2 the record  3 the attempt  4 the suggestion  5 the due index
--       6 the change index  7 the index of questions  8 those wanted  9 the index of removals
--       10 the epoch  11 the feed (a channel)
-- ARGV  1 certificate id  2 owner  3 how long removals are kept after the last one, ms
--       4 how many of them are kept
-- Gives 1, or 0 if the lease is lost.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[2] then
  return 0
end

redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
redis.call('ZREM', KEYS[5], ARGV[1])
redis.call('ZREM', KEYS[6], ARGV[1])
redis.call('ZREM', KEYS[7], ARGV[1])
redis.call('HDEL', KEYS[8], ARGV[1])
redis.call('ZADD', KEYS[9], string.format('%.0f', redis.call('INCR', KEYS[10])), ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[9], 0, -tonumber(ARGV[4]) - 1)
redis.call('PEXPIRE', KEYS[9], ARGV[3])
redis.call('PUBLISH', KEYS[11], cjson.encode({kind = 'removed', id = ARGV[1]}))
return 1
