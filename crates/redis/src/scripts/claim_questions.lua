-- Gives questions that are due, and moves them so that nobody else gets them for a while.
--
-- KEYS  1 the index of questions
-- ARGV  1 now, ms  2 how many at most  3 when they are due again, ms
-- Gives {certificate id, ...} with the most overdue first.
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do
  redis.call('ZADD', KEYS[1], ARGV[3], id)
end
return due
