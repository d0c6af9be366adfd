-- Takes a lease, unless someone holds it or, for a certificate's, as many are held as may be.
--
-- The token rises with every grant. It is also put above the token of the record the lease is
-- for, so that a lost counter cannot hand out tokens that every commit would refuse.
--
-- KEYS  1 the lease  2 the index of leases of its kind  3 the fencing counter
--       4 the record (only for certificates)
-- ARGV  1 resource  2 owner  3 node  4 time to live, ms  5 since, for people
--       6 how many leases on certificates may be held
-- Gives the token, 'held' or 'full'.
local ttl = tonumber(ARGV[4])

-- The index forgets what has run out, so its size is how many are held.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now))

if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'held'
end
if KEYS[4] and redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[6]) then
  return 'full'
end

local fencing = redis.call('INCR', KEYS[3])
if KEYS[4] then
  local committed = tonumber(redis.call('HGET', KEYS[4], 'fencing')) or 0
  if committed >= fencing then
    fencing = committed + 1
    redis.call('SET', KEYS[3], string.format('%.0f', fencing))
  end
end

redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'node', ARGV[3],
  'fencing', string.format('%.0f', fencing), 'since', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ttl)

-- The index lasts as long as the longest lease in it.
redis.call('ZADD', KEYS[2], string.format('%.0f', now + ttl), ARGV[1])
if redis.call('PTTL', KEYS[2]) < ttl then
  redis.call('PEXPIRE', KEYS[2], ttl)
end
return string.format('%.0f', fencing)
