-- Puts tokens back into their buckets; one that is full by that is not kept.
--
-- KEYS  1 the buckets by when they are full
-- ARGV  1 now, ms  2... for each token: its bucket, and how long it takes to come back, ms
local now = tonumber(ARGV[1])
for i = 2, #ARGV, 2 do
  local full = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i]))
  if full then
    local before = full - tonumber(ARGV[i + 1])
    if before > now then
      redis.call('ZADD', KEYS[1], string.format('%.0f', before), ARGV[i])
    else
      redis.call('ZREM', KEYS[1], ARGV[i])
    end
  end
end
