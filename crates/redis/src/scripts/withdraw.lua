-- Takes an answer down, at once or after a while; one that has replaced it stays.
--
-- KEYS  1 the answer  2 the certificate's answers by their end
-- ARGV  1 the answer, JSON  2 how long it may stay up, ms
local linger = tonumber(ARGV[2])
if redis.call('GET', KEYS[1]) == ARGV[1] then
  if linger == 0 then
    redis.call('DEL', KEYS[1])
  elseif redis.call('PTTL', KEYS[1]) > linger then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
end
redis.call('ZREM', KEYS[2], ARGV[1])
