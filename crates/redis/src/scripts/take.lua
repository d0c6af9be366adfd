-- Takes a token from each bucket, or none from any; or only looks whether they are there.
--
-- A bucket is the time at which it is full, see core::budget. Tokens are counted by the caller's
-- time. A bucket is forgotten once it is full by that and by this server's time as well, so that a
-- node whose clock is ahead cannot empty the index.
--
-- KEYS  1 the buckets by when they are full  2 the pauses by their end
-- ARGV  1 issuer  2 now, ms  3 '1' to take, '0' to look
--       4... for each token: its bucket, how long it takes to come back, ms, and how far the time
--       full may lie ahead, ms
-- Gives {'all'}, {'short', which token (from 1), until} or {'paused', until}.
local now = tonumber(ARGV[2])

local paused = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]))
if paused and paused > now then
  return {'paused', string.format('%.0f', paused)}
end
if #ARGV == 3 then
  return {'all'}
end

local buckets = {}
for i = 4, #ARGV, 3 do
  buckets[#buckets + 1] = ARGV[i]
end
local scores = redis.call('ZMSCORE', KEYS[1], unpack(buckets))

local full = {}
local ttl = 0
for n, bucket in ipairs(buckets) do
  local refill, ahead = tonumber(ARGV[3 * n + 2]), tonumber(ARGV[3 * n + 3])
  local after = math.max(full[bucket] or tonumber(scores[n]) or now, now) + refill
  if after - ahead > now then
    return {'short', tostring(n), string.format('%.0f', after - ahead)}
  end
  full[bucket] = after
  ttl = math.max(ttl, after - now)
end
if ARGV[3] ~= '1' then
  return {'all'}
end

local entries = {}
for bucket, after in pairs(full) do
  entries[#entries + 1] = string.format('%.0f', after)
  entries[#entries + 1] = bucket
end
redis.call('ZADD', KEYS[1], unpack(entries))
local time = redis.call('TIME')
local over = math.min(now, time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', over))
if redis.call('PTTL', KEYS[1]) < ttl then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttl))
end
return {'all'}
