-- What is known of a name; if nothing is, the caller is to ask.
--
-- KEYS  1 the permission
-- ARGV  1 how long the caller may take to ask, ms
-- Gives 'allowed', 'denied', 'asking', or 'ask'.
if redis.call('SET', KEYS[1], 'asking', 'NX', 'PX', ARGV[1]) then
  return 'ask'
end
return redis.call('GET', KEYS[1])
