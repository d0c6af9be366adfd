-- Gives a lease back, if it is still this owner's.
--
-- KEYS  1 the lease  2 the index of leases of its kind
-- ARGV  1 resource  2 owner
-- Gives 1, or 0 if the lease was lost.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[2] then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
