-- Puts an answer up, and notes for which certificate.
--
-- KEYS  1 the answer  2 the certificate's answers by their end
-- ARGV  1 the answer, JSON  2 time to live, ms
local ttl = tonumber(ARGV[2])
local before = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now))
if before and before ~= ARGV[1] then
  redis.call('ZREM', KEYS[2], before)
end
redis.call('ZADD', KEYS[2], string.format('%.0f', now + ttl), ARGV[1])
if redis.call('PTTL', KEYS[2]) < ttl then
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
