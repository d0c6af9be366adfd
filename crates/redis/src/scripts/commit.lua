-- Makes a record the newest generation of its certificate, in one step.
--
-- The order of the checks matters. A repeat of a commit that happened comes first, because its
-- lease may be gone by then. Then the lease must be alive and the owner's, and nothing later may
-- have been committed. Only then is anything written.
--
-- KEYS  1 the lease  2 the record  3 the due index  4 the change index  5 the epoch
--       6 the attempt  7 the suggestion  8 the index of questions  9 the index of removals
--       10 the feed (a channel)
-- ARGV  1 certificate id  2 owner  3 renew_at, ms
--       4... the record's fields, each name before its text
-- Gives {'committed', epoch, committed_at}, {'lost'}, {'fenced', newest} or {'stale', newest}.

-- A number of days since 1970-01-01 as YYYY-MM-DD.
local function date(days)
  local year = 1970
  local function leap()
    return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  end
  while days >= (leap() and 366 or 365) do
    days = days - (leap() and 366 or 365)
    year = year + 1
  end
  local month = 1
  local lengths = {31, leap() and 29 or 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
  while days >= lengths[month] do
    days = days - lengths[month]
    month = month + 1
  end
  return string.format('%04d-%02d-%02d', year, month, days + 1)
end

-- What TIME gives, as RFC 3339 in UTC with milliseconds.
local function rfc3339(time)
  local seconds = tonumber(time[1])
  local rest = seconds % 86400
  return string.format('%sT%02d:%02d:%02d.%03dZ', date(math.floor(seconds / 86400)),
    math.floor(rest / 3600), math.floor(rest / 60) % 60, rest % 60, math.floor(time[2] / 1000))
end

local offered = {}
for i = 4, #ARGV, 2 do
  offered[ARGV[i]] = ARGV[i + 1]
end

-- No two values are sealed alike: the same one is the same commit.
local stored = redis.call('HMGET', KEYS[2],
  'generation', 'fencing', 'sealed', 'epoch', 'committed_at')
if stored[1] == offered.generation and stored[2] == offered.fencing
  and stored[3] == offered.sealed and stored[4] and stored[5] then
  return {'committed', stored[4], stored[5]}
end

if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[2] then
  return {'lost'}
end
if (tonumber(stored[2]) or 0) > tonumber(offered.fencing) then
  return {'fenced', stored[2]}
end
if (tonumber(stored[1]) or 0) >= tonumber(offered.generation) then
  return {'stale', stored[1]}
end

offered.epoch = string.format('%.0f', redis.call('INCR', KEYS[5]))
local time = redis.call('TIME')
offered.committed_at = rfc3339(time)

redis.call('DEL', KEYS[2], KEYS[6], KEYS[7])
redis.call('HSET', KEYS[2], 'epoch', offered.epoch, 'committed_at', offered.committed_at,
  unpack(ARGV, 4))
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[4], offered.epoch, ARGV[1])
-- The CA is to be asked at once when it suggests to renew.
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[8], string.format('%.0f', now), ARGV[1])
redis.call('ZREM', KEYS[9], ARGV[1])
redis.call('PUBLISH', KEYS[10], cjson.encode({kind = 'committed', fields = offered}))
return {'committed', offered.epoch, offered.committed_at}
