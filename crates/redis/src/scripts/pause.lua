-- Has the fleet leave an issuer alone until a time; a later one that stands already stays.
--
-- KEYS  1 the pauses by their end
-- ARGV  1 issuer  2 until, ms
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])

-- The index forgets what is over, and lasts as long as the longest pause in it.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local ttl = ARGV[2] - now
if redis.call('PTTL', KEYS[1]) < ttl then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttl))
end
