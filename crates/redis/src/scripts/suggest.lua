-- Keeps what was made of the CA's suggestion for the generation that stands, and moves the due time
-- to the time drawn. A certificate that is due already stays so: someone may have hastened it.
--
-- KEYS  1 the record  2 the suggestion  3 the index of questions  4 the due index  5 the attempt
-- ARGV  1 certificate id  2 generation  3 when to ask again, ms  4 the time drawn, ms
--       5... the suggestion's fields, each name before its text
-- Gives 1, or 0 if another generation stands.
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[2] then
  return 0
end

redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], unpack(ARGV, 5))
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])

if redis.call('EXISTS', KEYS[5]) == 0 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local due = redis.call('ZSCORE', KEYS[4], ARGV[1])
  if not due or tonumber(due) > now then
    redis.call('ZADD', KEYS[4], ARGV[4], ARGV[1])
  end
end
return 1
