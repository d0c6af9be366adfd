-- Forgets a request for a revocation, for who holds the lease on the certificate.
--
-- KEYS  1 the lease  2 the request  3 the certificate's requests by generation
-- ARGV  1 owner  2 generation
-- Gives 1, or 0 if the lease is lost.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[2])
return 1
