-- Gives a lease its whole time to live again, if it is still this owner's.
--
-- KEYS  1 the lease  2 the index of leases of its kind
-- ARGV  1 resource  2 owner  3 time to live, ms
-- Gives 1, or 0 if the lease is lost.
local ttl = tonumber(ARGV[3])

if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[2] then
  return 0
end
redis.call('PEXPIRE', KEYS[1], ttl)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[2], string.format('%.0f', now + ttl), ARGV[1])
if redis.call('PTTL', KEYS[2]) < ttl then
  redis.call('PEXPIRE', KEYS[2], ttl)
end
return 1
