-- Moves a certificate's due time to an earlier one, unless something has failed.
--
-- KEYS  1 the due index  2 the attempt
-- ARGV  1 certificate id  2 the time, ms
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('ZADD', KEYS[1], 'XX', 'LT', ARGV[2], ARGV[1])
end
