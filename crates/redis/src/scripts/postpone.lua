-- Writes down a failed attempt and moves the certificate's due time, for who holds the lease.
--
-- KEYS  1 the lease  2 the attempt  3 the due index
-- ARGV  1 certificate id  2 owner  3 next, ms  4 how long the attempt is kept after next, ms
--       5... the attempt's fields, each name before its text
-- Gives 1, or 0 if the lease is lost.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[2] then
  return 0
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local wait = math.max(0, tonumber(ARGV[3]) - now)

redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], unpack(ARGV, 5))
redis.call('PEXPIRE', KEYS[2], string.format('%.0f', wait + tonumber(ARGV[4])))
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
return 1
