-- Forgets what has failed and moves the certificate's due time, for who holds the lease.
--
-- KEYS  1 the lease  2 the attempt  3 the due index
-- ARGV  1 certificate id  2 owner  3 due, ms
-- Gives 1, or 0 if the lease is lost.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[2] then
  return 0
end
redis.call('DEL', KEYS[2])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
return 1
