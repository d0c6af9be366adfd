-- Changes when the CA is asked again, if there is a record to ask about.
--
-- KEYS  1 the record  2 the index of questions
-- ARGV  1 certificate id  2 when, ms; without it never
if redis.call('EXISTS', KEYS[1]) == 1 then
  if ARGV[2] then
    redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
  else
    redis.call('ZREM', KEYS[2], ARGV[1])
  end
end
