-- Takes an answer down; one that has replaced it stays.
--
-- KEYS  1 the answer  2 the certificate's answers by their end
-- ARGV  1 the answer, JSON
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
redis.call('ZREM', KEYS[2], ARGV[1])
