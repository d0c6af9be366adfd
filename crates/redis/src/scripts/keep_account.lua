-- Keeps an issuer's account, for who holds the lease on it.
--
-- KEYS  1 the lease  2 the account
-- ARGV  1 owner  2 the sealed account
-- Gives 1, or 0 if the lease is lost.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[2])
return 1
