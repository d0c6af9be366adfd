-- Takes an answer down after a while, or at once; one that has replaced it stays.
--
-- KEYS  1 the answer  2 the certificate's answers by their end
-- ARGV  1 the answer, JSON  2 how long it lingers, ms; 0 for not at all
if redis.call('GET', KEYS[1]) == ARGV[1] then
  if ARGV[2] == '0' then
    redis.call('DEL', KEYS[1])
  else
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
end
redis.call('ZREM', KEYS[2], ARGV[1])
